// Writes what an embedding model gives for texts of given tokens to a file. A tool of
// tools/embeddings.py, not part of the program.
//
//   embed_dump MODEL IDS OUTPUT [alone|together [ROUNDS]]
//
// IDS has one text a line, token ids apart by spaces. OUTPUT is f32 [texts, n_outputs] in the order
// of IDS, little-endian: vectors as they are pooled, or scores. With ROUNDS it says how many
// seconds the quickest of so many took, all texts in batches of 256 tokens.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "model/embedding_model.h"
#include "model/gguf.h"

namespace jarip {
namespace {

using Text = std::vector<TokenId>;

Result<std::vector<Text>> read_texts(const std::string& path, const EmbeddingFacts& facts) {
  std::ifstream file(path);
  if (!file) return fail(ErrorCode::kIo, fmt::format("can't read {}", path), path);
  std::vector<Text> texts;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    Text& text = texts.emplace_back();
    for (TokenId id = 0; words >> id;) text.push_back(id);
    const bool fits = !text.empty() && text.size() <= facts.n_ctx &&
                      *std::ranges::max_element(text) < facts.n_vocab;
    if (!words.eof() || !fits) {
      return fail(ErrorCode::kInvalidArgument, "no text of this model's: " + line, path);
    }
  }
  return texts;
}

// As many texts as fit, one at least, in a step of so many tokens.
Result<void> embed(EmbeddingModel& model, const std::vector<Text>& texts, std::size_t max_tokens,
                   std::vector<float>& out) {
  const std::size_t n_outputs = model.facts().n_outputs;
  out.resize(texts.size() * n_outputs);
  for (std::size_t first = 0; first < texts.size();) {
    std::vector<EmbeddingText> batch;
    std::size_t n_tokens = 0;
    for (std::size_t i = first; i < texts.size(); ++i) {
      n_tokens += texts[i].size();
      if (!batch.empty() && n_tokens > max_tokens) break;
      batch.push_back({.tokens = texts[i]});
    }
    JARIP_CHECK(
        model.embed(batch, std::span(out).subspan(first * n_outputs, batch.size() * n_outputs)));
    first += batch.size();
  }
  return {};
}

Result<void> dump(const std::vector<std::string>& arguments) {
  JARIP_TRY(const GgufFile file, GgufFile::open(arguments[0]));
  ThreadPool pool(ThreadPool::available_cores());
  JARIP_TRY(const std::unique_ptr<EmbeddingModel> model, load_embedding_model(file, pool));
  JARIP_TRY(const std::vector<Text> texts, read_texts(arguments[1], model->facts()));
  const bool alone = arguments.size() < 4 || arguments[3] == "alone";
  const int n_rounds = arguments.size() < 5 ? 1 : std::atoi(arguments[4].c_str());
  std::vector<float> out;
  double best_s = 1e9;
  for (int round = 0; round < n_rounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    JARIP_CHECK(embed(*model, texts, alone ? 1 : 256, out));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    best_s = std::min(best_s, took.count());
  }
  if (arguments.size() == 5) fmt::print("{:.6f}\n", best_s);
  std::ofstream output(arguments[2], std::ios::binary | std::ios::trunc);
  output.write(reinterpret_cast<const char*>(out.data()),
               static_cast<std::streamsize>(out.size() * sizeof(float)));
  output.close();
  if (!output) return fail(ErrorCode::kIo, "can't write " + arguments[2], arguments[2]);
  return {};
}

}  // namespace
}  // namespace jarip

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 3 || arguments.size() > 5) {
    fmt::print(stderr, "usage: embed_dump MODEL IDS OUTPUT [alone|together [ROUNDS]]\n");
    return 2;
  }
  const auto done = jarip::dump(arguments);
  if (!done) {
    fmt::print(stderr, "embed_dump: {}\n", done.error().message);
    return 1;
  }
  return 0;
}
