// The optimized path: repacked weights, int8 activations, KV pages of f16 or q8_0. One engine
// thread calls step(); pool workers help inside it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "model/adapter.h"
#include "model/attention_plan.h"
#include "model/config.h"
#include "model/input_observer.h"
#include "model/layer_weights.h"
#include "model/model.h"
#include "model/rope.h"
#include "model/tensors.h"
#include "tensor/activations.h"
#include "tensor/kernels.h"
#include "tensor/packed_matrix.h"

namespace jarip {

class Transformer final : public Model {
 public:
  static Result<std::unique_ptr<Model>> load(const ModelConfig& config, const ModelTensors& tensors,
                                             ThreadPool& pool, const LoadOptions& options,
                                             const PackedMatrix::OnRead& on_read);

  [[nodiscard]] const ModelConfig& config() const override { return config_; }
  [[nodiscard]] std::size_t kv_page_bytes() const override;
  [[nodiscard]] std::size_t state_bytes() const override { return config_.state_bytes(); }
  [[nodiscard]] std::size_t memory_bytes() const override;
  void step(std::span<const SequenceChunk> chunks, const KvMemory& kv,
            std::span<float> logits) override;
  void set_profile(StepProfile* profile) override { profile_ = profile; }
  void set_observer(InputObserver* observer) override { observer_ = observer; }

 private:
  // One token of the step: which page slot takes its keys and values.
  struct TokenPlace {
    std::byte* page;
    std::uint32_t slot;
  };
  struct Rows {
    std::uint32_t begin, end;
  };
  // One sequence's part of the step, for recurrent layers.
  struct RecurrentChunk {
    std::uint32_t first_row;
    std::uint32_t n_tokens;
    std::byte* state;
    std::span<const StateCopy> copies;
  };
  // A matrix that an adapter may change.
  struct Adapted {
    std::uint32_t layer;
    AdaptedMatrix matrix;
  };
  struct AdaptedRows {
    Rows rows;
    const Adapter* adapter;
  };
  struct ExpertUse {
    std::uint32_t expert;
    std::uint32_t row;
    float weight;
  };

  Transformer(const ModelConfig& config, const ModelTensors& tensors, ThreadPool& pool,
              const Kernels& kernels, KvFormat kv_format);

  void plan(std::span<const SequenceChunk> chunks, const KvMemory& kv);
  void reserve_scratch();
  void plan_attention(const SequenceChunk& chunk, std::uint32_t first_row, std::byte* const* pages,
                      bool windowed);
  void embed(std::span<const SequenceChunk> chunks);
  void run_layer(std::uint32_t layer);
  void run_attention(std::uint32_t layer);
  void project_logits(std::span<const SequenceChunk> chunks, std::span<float> logits);

  // What a product reads is made ready for its formats: rows of floats, int8 values, or both.
  // Without a weight the rows are as they were.
  void normalize(const float* x, std::uint32_t n_rows, const std::vector<float>& weight);
  void project_heads(std::uint32_t layer);
  void normalize_all_heads(std::uint32_t layer);
  void attend(std::uint32_t layer);
  void gate_and_up(const FeedForward& weights, const MatmulInput& in, const Rows& rows,
                   std::optional<std::uint32_t> adapted_layer);
  void multiply(const Rows& rows, const MatmulInput& in, const PackedMatrix& weights, float* out,
                Epilogue epilogue);
  // What a projection gives joins the residual stream, normalized if there is a norm.
  void add_to_residual(const MatmulInput& in, const Projection& projection,
                       const std::vector<float>& post_norm, const std::optional<Adapted>& adapted);
  void join_residual(const std::vector<float>& bias, const std::vector<float>& post_norm);
  void finish_logits(std::span<float> logits);

  // The feed-forward of many experts, transformer_experts.cpp.
  void run_experts(std::uint32_t layer);
  void route(const LayerWeights& w);
  void choose_experts(std::span<float> scores, std::span<ExpertUse> uses) const;
  void gather_rows();
  void combine(const LayerWeights& weights);

