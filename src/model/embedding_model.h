// The door to models that read texts and give a vector or a score for each: encoders, and decoders
// whose file says how to pool. Owned by whoever loaded it; embed() is called by one thread at a
// time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "base/thread_pool.h"
#include "model/gguf.h"
#include "model/pooling.h"
#include "model/token.h"

namespace jarip {

struct EmbeddingText {
  std::span<const TokenId> tokens;  // 1 to n_ctx, every id < n_vocab
  std::uint32_t second = 0;         // where the second of two texts begins; 0: there is only one
};

struct EmbeddingFacts {
  std::string family;  // general.architecture
  std::string name;    // general.name, for people
  std::uint32_t n_vocab = 0;
  std::uint32_t n_ctx = 0;      // tokens of the longest text
  std::uint32_t n_outputs = 0;  // numbers for each text
  Pooling pooling = Pooling::kMean;
};

class EmbeddingModel {
 public:
  virtual ~EmbeddingModel() = default;
  [[nodiscard]] virtual const EmbeddingFacts& facts() const = 0;
  // Bytes of weights and scratch held.
  [[nodiscard]] virtual std::size_t memory_bytes() const = 0;
  // Writes what each text gives: out is [texts, n_outputs], vectors as they are pooled (of any
  // length), or one score, of which the logistic function makes a probability. A text's numbers
  // depend on nothing but its tokens (law L1). Error: kUnavailable (memory for the keys and values
  // of so much text).
  [[nodiscard]] virtual Result<void> embed(std::span<const EmbeddingText> texts,
                                           std::span<float> out) = 0;
};

struct EmbeddingLoadOptions {
  std::uint32_t n_ctx = 0;  // of a text; 0: the model's own, of decoders at most 8192
  void (*on_progress)(void* context, float fraction) = nullptr;  // may be empty
  void* progress_context = nullptr;
};

// Whether the file is of a model that embeds or ranks.
[[nodiscard]] Result<bool> is_embedding_model(const GgufFile& file);

// Weights are copied. Errors: kUnsupported (family, pooling or format, by name), kCorrupt.
[[nodiscard]] Result<std::unique_ptr<EmbeddingModel>> load_embedding_model(
    const GgufFile& file, ThreadPool& pool, const EmbeddingLoadOptions& options = {});

}  // namespace jarip
