#include "model/tensors.h"

#include <fmt/format.h>

#include <string>
#include <unordered_set>

#include "tensor/dequantize.h"

namespace jarip {
namespace {

std::vector<float> read_vector(const GgufTensor& tensor) {
  std::vector<float> out(tensor.n_elements);
  dequantize_row(tensor.format, tensor.data, out);
  return out;
}

// Rows [first, first + n_rows) of a matrix.
StoredMatrix rows_of(const StoredMatrix& matrix, std::uint32_t first, std::uint32_t n_rows) {
  const std::size_t bytes = row_bytes(matrix.format, matrix.n_cols);
  return {matrix.format, n_rows, matrix.n_cols,
          matrix.bytes.subspan(first * bytes, n_rows * bytes)};
}

StoredProjection rows_of(const StoredProjection& whole, std::uint32_t first, std::uint32_t n_rows) {
  StoredProjection out{.matrix = rows_of(whole.matrix, first, n_rows), .bias = {}};
  if (!whole.bias.empty()) {
    out.bias.assign(whole.bias.begin() + first, whole.bias.begin() + first + n_rows);
  }
  return out;
}

class TensorFinder {
 public:
  explicit TensorFinder(const GgufFile& file) : file_(file) {}

  [[nodiscard]] bool has(const std::string& name) const {
    return file_.find_tensor(name) != nullptr;
  }

  Result<std::vector<float>> vector(const std::string& name, std::uint64_t n) {
    JARIP_TRY(const GgufTensor* tensor, find(name, n, 1, 1));
    return read_vector(*tensor);
  }

  Result<StoredMatrix> matrix(const std::string& name, std::uint32_t n_rows, std::uint32_t n_cols) {
    JARIP_TRY(const GgufTensor* tensor, find(name, n_cols, n_rows, 1));
    return StoredMatrix{tensor->format, n_rows, n_cols, tensor->data};
  }

  // NAME.weight, and NAME.bias if there is one.
  Result<StoredProjection> projection(const std::string& name, std::uint32_t n_rows,
                                      std::uint32_t n_cols) {
    StoredProjection out;
    JARIP_TRY(out.matrix, matrix(name + ".weight", n_rows, n_cols));
    if (has(name + ".bias")) {
      JARIP_TRY(out.bias, vector(name + ".bias", n_rows));
    }
    return out;
  }

  // The same for n matrices that lie one after the other, as one tall one.
  Result<StoredProjection> projections(const std::string& name, std::uint32_t n,
                                       std::uint32_t n_rows, std::uint32_t n_cols) {
    JARIP_TRY(const GgufTensor* tensor, find(name + ".weight", n_cols, n_rows, n));
    StoredProjection out{.matrix = {tensor->format, n * n_rows, n_cols, tensor->data}, .bias = {}};
    if (has(name + ".bias")) {
      JARIP_TRY(const GgufTensor* bias, find(name + ".bias", n_rows, n, 1));
      out.bias = read_vector(*bias);
    }
    return out;
  }

  Result<void> refuse_unused() const {
    for (const GgufTensor& tensor : file_.tensors()) {
      if (used_.contains(std::string(tensor.name))) continue;
      return fail(ErrorCode::kUnsupported,
                  fmt::format("tensor {} isn't one that this family is known to have; the model "
                              "can't run here without changing its answers",
                              tensor.name),
                  std::string(tensor.name));
    }
    return {};
  }

  // A tensor that is known and left out on purpose.
  void skip(const std::string& name) { used_.insert(name); }