  // What stands in attention's place in a recurrent layer, transformer_recurrent.cpp.
  void plan_recurrent(std::span<const SequenceChunk> chunks, const KvMemory& kv);
  void run_recurrent(std::uint32_t layer);
  void convolve(std::uint32_t layer);
  void convolve_row(std::uint32_t layer, std::uint32_t row);
  void run_delta(std::uint32_t layer);
  void run_delta_head(std::uint32_t layer, const RecurrentChunk& chunk, std::uint32_t head);
  void gate_delta(const RecurrentWeights& w, std::size_t row, std::uint32_t head);
  void keep_inputs(std::uint32_t layer, const RecurrentChunk& chunk);
  // Where a layer's part of a state begins: the last inputs of its convolution, then its heads.
  [[nodiscard]] float* state_of(std::byte* state, std::uint32_t layer) const {
    return reinterpret_cast<float*>(state) +
           config_.layers[layer].place * config_.recurrent.state_floats();
  }

  // What adapters add to products, transformer_adapters.cpp: first A x of matrices that read the
  // same rows, then B of that onto some of a matrix's outputs, or all.
  void plan_adapters(std::span<const SequenceChunk> chunks);
  void narrow(std::uint32_t layer, std::initializer_list<AdaptedMatrix> matrices,
              const std::vector<float>& from);
  void widen(const Adapted& place, const MatmulRange& range, float* out, std::size_t out_stride);
  void widen_all(const Adapted& place, const PackedMatrix& matrix, float* out);
  [[nodiscard]] float* narrowed_of(AdaptedMatrix matrix, const AdaptedRows& adapted);

  // One head of q, k or v for some rows: product, rotation, and into its place.
  void project_head(std::uint32_t layer, std::uint32_t head, const Rows& rows, float* scratch);
  void project_gate(std::uint32_t layer, std::uint32_t head, const Rows& rows);
  void rotate_head(std::uint32_t layer, std::uint32_t row, float scale, float* head) const;
  [[nodiscard]] std::uint32_t gate_tiles_per_task(std::uint32_t n_rows) const;

  // Rows of what a product is about to read, or has read, to the observer, if there is one.
  void show(ProductInput input, std::uint32_t layer, std::uint32_t expert,
            const std::vector<float>& from, const Rows& rows, std::uint32_t n_cols) const {
    if (observer_ == nullptr) return;
    const std::size_t n = rows.end - rows.begin;
    observer_->on_rows(input, layer, expert,
                       std::span(from).subspan(std::size_t{rows.begin} * n_cols, n * n_cols),
                       n_cols);
  }

  // Laps of the profile, if there is one.
  void lap(StepPart part, const StepWork& work = {}) {
    if (profile_ != nullptr) profile_->lap(part, work);
  }
  void lap(StepPart part, std::uint32_t n_rows, std::initializer_list<const PackedMatrix*> weights);
  void lap_attention(const AttentionPlan& plan);

  // Which attention plan and which angles a layer takes.
  [[nodiscard]] std::size_t plan_of(std::uint32_t layer) const {
    return config_.layers[layer].windowed ? 1 : 0;
  }
  [[nodiscard]] std::size_t rope_of(std::uint32_t layer) const {
    return local_angles_ && config_.layers[layer].windowed ? 1 : 0;
  }
  [[nodiscard]] std::size_t head_offset(std::uint32_t layer, std::uint32_t kv_head) const;
  // Experts that a token uses, the shared one included.
  [[nodiscard]] std::uint32_t experts_each() const {
    return config_.n_experts_used + config_.n_experts_shared;
  }
  [[nodiscard]] std::uint32_t query_dim() const { return config_.n_heads * config_.head_dim; }
  [[nodiscard]] std::uint32_t kv_dim() const { return config_.n_kv_heads * config_.head_dim; }

