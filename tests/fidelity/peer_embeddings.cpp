// The peer's side of tools/embeddings.py: what tests/support/embed_dump.cpp does, done by llama.cpp
// with its default settings, every text by itself or all in batches as large as it takes.
//
//   peer_embeddings MODEL IDS OUTPUT BACKENDS_FOLDER THREADS [ROUNDS]
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "ggml-backend.h"
#include "llama.h"

namespace {

using Text = std::vector<llama_token>;

constexpr std::uint32_t kMostTogether = 64;
constexpr std::size_t kBatchTokens = 2048;

std::vector<Text> read_texts(const char* path) {
  std::ifstream file(path);
  std::vector<Text> texts;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    Text& text = texts.emplace_back();
    for (llama_token id = 0; words >> id;) text.push_back(id);
  }
  return texts;
}

// Texts [first, end) as the sequences of one batch.
bool compute(llama_context* context, bool encodes, const std::vector<Text>& texts,
             std::size_t first, std::size_t end) {
  llama_memory_clear(llama_get_memory(context), true);
  llama_batch batch = llama_batch_init(static_cast<std::int32_t>(kBatchTokens), 0, 1);
  for (std::size_t i = first; i < end; ++i) {
    for (std::size_t k = 0; k < texts[i].size(); ++k) {
      const std::int32_t at = batch.n_tokens++;
      batch.token[at] = texts[i][k];
      batch.pos[at] = static_cast<llama_pos>(k);
      batch.n_seq_id[at] = 1;
      batch.seq_id[at][0] = static_cast<llama_seq_id>(i - first);
      batch.logits[at] = 1;
    }
  }
  const int status = encodes ? llama_encode(context, batch) : llama_decode(context, batch);
  llama_batch_free(batch);
  return status == 0;
}

bool embed(llama_context* context, const llama_model* model, const std::vector<Text>& texts,
           std::uint32_t together, std::vector<float>& out) {
  const bool ranks = llama_pooling_type(context) == LLAMA_POOLING_TYPE_RANK;
  const int n = ranks ? static_cast<int>(llama_model_n_cls_out(model)) : llama_model_n_embd(model);
  const bool encodes = llama_model_has_encoder(model);
  out.clear();
  for (std::size_t first = 0; first < texts.size();) {
    std::size_t end = first;
    for (std::size_t n_tokens = 0; end < texts.size() && end - first < together; ++end) {
      n_tokens += texts[end].size();
      if (n_tokens > kBatchTokens) break;
    }
    if (end == first || !compute(context, encodes, texts, first, end)) return false;
    for (std::size_t i = first; i < end; ++i) {
      const float* row = llama_get_embeddings_seq(context, static_cast<llama_seq_id>(i - first));
      if (row == nullptr) return false;
      out.insert(out.end(), row, row + n);
    }
    first = end;
  }
  return true;
}

int dump(llama_model* model, const std::vector<Text>& texts, int n_threads, int n_rounds,
         const char* path) {
  const std::uint32_t together = n_rounds > 0 ? kMostTogether : 1;
  llama_context_params params = llama_context_default_params();
  params.n_batch = params.n_ubatch = kBatchTokens;
  params.n_ctx = static_cast<std::uint32_t>(kBatchTokens);
  params.n_seq_max = together;
  params.kv_unified = true;
  params.embeddings = true;
  params.n_threads = params.n_threads_batch = n_threads;
  std::unique_ptr<llama_context, decltype(&llama_free)> context(
      llama_init_from_model(model, params), llama_free);
  if (!context) return 1;
  std::vector<float> out;
  double best_s = 1e9;
  for (int round = 0; round < std::max(1, n_rounds); ++round) {
    const auto start = std::chrono::steady_clock::now();
    if (!embed(context.get(), model, texts, together, out)) return 1;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    best_s = std::min(best_s, took.count());
  }
  if (n_rounds > 0) std::printf("%.6f\n", best_s);
  std::ofstream output(path, std::ios::binary | std::ios::trunc);
  output.write(reinterpret_cast<const char*>(out.data()),
               static_cast<std::streamsize>(out.size() * sizeof(float)));
  output.close();
  return output ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6 && argc != 7) {
    std::fprintf(stderr,
                 "usage: peer_embeddings MODEL IDS OUTPUT BACKENDS_FOLDER THREADS [ROUNDS]\n");
    return 2;
  }
  ggml_backend_load_all_from_path(argv[4]);
  std::unique_ptr<llama_model, decltype(&llama_model_free)> model(
      llama_model_load_from_file(argv[1], llama_model_default_params()), llama_model_free);
  if (!model) return 1;
  return dump(model.get(), read_texts(argv[2]), std::atoi(argv[5]),
              argc == 7 ? std::atoi(argv[6]) : 0, argv[3]);
}
