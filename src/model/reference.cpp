#include "model/reference.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

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

Dense read_matrix(const GgufTensor& tensor) {
  Dense out{std::vector<float>(tensor.n_elements), tensor.shape[1], tensor.shape[0]};
  dequantize_row(tensor.format, tensor.data, out.weights);
  return out;
}

struct DenseLayer {
  std::vector<float> attention_norm, ff_norm;
  Dense query, key, value, attention_out, gate, up, down;
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

std::vector<float> rms_norm(const std::vector<float>& x, const std::vector<float>& weight,
                            float eps) {
  const float scale =
      1.0F / std::sqrt(dot(x.data(), x.data(), x.size()) / static_cast<float>(x.size()) + eps);
  std::vector<float> out(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) out[i] = x[i] * scale * weight[i];
  return out;
}

class Reference final : public Model {
 public:
  Reference(const ModelConfig& config, const ModelTensors& tensors, ThreadPool& pool)
      : config_(config),
        pool_(pool),
        rope_(config, tensors.rope_factors == nullptr ? std::vector<float>{}
                                                      : read_vector(*tensors.rope_factors)),
        embedding_(read_matrix(*tensors.embedding)),
        output_norm_(read_vector(*tensors.output_norm)) {
    if (!config.tied_embedding) output_ = read_matrix(*tensors.output);
    for (const LayerTensors& layer : tensors.layers) {
      layers_.push_back({read_vector(*layer.attention_norm), read_vector(*layer.ff_norm),
                         read_matrix(*layer.query), read_matrix(*layer.key),
                         read_matrix(*layer.value), read_matrix(*layer.attention_out),
                         read_matrix(*layer.gate), read_matrix(*layer.up),
                         read_matrix(*layer.down)});
    }
  }

  [[nodiscard]] const ModelConfig& config() const override { return config_; }

  [[nodiscard]] std::size_t kv_page_bytes() const override {
    return std::size_t{config_.n_layers} * 2 * kKvPageTokens * kv_dim() * sizeof(float);
  }

  [[nodiscard]] std::size_t memory_bytes() const override {
    std::size_t n = embedding_.weights.size() + output_.weights.size();
    for (const DenseLayer& layer : layers_) {
      for (const Dense* matrix : {&layer.query, &layer.key, &layer.value, &layer.attention_out,
                                  &layer.gate, &layer.up, &layer.down}) {
        n += matrix->weights.size();
      }
    }
    return n * sizeof(float);
  }

  void step(std::span<const SequenceChunk> chunks, const KvMemory& kv,
            std::span<float> logits) override {
    std::size_t row = 0;
    for (const SequenceChunk& chunk : chunks) {
      for (std::size_t t = 0; t < chunk.tokens.size(); ++t) {
        const auto position = chunk.position + static_cast<std::uint32_t>(t);
        const std::vector<float> x = feed(chunk.tokens[t], position, chunk.pages, kv);
        if (t + chunk.n_logits < chunk.tokens.size()) continue;
        const std::vector<float> normed = rms_norm(x, output_norm_, config_.norm_eps);
        const std::vector<float> out =
            multiply(config_.tied_embedding ? embedding_ : output_, normed);
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

  // The residual stream after all layers for one token.
  std::vector<float> feed(TokenId token, std::uint32_t position, std::span<const PageId> pages,
                          const KvMemory& kv) {
    const auto* row = embedding_.weights.data() + std::size_t{token} * config_.d_model;
    std::vector<float> x(row, row + config_.d_model);
    std::vector<float> angles(rope_.n_angles());
    rope_.angles(position, angles);
    for (std::uint32_t layer = 0; layer < config_.n_layers; ++layer) {
      const DenseLayer& w = layers_[layer];
      const std::vector<float> attended = attend(
          layer, rms_norm(x, w.attention_norm, config_.norm_eps), angles, position, pages, kv);
      const std::vector<float> mixed = multiply(w.attention_out, attended);
      for (std::size_t i = 0; i < x.size(); ++i) x[i] += mixed[i];

      const std::vector<float> normed = rms_norm(x, w.ff_norm, config_.norm_eps);
      std::vector<float> hidden = multiply(w.gate, normed);
      const std::vector<float> up = multiply(w.up, normed);
      for (std::size_t i = 0; i < hidden.size(); ++i) {
        hidden[i] = hidden[i] / (1.0F + std::exp(-hidden[i])) * up[i];
      }
      const std::vector<float> down = multiply(w.down, hidden);
      for (std::size_t i = 0; i < x.size(); ++i) x[i] += down[i];
    }
    return x;
  }

  std::vector<float> attend(std::uint32_t layer, const std::vector<float>& normed,
                            const std::vector<float>& angles, std::uint32_t position,
                            std::span<const PageId> pages, const KvMemory& kv) {
    const std::size_t d = config_.head_dim;
    std::vector<float> queries = multiply(layers_[layer].query, normed);
    std::vector<float> keys = multiply(layers_[layer].key, normed);
    const std::vector<float> values = multiply(layers_[layer].value, normed);
    for (std::size_t head = 0; head < config_.n_heads; ++head) {
      scalar_kernels().rotate(rope_.rotation(angles, config_.head_dim), 1.0F,
                              queries.data() + head * d);
    }
    for (std::size_t head = 0; head < config_.n_kv_heads; ++head) {
      scalar_kernels().rotate(rope_.rotation(angles, config_.head_dim), 1.0F,
                              keys.data() + head * d);
    }
    std::ranges::copy(keys, kv_row(kv, pages, layer, 0, position));
    std::ranges::copy(values, kv_row(kv, pages, layer, 1, position));

    const std::size_t n_group = config_.n_heads / config_.n_kv_heads;
    const float scale = 1.0F / std::sqrt(static_cast<float>(d));
    std::vector<float> out(queries.size());
    std::vector<float> weights(position + 1);
    for (std::size_t head = 0; head < config_.n_heads; ++head) {
      const std::size_t column = head / n_group * d;
      for (std::uint32_t p = 0; p <= position; ++p) {
        weights[p] =
            scale * dot(queries.data() + head * d, kv_row(kv, pages, layer, 0, p) + column, d);
      }
      const float largest = std::ranges::max(weights);
      float sum = 0;
      for (float& weight : weights) sum += weight = std::exp(weight - largest);
      for (std::uint32_t p = 0; p <= position; ++p) {
        const float* value = kv_row(kv, pages, layer, 1, p) + column;
        for (std::size_t i = 0; i < d; ++i) out[head * d + i] += weights[p] / sum * value[i];
      }
    }
    return out;
  }

  ModelConfig config_;
  ThreadPool& pool_;
  Rope rope_;
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