  ModelConfig config_;
  ThreadPool& pool_;
  const Kernels& kernels_;
  const PageKernels& page_kernels_;
  KvHeadLayout kv_head_;
  std::array<Rope, 2> ropes_;  // of layers that see all, and of windowed ones
  bool local_angles_;          // the two differ
  std::array<bool, 2> plans_used_{};
  PackedMatrix embedding_;
  std::vector<LayerWeights> layers_;
  std::vector<float> output_norm_;
  bool gives_states_ = false;           // and no logits
  std::optional<PackedMatrix> output_;  // absent when tied to the embedding

  StepProfile* profile_ = nullptr;
  InputObserver* observer_ = nullptr;

  // Scratch of a step, grown to the largest seen.
  std::uint32_t n_tokens_ = 0;
  std::vector<TokenPlace> places_;            // [n_tokens]
  std::array<std::vector<float>, 2> angles_;  // [n_tokens, 2, n_pairs] of each rope
  std::vector<std::byte*> page_pointers_;     // all chunks' pages, one after the other
  std::array<AttentionPlan, 2> attention_;    // of layers that see all, and of windowed ones
  std::vector<float> residual_;               // [n_tokens, d_model]
  std::vector<float> normed_;                 // [n_tokens, d_model]
  std::vector<float> queries_;                // [n_tokens, query_dim]
  std::vector<float> keys_;      // [n_tokens, kv_dim], where all heads are normalized together
  std::vector<float> gates_;     // [n_tokens, query_dim], of gated attention
  std::vector<float> attended_;  // [n_tokens, query_dim]
  std::vector<float> hidden_;    // [n_uses, d_ff]
  std::vector<float> mixed_;     // [n_tokens, d_model]: what is about to join the residual
  std::vector<float> last_;      // [n_logits, d_model]
  QuantizedRows quantized_;      // of normed_ and of attended_
  QuantizedRows quantized_hidden_;
  std::vector<std::vector<float>> scratch_;  // one a worker

  // Recurrent layers.
  KvMemory states_;
  std::vector<RecurrentChunk> recurrent_chunks_;
  std::vector<std::uint32_t> chunk_of_;         // [n_tokens]
  std::vector<float> query_scale_, key_scale_;  // [head_dim]: what norms of length 1 take for rms's
  std::vector<float> mixes_;                    // [n_tokens, mixed_dim] before the convolution
  std::vector<float> convolved_;                // [n_tokens, mixed_dim]
  std::vector<float> delta_gates_;              // [n_tokens, value_dim]
  std::vector<float> betas_, decays_;           // [n_tokens, n_value_heads]
  std::vector<float> delta_out_;                // [n_tokens, value_dim]

  // Rows that go with an adapter, and what its narrow matrices made of them, for up to three that
  // read the same: [n_tokens, narrowed_stride_], of which each adapter takes rows of its own rank.
  std::vector<AdaptedRows> adapted_;
  std::array<std::vector<float>, 3> narrowed_;
  std::uint32_t narrowed_stride_ = 0;

  // Experts: every token uses some, a use is a row of what they read and give, and the rows of one
  // expert lie together, in the order of tokens.
  std::uint32_t n_uses_ = 0;
  std::vector<float> router_logits_;         // [n_tokens, n_experts]
  std::vector<float> shared_scores_;         // [n_tokens], where an expert is shared
  std::vector<ExpertUse> uses_;              // [n_tokens, experts_each()], best first, shared last
  std::vector<std::uint32_t> expert_begin_;  // [all experts + 1]: its first row
  std::vector<std::uint32_t> expert_next_;   // [all experts]
  std::vector<std::uint32_t> token_of_;      // [n_uses]
  std::vector<float> gathered_;              // [n_uses, d_model]
  std::vector<float> given_;                 // [n_uses, d_model]
  QuantizedRows quantized_gathered_;
};

}  // namespace jarip
