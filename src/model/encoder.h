// Encoders: every token sees every other, so a text is computed whole, layer by layer, and its keys
// and values last no longer than a layer. One thread calls embed(); pool workers help inside it.
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
#include "model/encoder_config.h"
#include "model/encoder_tensors.h"
#include "model/layer_weights.h"
#include "model/rank_head.h"
#include "model/rope.h"
#include "tensor/activations.h"
#include "tensor/kernels.h"
#include "tensor/packed_matrix.h"

namespace jarip {

class Encoder final : public EmbeddingModel {
 public:
  static Result<std::unique_ptr<EmbeddingModel>> load(const EncoderConfig& config,
                                                      const EncoderTensors& tensors,
                                                      ThreadPool& pool,
                                                      const EmbeddingLoadOptions& options,
                                                      const PackedMatrix::OnRead& on_read);

  [[nodiscard]] const EmbeddingFacts& facts() const override { return facts_; }
  [[nodiscard]] std::size_t memory_bytes() const override;
  [[nodiscard]] Result<void> embed(std::span<const EmbeddingText> texts,
                                   std::span<float> out) override;

 private:
  struct Layer {
    Projection query, key, value, attention_out;
    LayerNorm attention_norm, ff_norm;
    std::optional<Projection> gate;
    Projection up, down;
  };
  // One token: whose text it is of, and which page slot takes its key and value.
  struct TokenPlace {
    TokenId token;
    std::uint32_t position;
    std::uint32_t type;
    std::byte* page;
  };
  // Some tokens of a text, which all see the whole of it.
  struct AttentionRun {
    std::uint32_t first_row;
    std::uint32_t n_rows;
    std::uint32_t n_seen;
    std::byte* const* pages;
  };
  struct Rows {
    std::uint32_t begin, end;
  };

  Encoder(const EncoderConfig& config, const EncoderTensors& tensors, ThreadPool& pool,
          const Kernels& kernels);
  static Result<Layer> load_layer(const EncoderLayerTensors& tensors, Packer& pack);

  [[nodiscard]] Result<void> plan(std::span<const EmbeddingText> texts);
  [[nodiscard]] Result<void> reserve_pages(std::size_t n_pages);
  void reserve_scratch();
  void embed_tokens();
  void run_layer(const Layer& layer);
  void project_heads(const Layer& layer);
  void project_head(const Layer& layer, std::uint32_t head, const Rows& rows, float* scratch);
  void attend();
  void gather_heads();
  void feed_forward(const Layer& layer);
  void multiply(const MatmulInput& in, const Projection& projection);
  // What a product gave joins what it was made of, and both together are normalized.
  void join(const Projection& projection, const LayerNorm& norm);
  void pool_rows(std::span<const EmbeddingText> texts, std::span<float> vectors) const;
  [[nodiscard]] std::uint32_t up_tiles_per_task() const;

  ModelConfig shape_;
  EmbeddingFacts facts_;
  ThreadPool& pool_;
  const Kernels& kernels_;
  const PageKernels& page_kernels_;
  KvHeadLayout kv_head_;
  std::optional<Rope> rope_;
  PackedMatrix embedding_;
  std::vector<float> types_;      // [n_types, d_model], or empty
  std::vector<float> positions_;  // [n_ctx, d_model], or empty
  LayerNorm embedding_norm_;
  std::vector<Layer> layers_;
  std::optional<RankHead> rank_;

  // Scratch, as large as ever needed.
  std::uint32_t n_tokens_ = 0;
  AlignedBuffer pages_;
  std::vector<std::byte*> page_pointers_;  // all texts' pages, one after the other
  std::vector<TokenPlace> places_;         // [n_tokens]
  std::vector<AttentionRun> runs_;
  std::vector<float> angles_;    // [n_tokens, rope's n_angles]
  std::vector<float> states_;    // [n_tokens, d_model]
  std::vector<float> queries_;   // [n_heads, n_tokens, head_dim]
  std::vector<float> attended_;  // [n_heads, n_tokens, head_dim]
  std::vector<float> gathered_;  // [n_tokens, d_model]
  std::vector<float> mixed_;     // [n_tokens, d_model]: what is about to join the states
  std::vector<float> hidden_;    // [n_tokens, d_ff]
  std::vector<float> vectors_;   // [texts, d_model] of texts to be ranked
  QuantizedRows quantized_;
  QuantizedRows quantized_hidden_;
  std::vector<std::vector<float>> scratch_;  // one a worker
};

}  // namespace jarip