 private:
  Result<const GgufTensor*> find(const std::string& name, std::uint64_t n_cols,
                                 std::uint64_t n_rows, std::uint64_t n_matrices) {
    const GgufTensor* tensor = file_.find_tensor(name);
    if (tensor == nullptr) {
      return fail(ErrorCode::kCorrupt, fmt::format("tensor {} is missing", name), name);
    }
    if (tensor->shape[0] != n_cols || tensor->shape[1] != n_rows ||
        tensor->shape[2] != n_matrices || tensor->shape[3] != 1) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("tensor {} has shape [{}, {}, {}]; the model's numbers call for "
                              "[{}, {}, {}]",
                              name, tensor->shape[0], tensor->shape[1], tensor->shape[2], n_cols,
                              n_rows, n_matrices),
                  name);
    }
    used_.insert(name);
    return tensor;
  }

  const GgufFile& file_;
  std::unordered_set<std::string> used_;
};

Result<void> find_attention(TensorFinder& finder, const ModelConfig& config,
                            const std::string& prefix, LayerTensors& out) {
  const std::uint32_t query_dim = config.n_heads * config.head_dim;
  const std::uint32_t kv_dim = config.n_kv_heads * config.head_dim;
  if (finder.has(prefix + "attn_qkv.weight")) {
    JARIP_TRY(const StoredProjection all,
              finder.projection(prefix + "attn_qkv", query_dim + 2 * kv_dim, config.d_model));
    out.query = rows_of(all, 0, query_dim);
    out.key = rows_of(all, query_dim, kv_dim);
    out.value = rows_of(all, query_dim + kv_dim, kv_dim);
  } else {
    JARIP_TRY(out.query, finder.projection(prefix + "attn_q", query_dim, config.d_model));
    JARIP_TRY(out.key, finder.projection(prefix + "attn_k", kv_dim, config.d_model));
    JARIP_TRY(out.value, finder.projection(prefix + "attn_v", kv_dim, config.d_model));
  }
  JARIP_TRY(out.attention_out,
            finder.projection(prefix + "attn_output", config.d_model, query_dim));
  if (config.head_norm != HeadNorm::kNone) {
    const bool all_heads = config.head_norm == HeadNorm::kAllHeads;
    JARIP_TRY(out.query_norm, finder.vector(prefix + "attn_q_norm.weight",
                                            all_heads ? query_dim : config.head_dim));
    JARIP_TRY(out.key_norm,
              finder.vector(prefix + "attn_k_norm.weight", all_heads ? kv_dim : config.head_dim));
  }
  if (config.sinks) {
    JARIP_TRY(out.sinks, finder.vector(prefix + "attn_sinks.weight", config.n_heads));
  }
  return {};
}

Result<FeedForwardTensors> find_feed_forward(TensorFinder& finder, const ModelConfig& config,
                                             const std::string& prefix) {
  const std::uint32_t d_ff = config.d_ff;
  FeedForwardTensors out;
  if (finder.has(prefix + "ffn_gate.weight")) {
    JARIP_TRY(out.gate, finder.projection(prefix + "ffn_gate", d_ff, config.d_model));
    JARIP_TRY(out.up, finder.projection(prefix + "ffn_up", d_ff, config.d_model));
  } else {  // both in one
    JARIP_TRY(const StoredProjection both,
              finder.projection(prefix + "ffn_up", 2 * d_ff, config.d_model));
    out.gate = rows_of(both, 0, d_ff);
    out.up = rows_of(both, d_ff, d_ff);
  }
  JARIP_TRY(out.down, finder.projection(prefix + "ffn_down", config.d_model, d_ff));
  return out;
}

Result<void> find_experts(TensorFinder& finder, const ModelConfig& config,
                          const std::string& prefix, LayerTensors& out) {
  const std::uint32_t n = config.n_experts;
  const std::uint32_t d_ff = config.d_ff;
  JARIP_TRY(out.router, finder.projection(prefix + "ffn_gate_inp", n, config.d_model));
  JARIP_TRY(const StoredProjection gate,
            finder.projections(prefix + "ffn_gate_exps", n, d_ff, config.d_model));
  JARIP_TRY(const StoredProjection up,
            finder.projections(prefix + "ffn_up_exps", n, d_ff, config.d_model));
  JARIP_TRY(const StoredProjection down,
            finder.projections(prefix + "ffn_down_exps", n, config.d_model, d_ff));
  for (std::uint32_t i = 0; i < n; ++i) {
    out.experts.push_back({rows_of(gate, i * d_ff, d_ff), rows_of(up, i * d_ff, d_ff),
                           rows_of(down, i * config.d_model, config.d_model)});
  }
  return {};
}

