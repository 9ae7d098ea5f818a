#include "model/reference.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "model/reference_recurrent.h"
#include "model/rope.h"
#include "tensor/dequantize.h"

namespace jarip {
namespace {

// A dense matrix [n_rows, n_cols] of f32.
struct Dense {
  std::vector<float> weights;
  std::size_t n_rows = 0;
  std::size_t n_cols = 0;
};

Dense read_matrix(const StoredMatrix& stored) {
  Dense out{std::vector<float>(std::size_t{stored.n_rows} * stored.n_cols), stored.n_rows,
            stored.n_cols};
  // A layer without experts has no router.
  if (!out.weights.empty()) dequantize_row(stored.format, stored.bytes, out.weights);
  return out;
}

struct DenseProjection {
  Dense matrix;
  std::vector<float> bias;
};

DenseProjection read_projection(const StoredProjection& stored) {
  return {read_matrix(stored.matrix), stored.bias};
}

struct DenseExpert {
  DenseProjection gate, up, down;
};

struct DenseLayer {
  explicit DenseLayer(const LayerTensors& stored)
      : vectors(stored),
        query(read_projection(stored.query)),
        key(read_projection(stored.key)),
        value(read_projection(stored.value)),
        attention_out(read_projection(stored.attention_out)),
        mixed(read_projection(stored.recurrent.mixed)),
        delta_gate(read_projection(stored.recurrent.gate)),
        beta(read_projection(stored.recurrent.beta)),
        alpha(read_projection(stored.recurrent.alpha)),
        delta_out(read_projection(stored.recurrent.out)),
        router(read_projection(stored.router)),
        shared_gate(read_matrix(stored.shared_gate)) {
    for (const FeedForwardTensors& expert : stored.experts) {
      experts.push_back(
          {read_projection(expert.gate), read_projection(expert.up), read_projection(expert.down)});
    }
  }
  [[nodiscard]] std::size_t n_weights() const {
    std::size_t n = query.matrix.weights.size() + key.matrix.weights.size() +
                    value.matrix.weights.size() + attention_out.matrix.weights.size() +
                    router.matrix.weights.size();
    for (const DenseProjection* matrix : {&mixed, &delta_gate, &beta, &alpha, &delta_out}) {
      n += matrix->matrix.weights.size();
    }
    for (const DenseExpert& expert : experts) n += 3 * expert.gate.matrix.weights.size();
    return n;
  }

  LayerTensors vectors;  // its norms and sinks; its matrices are in the file
  DenseProjection query, key, value, attention_out;
  DenseProjection mixed, delta_gate, beta, alpha, delta_out;  // of recurrent layers
  DenseProjection router;
  Dense shared_gate;
  std::vector<DenseExpert> experts;
};

// Sixteen partial sums: as plain as a sum can be that a compiler may still vectorize.
float dot(const float* a, const float* b, std::size_t n) {
  float sums[16] = {};
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for (std::size_t j = 0; j < 16; ++j) sums[j] += a[i + j] * b[i + j];
  }
  float sum = 0;
  for (; i < n; ++i) sum += a[i] * b[i];
  for (const float part : sums) sum += part;
  return sum;
}

// Rows of weight.size() numbers each, or all of x as it is where there is no weight.
std::vector<float> rms_norm(const std::vector<float>& x, const std::vector<float>& weight,
                            float eps) {
  if (weight.empty()) return x;
  const std::size_t n = weight.size();
  std::vector<float> out(x.size());
  for (std::size_t row = 0; row < x.size(); row += n) {
    const float* from = x.data() + row;
    const float scale = 1.0F / std::sqrt(dot(from, from, n) / static_cast<float>(n) + eps);
    for (std::size_t i = 0; i < n; ++i) out[row + i] = from[i] * scale * weight[i];
  }
  return out;
}

float capped(float x, float cap) { return cap == 0.0F ? x : cap * std::tanh(x / cap); }

float activate(Activation activation, float gate, float up) {
  switch (activation) {
    case Activation::kSilu:
      return gate / (1.0F + std::exp(-gate)) * up;
    case Activation::kGelu: {
      constexpr float kRootTwoOverPi = 0.797884561F;
      const float inner = kRootTwoOverPi * gate * (1.0F + 0.044715F * gate * gate);
      return 0.5F * gate * (1.0F + std::tanh(inner)) * up;
    }
    case Activation::kClampedSilu: {
      const float g = std::min(gate, 7.0F);
      return g / (1.0F + std::exp(-1.702F * g)) * (std::clamp(up, -7.0F, 7.0F) + 1.0F);
    }
  }
  return 0;
}

class Reference final : public Model {
 public:
  Reference(const ModelConfig& config, const ModelTensors& tensors, ThreadPool& pool)
      : config_(config),
        pool_(pool),
        rope_(config, config.rope, tensors.rope_factors),
        local_rope_(config, config.local_rope, tensors.rope_factors),
        embedding_(read_matrix(tensors.embedding)),
        output_norm_(tensors.output_norm) {
    if (!config.tied_embedding) output_ = read_matrix(tensors.output);
    for (const LayerTensors& layer : tensors.layers) layers_.emplace_back(layer);
  }

