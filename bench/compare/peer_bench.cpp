// llama.cpp's side of the comparison: the work of `jarip bench --from-stdin`, asked for by the same
// lines and answered in the same JSON. Compiled against the header files and libraries of whichever
// release is compared.
//
//   peer_bench MODEL THREADS [BACKENDS_FOLDER]   the folder where a release keeps its CPU libraries
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "llama.h"

namespace {

constexpr std::uint32_t kStepTokens = 512;  // n_batch and n_ubatch

struct Item {
  bool is_decode = false;
  std::uint32_t n_tokens = 0;
  std::uint32_t batch = 1;
  std::uint32_t depth = 0;
};

bool parse(const std::string& line, Item& item) {
  std::istringstream words(line);
  std::uint32_t number = 0;
  for (std::string name; words >> name >> number;) {
    if (name == "prefill" || name == "decode") {
      item.n_tokens = number;
      item.is_decode = name == "decode";
    } else if (name == "batch") {
      item.batch = number;
    } else if (name == "depth") {
      item.depth = number;
    } else {
      return false;
    }
  }
  return words.eof() && item.n_tokens > 0 && item.batch > 0;
}

// A pool of threads that lives as long as the program, as llama-bench has it. Without one the
// library starts its threads anew for every graph.
ggml_threadpool_t make_threadpool(int n_threads) {
  ggml_backend_dev_t device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
  if (device == nullptr) return nullptr;
  auto* create = reinterpret_cast<decltype(ggml_threadpool_new)*>(ggml_backend_reg_get_proc_address(
      ggml_backend_dev_backend_reg(device), "ggml_threadpool_new"));
  if (create == nullptr) return nullptr;
  ggml_threadpool_params params = ggml_threadpool_params_default(n_threads);
  return create(&params);
}

class Work {
 public:
  Work(llama_model* model, int n_threads)
      : model_(model),
        n_vocab_(llama_vocab_n_tokens(llama_model_get_vocab(model))),
        n_threads_(n_threads),
        threadpool_(make_threadpool(n_threads)),
        batch_(llama_batch_init(kStepTokens, 0, 1)) {}
  ~Work() { llama_batch_free(batch_); }
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  bool prepare(const Item& item) {
    if (!make_room(item)) return false;
    // What stands after the context would be looked at again, so it goes.
    for (std::uint32_t i = 0; i < item.batch; ++i) {
      llama_memory_seq_rm(llama_get_memory(context_.get()), static_cast<llama_seq_id>(i),
                          static_cast<llama_pos>(item.depth), -1);
    }
    const std::uint32_t n_there = std::min(n_read_, item.depth);
    n_read_ = item.depth;
    return n_there == item.depth || read(n_there, item.depth, false);
  }

  bool run(const Item& item) {
    const std::uint32_t end = item.depth + item.n_tokens;
    n_read_ = end;
    if (!item.is_decode) return read(item.depth, end, true);
    for (std::uint32_t i = item.depth; i < end; ++i) {
      if (!feed(i, i + 1, true)) return false;
    }
    return true;
  }

 private:
  using Context = std::unique_ptr<llama_context, decltype(&llama_free)>;

  bool make_room(const Item& item) {
    const std::uint32_t n_tokens = item.depth + item.n_tokens;
    if (context_ && item.batch == n_sequences_ && n_tokens <= n_room_) return true;
    context_.reset();
    n_read_ = 0;
    n_sequences_ = item.batch;
    n_room_ = (n_tokens + 255) / 256 * 256;
    llama_context_params params = llama_context_default_params();
    params.n_ctx = n_room_ * n_sequences_;
    params.n_batch = kStepTokens;
    params.n_ubatch = kStepTokens;
    params.n_seq_max = n_sequences_;
    params.n_threads = n_threads_;
    params.n_threads_batch = n_threads_;
    context_ = Context(llama_init_from_model(model_, params), llama_free);
    if (!context_) return false;
    if (threadpool_ != nullptr) llama_attach_threadpool(context_.get(), threadpool_, threadpool_);
    return true;
  }

  // Steps as large as the library takes; logits after the last token where they are wanted.
  bool read(std::uint32_t begin, std::uint32_t end, bool want_logits) {
    const std::uint32_t step = std::max(1U, kStepTokens / n_sequences_);
    while (begin < end) {
      const std::uint32_t next = std::min(end, begin + step);
      if (!feed(begin, next, want_logits && next == end)) return false;
      begin = next;
    }
    return true;
  }

  // Tokens [begin, end) of every sequence; logits after the last of each.
  bool feed(std::uint32_t begin, std::uint32_t end, bool want_logits) {
    std::int32_t n = 0;
    for (std::uint32_t sequence = 0; sequence < n_sequences_; ++sequence) {
      for (std::uint32_t i = begin; i < end; ++i, ++n) {
        batch_.token[n] = static_cast<llama_token>(std::uint64_t{i} * 7919 %
                                                   static_cast<std::uint64_t>(n_vocab_));
        batch_.pos[n] = static_cast<llama_pos>(i);
        batch_.n_seq_id[n] = 1;
        batch_.seq_id[n][0] = static_cast<llama_seq_id>(sequence);
        batch_.logits[n] = static_cast<std::int8_t>(want_logits && i + 1 == end);
      }
    }
    batch_.n_tokens = n;
    if (llama_decode(context_.get(), batch_) != 0) return false;
    llama_synchronize(context_.get());
    return true;
  }

  llama_model* model_;
  std::int32_t n_vocab_;
  int n_threads_;
  ggml_threadpool_t threadpool_;
  llama_batch batch_;
  Context context_{nullptr, llama_free};
  std::uint32_t n_sequences_ = 0;
  std::uint32_t n_room_ = 0;
  std::uint32_t n_read_ = 0;
};

void answer(Work& work, const std::string& line) {
  Item item;
  if (!parse(line, item) || item.batch > kStepTokens) {
    std::puts(R"({"error": "not an item"})");
    return;
  }
  if (!work.prepare(item)) {
    std::puts(R"({"error": "no context"})");
    return;
  }
  const auto begin = std::chrono::steady_clock::now();
  const bool done = work.run(item);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  if (done) {
    std::printf("{\"seconds\": %.9f}\n", seconds.count());
  } else {
    std::puts(R"({"error": "llama_decode failed"})");
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) {
    std::fprintf(stderr, "usage: peer_bench MODEL THREADS [BACKENDS_FOLDER]\n");
    return 2;
  }
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  if (argc == 4) ggml_backend_load_all_from_path(argv[3]);
  const std::unique_ptr<llama_model, decltype(&llama_model_free)> model(
      llama_model_load_from_file(argv[1], llama_model_default_params()), llama_model_free);
  if (!model) return 1;
  Work work(model.get(), std::atoi(argv[2]));
  std::puts(R"({"ready": true})");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    answer(work, line);
    std::fflush(stdout);
  }
  return 0;
}
