// What a model file's header says of a model before it is loaded: what it is for, and the memory
// that it will take. One place for `jarip models`, for the server that decides what fits, and for
// the refusal of what doesn't. Free functions; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "app/answerer.h"
#include "app/loaded_model.h"
#include "base/result.h"
#include "model/gguf.h"

namespace jarip {

// Bytes, at most: pages of keys and values take memory from their first use on.
struct ModelMemory {
  std::uint64_t weights = 0;  // as they are packed
  std::uint64_t kv = 0;       // keys and values of all that is being read
  std::uint64_t scratch = 0;  // of a step, and the vocabulary

  [[nodiscard]] std::uint64_t total() const { return weights + kv + scratch; }
};

struct ModelOutline {
  std::string family;  // general.architecture
  std::string format;  // of its weights, as quantizers call it: "q4_k_m"; empty: not said
  ModelTask task = ModelTask::kWrite;
  std::uint32_t n_vocab = 0;
  std::uint32_t n_ctx = 0;        // tokens that it will read at once
  std::uint32_t n_ctx_train = 0;  // and what it was trained for
  ModelMemory memory;
};

// options: those that it would be loaded with. Errors: as loading it would give for what the header
// and the options say.
[[nodiscard]] Result<ModelOutline> outline_model(const GgufFile& file,
                                                 const LoadedModelOptions& options);

// The `where` of the error that a model needs more memory than there is.
inline constexpr std::string_view kMemory = "memory";

// Whether so much memory is enough. Error: kTooLarge, with the numbers.
[[nodiscard]] Result<void> check_memory(std::string_view name, const ModelMemory& memory,
                                        std::uint64_t n_available_bytes);

[[nodiscard]] std::string_view task_name(ModelTask task);

}  // namespace jarip