  [[nodiscard]] const ModelConfig& config() const override { return config_; }

  [[nodiscard]] std::size_t kv_page_bytes() const override {
    return std::size_t{config_.n_layers} * 2 * kKvPageTokens * kv_dim() * sizeof(float);
  }

  [[nodiscard]] std::size_t state_bytes() const override { return config_.state_bytes(); }

  [[nodiscard]] std::size_t memory_bytes() const override {
    std::size_t n = embedding_.weights.size() + output_.weights.size();
    for (const DenseLayer& layer : layers_) n += layer.n_weights();
    return n * sizeof(float);
  }

  void step(std::span<const SequenceChunk> chunks, const KvMemory& kv,
            std::span<float> logits) override {
    std::size_t row = 0;
    for (const SequenceChunk& chunk : chunks) {
      for (std::size_t t = 0; t < chunk.tokens.size(); ++t) {
        const std::vector<float> x = feed(chunk, t, kv);
        copy_state(chunk, t + 1, kv);
        if (t + chunk.n_logits < chunk.tokens.size()) continue;
        const std::vector<float> normed = rms_norm(x, output_norm_, config_.norm_eps);
        std::vector<float> out = multiply(config_.tied_embedding ? embedding_ : output_, normed);
        for (float& logit : out) logit = capped(logit * config_.logit_scale, config_.logit_cap);
        std::memcpy(logits.data() + row++ * config_.n_vocab, out.data(),
                    out.size() * sizeof(float));
      }
    }
  }

 private:
  [[nodiscard]] std::size_t kv_dim() const {
    return std::size_t{config_.n_kv_heads} * config_.head_dim;
  }

  // Keys (which = 0) or values (which = 1) of a position in a layer: [kv_dim].
  [[nodiscard]] float* kv_row(const KvMemory& kv, std::span<const PageId> pages,
                              std::uint32_t layer, std::size_t which,
                              std::uint32_t position) const {
    auto* page =
        reinterpret_cast<float*>(kv.base + pages[position / kKvPageTokens] * kv.page_bytes);
    return page +
           ((std::size_t{layer} * 2 + which) * kKvPageTokens + position % kKvPageTokens) * kv_dim();
  }

  [[nodiscard]] std::vector<float> multiply(const Dense& matrix, const std::vector<float>& x) {
    std::vector<float> out(matrix.n_rows);
    constexpr std::size_t kRowsPerTask = 64;
    pool_.run(static_cast<std::uint32_t>((matrix.n_rows + kRowsPerTask - 1) / kRowsPerTask),
              [&](std::uint32_t task, unsigned) {
                const std::size_t begin = task * kRowsPerTask;
                const std::size_t end = std::min(begin + kRowsPerTask, matrix.n_rows);
                for (std::size_t i = begin; i < end; ++i) {
                  out[i] = dot(matrix.weights.data() + i * matrix.n_cols, x.data(), matrix.n_cols);
                }
              });
    return out;
  }

  [[nodiscard]] std::vector<float> multiply(const DenseProjection& projection,
                                            const std::vector<float>& x) {
    std::vector<float> out = multiply(projection.matrix, x);
    for (std::size_t i = 0; i < projection.bias.size(); ++i) out[i] += projection.bias[i];
    return out;
  }

