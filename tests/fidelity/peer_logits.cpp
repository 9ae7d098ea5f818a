// The peer's side of the fidelity measurement: what tests/support/logits_dump.cpp does, done by
// llama.cpp with its default settings. tools/fidelity.py compiles it against the header files of
// the release that it fetches.
//
//   peer_logits MODEL IDS OUTPUT BACKENDS_FOLDER [THREADS]
#include <algorithm>
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

using Window = std::vector<llama_token>;

std::vector<Window> read_windows(const char* path) {
  std::ifstream file(path);
  std::vector<Window> windows;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    Window window;
    for (llama_token id = 0; words >> id;) window.push_back(id);
    if (!window.empty()) windows.push_back(std::move(window));
  }
  return windows;
}

bool decode(llama_context* context, const Window& window) {
  llama_memory_clear(llama_get_memory(context), true);
  llama_batch batch = llama_batch_init(static_cast<std::int32_t>(window.size()), 0, 1);
  for (std::size_t i = 0; i < window.size(); ++i) {
    batch.token[i] = window[i];
    batch.pos[i] = static_cast<llama_pos>(i);
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = 0;
    batch.logits[i] = 1;
  }
  batch.n_tokens = static_cast<std::int32_t>(window.size());
  const int status = llama_decode(context, batch);
  llama_batch_free(batch);
  return status == 0;
}

int dump(llama_model* model, const std::vector<Window>& windows, int n_threads,
         std::ofstream& output) {
  std::size_t longest = 1;
  for (const Window& window : windows) longest = std::max(longest, window.size());
  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<std::uint32_t>(longest);
  params.n_batch = params.n_ctx;
  if (n_threads > 0) params.n_threads = params.n_threads_batch = n_threads;
  std::unique_ptr<llama_context, decltype(&llama_free)> context(
      llama_init_from_model(model, params), llama_free);
  if (!context) return 1;
  const auto n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(model));
  for (const Window& window : windows) {
    if (!decode(context.get(), window)) return 1;
    for (std::size_t i = 0; i < window.size(); ++i) {
      const float* row = llama_get_logits_ith(context.get(), static_cast<std::int32_t>(i));
      output.write(reinterpret_cast<const char*>(row),
                   static_cast<std::streamsize>(sizeof(float)) * n_vocab);
    }
  }
  output.close();
  return output ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5 && argc != 6) {
    std::fprintf(stderr, "usage: peer_logits MODEL IDS OUTPUT BACKENDS_FOLDER [THREADS]\n");
    return 2;
  }
  ggml_backend_load_all_from_path(argv[4]);
  std::unique_ptr<llama_model, decltype(&llama_model_free)> model(
      llama_model_load_from_file(argv[1], llama_model_default_params()), llama_model_free);
  if (!model) return 1;
  std::ofstream output(argv[3], std::ios::binary | std::ios::trunc);
  const int n_threads = argc == 6 ? std::atoi(argv[5]) : 0;
  return dump(model.get(), read_windows(argv[2]), n_threads, output);
}
