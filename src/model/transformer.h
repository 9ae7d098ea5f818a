// The optimized path: repacked weights, int8 activations, KV pages of f16 or q8_0. One engine
// thread calls step(); pool workers help inside it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "model/attention_plan.h"
#include "model/config.h"
#include "model/model.h"
#include "model/rope.h"
#include "model/tensors.h"
#include "tensor/activations.h"
#include "tensor/kernels.h"
#include "tensor/packed_matrix.h"

namespace jarip {

struct LayerWeights {
  std::vector<float> attention_norm;
  PackedMatrix query, key, value, attention_out;
  std::vector<float> ff_norm;
  PackedMatrix gate, up, down;
};

class Transformer final : public Model {
 public:
  static Result<std::unique_ptr<Model>> load(const ModelConfig& config, const ModelTensors& tensors,
                                             ThreadPool& pool, const LoadOptions& options,
                                             const PackedMatrix::OnRead& on_read);

  [[nodiscard]] const ModelConfig& config() const override { return config_; }
  [[nodiscard]] std::size_t kv_page_bytes() const override;
  [[nodiscard]] std::size_t memory_bytes() const override;
  void step(std::span<const SequenceChunk> chunks, const KvMemory& kv,
            std::span<float> logits) override;
  void set_profile(StepProfile* profile) override { profile_ = profile; }

 private:
  // One token of the step: which page slot takes its keys and values.
  struct TokenPlace {
    std::byte* page;
    std::uint32_t slot;
  };
  struct Rows {
    std::uint32_t begin, end;
  };

  Transformer(const ModelConfig& config, const ModelTensors& tensors, ThreadPool& pool,
              const Kernels& kernels, KvFormat kv_format);

  void plan(std::span<const SequenceChunk> chunks, const KvMemory& kv);
  void embed(std::span<const SequenceChunk> chunks);
  void run_layer(std::uint32_t layer);
  void project_logits(std::span<const SequenceChunk> chunks, std::span<float> logits);

  // What a product reads is made ready for its formats: rows of floats, int8 values, or both.
  void normalize(const float* x, std::uint32_t n_rows, const std::vector<float>& weight);
  void project_heads(std::uint32_t layer);
  void attend(std::uint32_t layer);
  void gate_and_up(const LayerWeights& weights);
  void multiply(std::uint32_t n_rows, const MatmulInput& in, const PackedMatrix& weights,
                float* out, Epilogue epilogue);

  // One head of q, k or v for some rows: product, rotation, and into its place.
  void project_head(std::uint32_t layer, std::uint32_t head, const Rows& rows, float* scratch);
  [[nodiscard]] std::uint32_t gate_tiles_per_task() const;

  // Laps of the profile, if there is one.
  void lap(StepPart part, const StepWork& work = {}) {
    if (profile_ != nullptr) profile_->lap(part, work);
  }
  void lap(StepPart part, std::uint32_t n_rows, std::initializer_list<const PackedMatrix*> weights);
  void lap_attention();

  [[nodiscard]] std::size_t head_offset(std::uint32_t layer, std::uint32_t kv_head) const;
  [[nodiscard]] std::uint32_t query_dim() const { return config_.n_heads * config_.head_dim; }
  [[nodiscard]] std::uint32_t kv_dim() const { return config_.n_kv_heads * config_.head_dim; }

  ModelConfig config_;
  ThreadPool& pool_;
  const Kernels& kernels_;
  const PageKernels& page_kernels_;
  KvHeadLayout kv_head_;
  Rope rope_;
  PackedMatrix embedding_;
  std::vector<LayerWeights> layers_;
  std::vector<float> output_norm_;
  std::optional<PackedMatrix> output_;  // absent when tied to the embedding

  StepProfile* profile_ = nullptr;

  // Scratch of a step, grown to the largest seen.
  std::uint32_t n_tokens_ = 0;
  std::vector<TokenPlace> places_;         // [n_tokens]
  std::vector<float> angles_;              // [n_tokens, 2, n_pairs]
  std::vector<std::byte*> page_pointers_;  // all chunks' pages, one after the other
  AttentionPlan attention_;
  std::vector<float> residual_;  // [n_tokens, d_model]
  std::vector<float> normed_;    // [n_tokens, d_model]
  std::vector<float> queries_;   // [n_tokens, query_dim]
  std::vector<float> attended_;  // [n_tokens, query_dim]
  std::vector<float> hidden_;    // [n_tokens, d_ff]
  std::vector<float> last_;      // [n_logits, d_model]
  QuantizedRows quantized_;      // of normed_ and of attended_
  QuantizedRows quantized_hidden_;
  std::vector<std::vector<float>> scratch_;  // one a worker
};

}  // namespace jarip