  void join(std::vector<float>& x, const std::vector<float>& given,
            const std::vector<float>& post_norm) const {
    const std::vector<float> normed = rms_norm(given, post_norm, config_.norm_eps);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += config_.residual_scale * normed[i];
  }

  // What a recurrent layer keeps of a sequence.
  [[nodiscard]] std::span<float> state_of(std::byte* state, std::uint32_t layer) const {
    const std::size_t n = config_.recurrent.state_floats();
    return {reinterpret_cast<float*>(state) + config_.layers[layer].place * n, n};
  }

  static void copy_state(const SequenceChunk& chunk, std::size_t n_tokens, const KvMemory& kv) {
    for (const StateCopy& copy : chunk.copies) {
      if (copy.n_tokens != n_tokens) continue;
      std::memcpy(kv.states + copy.to * kv.state_bytes, kv.states + chunk.state * kv.state_bytes,
                  kv.state_bytes);
    }
  }

  std::vector<float> recur(std::uint32_t layer, const std::vector<float>& normed,
                           std::byte* state) {
    const DenseLayer& w = layers_[layer];
    const DeltaInputs in{multiply(w.mixed, normed), multiply(w.delta_gate, normed),
                         multiply(w.beta, normed), multiply(w.alpha, normed)};
    return multiply(w.delta_out,
                    step_delta_net(config_, w.vectors.recurrent, in, state_of(state, layer)));
  }

  // The residual stream after all layers for the chunk's token t.
  std::vector<float> feed(const SequenceChunk& chunk, std::size_t t, const KvMemory& kv) {
    const TokenId token = chunk.tokens[t];
    const auto position = chunk.position + static_cast<std::uint32_t>(t);
    std::byte* const state = kv.states + chunk.state * kv.state_bytes;
    if (position == 0) std::fill_n(state, kv.state_bytes, std::byte{0});
    const auto* row = embedding_.weights.data() + std::size_t{token} * config_.d_model;
    std::vector<float> x(row, row + config_.d_model);
    for (float& value : x) value *= config_.embedding_scale;
    for (std::uint32_t layer = 0; layer < config_.n_layers; ++layer) {
      const DenseLayer& w = layers_[layer];
      const LayerTensors& v = w.vectors;
      const std::vector<float> read = rms_norm(x, v.attention_norm, config_.norm_eps);
      if (config_.layers[layer].recurrent) {
        join(x, recur(layer, read, state), {});
      } else {
        join(x, multiply(w.attention_out, attend(layer, read, position, chunk.pages, kv)),
             v.attention_post_norm);
      }
      const std::vector<float> normed = rms_norm(x, v.ff_norm, config_.norm_eps);
      join(x,
           w.router.matrix.n_rows == 0 ? feed_forward(w.experts.front(), normed)
                                       : mix_experts(w, normed),
           v.ff_post_norm);
    }
    return x;
  }

  std::vector<float> feed_forward(const DenseExpert& w, const std::vector<float>& normed) {
    std::vector<float> hidden = multiply(w.gate, normed);
    const std::vector<float> up = multiply(w.up, normed);
    for (std::size_t i = 0; i < hidden.size(); ++i) {
      hidden[i] = activate(config_.activation, hidden[i], up[i]);
    }
    return multiply(w.down, hidden);
  }

