// Writes the logits of a model over given tokens to a file, through one of its compute paths. A
// tool of the fidelity measurement, not part of the program.
//
//   logits_dump MODEL reference|optimized|optimized-q8_0 IDS OUTPUT
//
// optimized-q8_0 is the optimized path with keys and values in q8_0. IDS has one window a line,
// token ids apart by spaces; every window starts at position 0. OUTPUT is f32 [n_tokens, n_vocab]
// in the order of IDS, little-endian.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <numeric>
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

// Feeds one window from position 0 and returns the logits after each of its tokens.
std::vector<float> compute(Model& model, const Window& window) {
  constexpr std::size_t kAlignment = 64;
  const auto n_pages =
      static_cast<std::uint32_t>((window.size() + kKvPageTokens - 1) / kKvPageTokens);
  std::vector<std::byte> memory(n_pages * model.kv_page_bytes() + kAlignment);
  void* base = memory.data();
  std::size_t space = memory.size();
  std::align(kAlignment, n_pages * model.kv_page_bytes(), base, space);
  std::vector<PageId> pages(n_pages);
  std::iota(pages.begin(), pages.end(), 0U);

  const auto n_tokens = static_cast<std::uint32_t>(window.size());
  std::vector<float> logits(std::size_t{n_tokens} * model.config().n_vocab);
  const SequenceChunk chunk{.tokens = window, .position = 0, .pages = pages, .n_logits = n_tokens};
  const KvMemory kv{.base = static_cast<std::byte*>(base),
                    .page_bytes = model.kv_page_bytes(),
                    .n_pages = n_pages};
  model.step({&chunk, 1}, kv, logits);
  return logits;
}

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
              const std::string& ids_path, const std::string& output_path) {
  JARIP_TRY(const GgufFile file, GgufFile::open(model_path));
  ThreadPool pool(ThreadPool::available_cores());
  JARIP_TRY(const std::unique_ptr<Model> model, load_model(file, pool, options));
  JARIP_TRY(const std::vector<Window> windows, read_windows(ids_path));
  JARIP_CHECK(check_ids(windows, model->config().n_vocab));
  std::ofstream output(output_path, std::ios::binary | std::ios::trunc);
  for (const Window& window : windows) {
    const std::vector<float> logits = compute(*model, window);
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
  const auto* const path = arguments.size() != 4
                               ? std::end(jarip::kPaths)
                               : std::ranges::find(jarip::kPaths, arguments[1], &jarip::Path::name);
  if (path == std::end(jarip::kPaths)) {
    fmt::print(stderr, "usage: logits_dump MODEL reference|optimized|optimized-q8_0 IDS OUTPUT\n");
    return 2;
  }
  const auto done = jarip::dump(arguments[0], path->options, arguments[2], arguments[3]);
  if (!done) {
    fmt::print(stderr, "logits_dump: {}\n", done.error().message);
    return 1;
  }
  return 0;
}
