// Writes the logits of a model over given tokens to a file, through one of its compute paths. A
// tool of the fidelity measurement, not part of the program.
//
//   logits_dump MODEL reference|optimized|optimized-q8_0 IDS OUTPUT [CHUNK]
//
// optimized-q8_0 is the optimized path with keys and values in q8_0. IDS has one window a line,
// token ids apart by spaces; every window starts at position 0. OUTPUT is f32 [n_tokens, n_vocab]
// in the order of IDS, little-endian. Every window is fed alone and whole; with CHUNK all are fed
// side by side, in pieces of that many tokens.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <numeric>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "model/gguf.h"
#include "model/model.h"

namespace jarip {
namespace {

using Window = std::vector<TokenId>;

Result<std::vector<Window>> read_windows(const std::string& path) {
  std::ifstream file(path);
  if (!file) return fail(ErrorCode::kIo, fmt::format("can't read {}", path), path);
  std::vector<Window> windows;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    Window window;
    for (TokenId id = 0; words >> id;) window.push_back(id);
    if (!words.eof()) return fail(ErrorCode::kInvalidArgument, "not a token id: " + line, path);
    if (!window.empty()) windows.push_back(std::move(window));
  }
  return windows;
}

// Windows that are fed side by side, each with pages of its own.
class Batch {
 public:
  Batch(Model& model, std::span<const Window> windows) : model_(model), windows_(windows) {
    for (const Window& window : windows) {
      first_page_.push_back(n_pages_);
      first_row_.push_back(n_rows_);
      n_pages_ += (window.size() + kKvPageTokens - 1) / kKvPageTokens;
      n_rows_ += window.size();
    }
    constexpr std::size_t kAlignment = 64;
    memory_.resize(n_pages_ * model.kv_page_bytes() + kAlignment);
    base_ = memory_.data();
    std::size_t space = memory_.size();
    std::align(kAlignment, n_pages_ * model.kv_page_bytes(), base_, space);
    states_.resize(windows.size() * model.state_bytes() + kAlignment);
    states_base_ = states_.data();
    space = states_.size();
    std::align(kAlignment, windows.size() * model.state_bytes(), states_base_, space);
    pages_.resize(n_pages_);
    std::iota(pages_.begin(), pages_.end(), 0U);
  }

  // The logits after each token of each window, in their order.
  std::vector<float> compute(std::size_t chunk) {
    const std::size_t n_vocab = model_.config().n_vocab;
    std::vector<float> logits(n_rows_ * n_vocab);
    for (std::size_t at = 0;; at += chunk) {
      std::vector<SequenceChunk> chunks;
      std::vector<float*> to;
      std::size_t n_fed = 0;
      for (std::size_t i = 0; i < windows_.size(); ++i) {
        if (at >= windows_[i].size()) continue;
        const auto n = static_cast<std::uint32_t>(std::min(chunk, windows_[i].size() - at));
        chunks.push_back({.tokens = std::span(windows_[i]).subspan(at, n),
                          .position = static_cast<std::uint32_t>(at),
                          .pages = std::span(pages_).subspan(first_page_[i]),
                          .n_logits = n,
                          .state = static_cast<StateId>(i)});
        to.push_back(logits.data() + (first_row_[i] + at) * n_vocab);
        n_fed += n;
      }
      if (chunks.empty()) return logits;
      std::vector<float> rows(n_fed * n_vocab);
      model_.step(chunks,
                  {.base = static_cast<std::byte*>(base_),
                   .page_bytes = model_.kv_page_bytes(),
                   .n_pages = static_cast<std::uint32_t>(n_pages_),
                   .states = static_cast<std::byte*>(states_base_),
                   .state_bytes = model_.state_bytes()},
                  rows);
      const float* from = rows.data();
      for (std::size_t i = 0; i < chunks.size(); ++i) {
        std::copy_n(from, chunks[i].n_logits * n_vocab, to[i]);
        from += chunks[i].n_logits * n_vocab;
      }
    }
  }

 private:
  Model& model_;
  std::span<const Window> windows_;
  std::vector<std::size_t> first_page_, first_row_;
  std::size_t n_pages_ = 0;
  std::size_t n_rows_ = 0;
  std::vector<std::byte> memory_;
  void* base_ = nullptr;
  std::vector<std::byte> states_;
  void* states_base_ = nullptr;
  std::vector<PageId> pages_;
};

Result<> check_ids(const std::vector<Window>& windows, std::uint32_t n_vocab) {
  for (const Window& window : windows) {
    for (const TokenId id : window) {
      if (id >= n_vocab) {
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("token {} is past the vocabulary of {}", id, n_vocab));
      }
    }
  }
  return {};
}

struct Path {
  std::string_view name;
  LoadOptions options;
};

const Path kPaths[] = {
    {"reference", {.path = ComputePath::kReference}},
    {"optimized", {}},
    {"optimized-q8_0", {.kv_format = KvFormat::kQ8_0}},
};

Result<> dump(const std::string& model_path, const LoadOptions& options,
              const std::string& ids_path, const std::string& output_path, std::size_t chunk) {
  JARIP_TRY(const GgufFile file, GgufFile::open(model_path));
  ThreadPool pool(ThreadPool::available_cores());
  JARIP_TRY(const std::unique_ptr<Model> model, load_model(file, pool, options));
  JARIP_TRY(const std::vector<Window> windows, read_windows(ids_path));
  JARIP_CHECK(check_ids(windows, model->config().n_vocab));
  std::ofstream output(output_path, std::ios::binary | std::ios::trunc);
  const std::size_t n_together = chunk == 0 ? 1 : windows.size();
  for (std::size_t i = 0; i < windows.size(); i += n_together) {
    Batch batch(*model, std::span(windows).subspan(i, n_together));
    const std::vector<float> logits = batch.compute(chunk == 0 ? windows[i].size() : chunk);
    output.write(reinterpret_cast<const char*>(logits.data()),
                 static_cast<std::streamsize>(logits.size() * sizeof(float)));
  }
  output.close();
  if (!output) return fail(ErrorCode::kIo, fmt::format("can't write {}", output_path), output_path);
  return {};
}

}  // namespace
}  // namespace jarip

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto* const path = arguments.size() < 4 || arguments.size() > 5
                               ? std::end(jarip::kPaths)
                               : std::ranges::find(jarip::kPaths, arguments[1], &jarip::Path::name);
  if (path == std::end(jarip::kPaths)) {
    fmt::print(stderr,
               "usage: logits_dump MODEL reference|optimized|optimized-q8_0 IDS OUTPUT [CHUNK]\n");
    return 2;
  }
  const std::size_t chunk =
      arguments.size() < 5 ? 0 : std::strtoul(arguments[4].c_str(), nullptr, 10);
  const auto done = jarip::dump(arguments[0], path->options, arguments[2], arguments[3], chunk);
  if (!done) {
    fmt::print(stderr, "logits_dump: {}\n", done.error().message);
    return 1;
  }
  return 0;
}