  std::vector<float> mix_experts(const DenseLayer& w, const std::vector<float>& normed) {
    const std::vector<float> scores = multiply(w.router, normed);
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
      return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
    });
    order.resize(config_.n_experts_used);
    float sum = 0;
    for (const std::size_t i : order) sum += std::exp(scores[i] - scores[order[0]]);
    std::vector<float> out(normed.size());
    for (const std::size_t i : order) {
      const float weight = std::exp(scores[i] - scores[order[0]]) / sum * config_.expert_scale;
      const std::vector<float> given = feed_forward(w.experts[i], normed);
      for (std::size_t j = 0; j < out.size(); ++j) out[j] += weight * given[j];
    }
    if (config_.n_experts_shared != 0) {
      const float weight = 1.0F / (1.0F + std::exp(-multiply(w.shared_gate, normed)[0]));
      const std::vector<float> given = feed_forward(w.experts.back(), normed);
      for (std::size_t j = 0; j < out.size(); ++j) out[j] += weight * given[j];
    }
    return out;
  }

  // Heads one after the other, turned to their position.
  void rotate(std::uint32_t layer, std::uint32_t position, std::vector<float>& heads) const {
    const LayerConfig& kind = config_.layers[layer];
    if (!kind.rope) return;
    const Rope& rope = kind.windowed ? local_rope_ : rope_;
    std::vector<float> angles(rope.n_angles());
    rope.angles(position, angles);
    for (std::size_t at = 0; at < heads.size(); at += config_.head_dim) {
      scalar_kernels().rotate(rope.rotation(angles, config_.head_dim), 1.0F, heads.data() + at);
    }
  }

  // Of heads that come with a gate each, leaves the heads and returns the gates.
  [[nodiscard]] std::vector<float> take_gates(std::vector<float>& heads) const {
    std::vector<float> gates;
    if (!config_.gated_attention) return gates;
    std::vector<float> own;
    for (std::size_t i = 0; i < heads.size(); ++i) {
      (i / config_.head_dim % 2 == 0 ? own : gates).push_back(heads[i]);
    }
    heads = std::move(own);
    return gates;
  }

  std::vector<float> attend(std::uint32_t layer, const std::vector<float>& normed,
                            std::uint32_t position, std::span<const PageId> pages,
                            const KvMemory& kv) {
    const DenseLayer& w = layers_[layer];
    const float eps = config_.norm_eps;
    std::vector<float> queries = multiply(w.query, normed);
    const std::vector<float> gates = take_gates(queries);
    queries = rms_norm(queries, w.vectors.query_norm, eps);
    std::vector<float> keys = rms_norm(multiply(w.key, normed), w.vectors.key_norm, eps);
    rotate(layer, position, queries);
    rotate(layer, position, keys);
    std::ranges::copy(keys, kv_row(kv, pages, layer, 0, position));
    std::ranges::copy(multiply(w.value, normed), kv_row(kv, pages, layer, 1, position));
    std::vector<float> out(queries.size());
    const bool windowed = config_.layers[layer].windowed && position >= config_.window;
    const std::uint32_t first = windowed ? position + 1 - config_.window : 0;
    for (std::size_t head = 0; head < config_.n_heads; ++head) {
      attend_head(layer, head, first, position, queries, pages, kv, out);
    }
    for (std::size_t i = 0; i < gates.size(); ++i) out[i] /= 1.0F + std::exp(-gates[i]);
    return out;
  }

  void attend_head(std::uint32_t layer, std::size_t head, std::uint32_t first,
                   std::uint32_t position, const std::vector<float>& queries,
                   std::span<const PageId> pages, const KvMemory& kv,
                   std::vector<float>& out) const {
    const std::size_t d = config_.head_dim;
    const std::size_t column = head / (config_.n_heads / config_.n_kv_heads) * d;
    std::vector<float> weights;
    for (std::uint32_t p = first; p <= position; ++p) {
      const float score = config_.attention_scale * dot(queries.data() + head * d,
                                                        kv_row(kv, pages, layer, 0, p) + column, d);
      weights.push_back(capped(score, config_.attention_cap));
    }
    const std::vector<float>& sinks = layers_[layer].vectors.sinks;
    float largest = std::ranges::max(weights);
    if (!sinks.empty()) largest = std::max(largest, sinks[head]);
    float sum = sinks.empty() ? 0 : std::exp(sinks[head] - largest);
    for (float& weight : weights) sum += weight = std::exp(weight - largest);
    for (std::uint32_t p = first; p <= position; ++p) {
      const float* value = kv_row(kv, pages, layer, 1, p) + column;
      const float weight = weights[p - first] / sum;
      for (std::size_t i = 0; i < d; ++i) out[head * d + i] += weight * value[i];
    }
  }

  ModelConfig config_;
  ThreadPool& pool_;
  Rope rope_;
  Rope local_rope_;
  Dense embedding_;
  std::vector<float> output_norm_;
  Dense output_;  // empty when tied
  std::vector<DenseLayer> layers_;
};

}  // namespace

Result<std::unique_ptr<Model>> load_reference(const ModelConfig& config,
                                              const ModelTensors& tensors, ThreadPool& pool) {
  return std::make_unique<Reference>(config, tensors, pool);
}

}  // namespace jarip