Result<LayerTensors> find_layer(TensorFinder& finder, const ModelConfig& config,
                                std::uint32_t layer) {
  const std::string prefix = fmt::format("blk.{}.", layer);
  const auto norm = [&](std::string_view name) {
    return finder.vector(fmt::format("{}{}.weight", prefix, name), config.d_model);
  };
  LayerTensors out;
  if (config.pre_norm) {
    JARIP_TRY(out.attention_norm, norm("attn_norm"));
    JARIP_TRY(out.ff_norm, norm(config.ff_norm));
  }
  if (config.post_norm) {
    JARIP_TRY(out.attention_post_norm, norm("post_attention_norm"));
    JARIP_TRY(out.ff_post_norm, norm("post_ffw_norm"));
  }
  JARIP_CHECK(find_attention(finder, config, prefix, out));
  if (config.n_experts != 0) {
    JARIP_CHECK(find_experts(finder, config, prefix, out));
  } else {
    JARIP_TRY(out.experts.emplace_back(), find_feed_forward(finder, config, prefix));
  }
  return out;
}

// Which tensor has the divisors of frequencies, if any. Of the two sets that longrope has, that for
// the context that the model was stretched to: which one applies must not depend on how long a text
// happens to be.
std::string name_rope_factors(TensorFinder& finder, const ModelConfig& config) {
  const bool is_long = config.n_ctx_train > config.rope.n_ctx_original;
  const std::string wanted = is_long ? "rope_factors_long.weight" : "rope_factors_short.weight";
  const std::string other = is_long ? "rope_factors_short.weight" : "rope_factors_long.weight";
  if (finder.has("rope_freqs.weight")) return "rope_freqs.weight";
  if (!finder.has(wanted) && !finder.has(other)) return {};
  finder.skip(other);
  return wanted;
}

Result<std::vector<float>> find_rope_factors(TensorFinder& finder, const ModelConfig& config) {
  constexpr float kLeast = 0x1p-10F;  // smaller ones would turn beyond what angles can be
  constexpr float kMost = 0x1p20F;
  const std::string name = name_rope_factors(finder, config);
  if (name.empty()) return std::vector<float>{};
  JARIP_TRY(std::vector<float> factors, finder.vector(name, config.rope_dim / 2));
  for (const float factor : factors) {
    if (factor >= kLeast && factor <= kMost) continue;
    return fail(ErrorCode::kCorrupt,
                fmt::format("a divisor of frequencies is {}; it must be from {} to {}", factor,
                            kLeast, kMost),
                name);
  }
  return factors;
}

}  // namespace

Result<ModelTensors> find_tensors(const GgufFile& file, const ModelConfig& config) {
  TensorFinder finder(file);
  ModelTensors out;
  JARIP_TRY(out.embedding, finder.matrix("token_embd.weight", config.n_vocab, config.d_model));
  JARIP_TRY(out.output_norm, finder.vector("output_norm.weight", config.d_model));
  out.output = out.embedding;
  if (!config.tied_embedding) {
    JARIP_TRY(out.output, finder.matrix("output.weight", config.n_vocab, config.d_model));
  }
  JARIP_TRY(out.rope_factors, find_rope_factors(finder, config));
  for (std::uint32_t layer = 0; layer < config.n_layers; ++layer) {
    JARIP_TRY(out.layers.emplace_back(), find_layer(finder, config, layer));
  }
  JARIP_CHECK(finder.refuse_unused());
  return out;
}

}  // namespace jarip
