// The door to a loaded model's arithmetic: tokens and KV pages in, logits out. Owned by whoever
// loaded it (the engine, a test); step() is called by one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "base/thread_pool.h"
#include "model/config.h"
#include "model/gguf.h"
#include "model/input_observer.h"
#include "model/step_profile.h"
#include "model/tokenizer.h"
#include "tensor/kv_format.h"

namespace jarip {

class Adapter;

using PageId = std::uint32_t;
using StateId = std::uint32_t;

// Tokens in one KV page, for every model and path.
inline constexpr std::uint32_t kKvPageTokens = kPageLanes;

// A copy of a sequence's state, made on the way through a chunk.
struct StateCopy {
  std::uint32_t n_tokens;  // of the chunk, that the copy has seen: from 1 to all
  StateId to;
};

// One sequence's part of a step.
struct SequenceChunk {
  std::span<const TokenId> tokens;  // consecutive tokens to feed; not empty, every id < n_vocab
  std::uint32_t position = 0;       // of tokens[0]: the number of tokens already in the pages
  std::span<const PageId> pages;    // pages[i] holds positions [32 i, 32 i + 32); covers all fed
  std::uint32_t n_logits = 0;       // logits wanted: those after the last n_logits tokens fed
  // Of models with recurrent layers: what they keep of the tokens before `position`, and then of
  // all. What lies there is not read when position is 0.
  StateId state = 0;
  std::span<const StateCopy> copies = {};  // n_tokens ascend; no sequence of the step has these
  const Adapter* adapter = nullptr;  // of the same model's optimized path; null: the model alone
};

// The memory of KV pages: page p is bytes [p * page_bytes, (p + 1) * page_bytes), and of states, in
// the same way. What they hold is the model's own affair; a state may be copied byte by byte.
struct KvMemory {
  std::byte* base = nullptr;  // 64-byte aligned
  std::size_t page_bytes = 0;
  std::uint32_t n_pages = 0;
  std::byte* states = nullptr;  // 64-byte aligned; null for models without recurrent layers
  std::size_t state_bytes = 0;
};

enum class ComputePath : std::uint8_t {
  kOptimized,  // repacked weights, int8 activations for quantized formats
  kReference,  // weights as f32, scalar f32 arithmetic: slow, the truth for tests
};

class Model {
 public:
  virtual ~Model() = default;
  [[nodiscard]] virtual const ModelConfig& config() const = 0;
  [[nodiscard]] virtual std::size_t kv_page_bytes() const = 0;
  // Of one sequence's recurrent layers, a multiple of 64; 0 for models that have none.
  [[nodiscard]] virtual std::size_t state_bytes() const { return 0; }
  // Bytes of weights and scratch held, KV pages and states not counted.
  [[nodiscard]] virtual std::size_t memory_bytes() const = 0;

  // Feeds all chunks, writes their keys and values into their pages, and writes the wanted logits
  // in order of chunks: logits is [sum of n_logits, n_vocab] (or states, see StepOutput). The
  // result of a chunk depends on nothing but the tokens of its sequence (law L1). Each sequence
  // appears at most once.
  virtual void step(std::span<const SequenceChunk> chunks, const KvMemory& kv,
                    std::span<float> logits) = 0;

  // Fills in a profile of the steps that follow, until it is called with null. Paths that have no
  // parts to tell apart leave it as it is.
  virtual void set_profile(StepProfile* /*profile*/) {}

  // Shows the observer what the products of the steps that follow read, until it is called with
  // null. Only the optimized path does.
  virtual void set_observer(InputObserver* /*observer*/) {}
};

// What a step gives for each token that logits are wanted after.
enum class StepOutput : std::uint8_t {
  kLogits,  // [n_vocab]
  kStates,  // [d_model]: what logits are made of; of the optimized path
};

struct LoadOptions {
  ComputePath path = ComputePath::kOptimized;
  StepOutput output = StepOutput::kLogits;
  KvFormat kv_format = KvFormat::kF16;  // of the optimized path, which alone has a choice
  // Called on the loading thread with the fraction done, 0 to 1; may be empty.
  void (*on_progress)(void* context, float fraction) = nullptr;
  void* progress_context = nullptr;
};

// Reads config and weights. Weights are copied (repacked), so the file may be closed afterwards.
// Errors: kUnsupported (family or format, by name; a kv_format that the path lacks), kCorrupt
// (missing tensor, wrong shape).
[[nodiscard]] Result<std::unique_ptr<Model>> load_model(const GgufFile& file, ThreadPool& pool,
                                                        const LoadOptions& options = {});

}  // namespace jarip
