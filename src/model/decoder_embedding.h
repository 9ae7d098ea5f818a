// Decoders whose file says how to pool: a text's last state, or the mean of all, or what a
// classifier makes of the last. One thread calls embed(); pool workers help inside it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "model/embedding_model.h"
#include "model/model.h"
#include "model/rank_head.h"

namespace jarip {

class DecoderEmbedding final : public EmbeddingModel {
 public:
  // Errors: those of load_model(); kUnsupported (a pooling that only encoders have).
  static Result<std::unique_ptr<EmbeddingModel>> load(const GgufFile& file, ThreadPool& pool,
                                                      const EmbeddingLoadOptions& options);

  [[nodiscard]] const EmbeddingFacts& facts() const override { return facts_; }
  [[nodiscard]] std::size_t memory_bytes() const override;
  [[nodiscard]] Result<void> embed(std::span<const EmbeddingText> texts,
                                   std::span<float> out) override;

 private:
  // How far one text is.
  struct Progress {
    std::span<const PageId> pages;
    std::uint32_t n_done = 0;
  };

  DecoderEmbedding() = default;
  [[nodiscard]] Result<void> plan(std::span<const EmbeddingText> texts);
  void step(std::span<const EmbeddingText> texts);
  [[nodiscard]] std::uint32_t n_states(const EmbeddingText& text, std::uint32_t n_done,
                                       std::uint32_t n) const;

  EmbeddingFacts facts_;
  std::unique_ptr<Model> model_;
  std::optional<RankHead> rank_;
  AlignedBuffer memory_;
  AlignedBuffer states_memory_;  // of recurrent layers
  std::vector<PageId> pages_;
  std::vector<Progress> progress_;  // [texts]
  std::vector<float> vectors_;      // [texts, d_model]
  std::vector<SequenceChunk> chunks_;
  std::vector<std::uint32_t> chunk_texts_;
  std::vector<float> states_;  // of a step
};

}  // namespace jarip
