#include "model/tensors.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace jarip {
namespace {

Result<void> find_attention(TensorFinder& finder, const ModelConfig& config,
                            const std::string& prefix, LayerTensors& out) {
  const std::uint32_t query_dim = config.n_heads * config.head_dim;
  const std::uint32_t kv_dim = config.n_kv_heads * config.head_dim;
  const std::uint32_t query_rows = config.gated_attention ? 2 * query_dim : query_dim;
  JARIP_TRY(StoredHeads heads, finder.heads(prefix, query_rows, kv_dim, config.d_model));
  out.query = std::move(heads.query);
  out.key = std::move(heads.key);
  out.value = std::move(heads.value);
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

Result<void> find_recurrent(TensorFinder& finder, const ModelConfig& config,
                            const std::string& prefix, RecurrentTensors& out) {
  const RecurrentConfig& net = config.recurrent;
  const std::uint32_t n_heads = net.n_value_heads;
  // None has a bias: one in the file is refused.
  const auto find = [&](const char* name, std::uint32_t n_rows, std::uint32_t n_cols) {
    return finder.matrix(fmt::format("{}{}.weight", prefix, name), n_rows, n_cols);
  };
  JARIP_TRY(out.mixed.matrix, find("attn_qkv", net.mixed_dim(), config.d_model));
  JARIP_TRY(out.gate.matrix, find("attn_gate", net.value_dim(), config.d_model));
  JARIP_TRY(out.beta.matrix, find("ssm_beta", n_heads, config.d_model));
  JARIP_TRY(out.alpha.matrix, find("ssm_alpha", n_heads, config.d_model));
  JARIP_TRY(out.out.matrix, find("ssm_out", config.d_model, net.value_dim()));
  JARIP_TRY(out.conv, finder.table(prefix + "ssm_conv1d.weight", net.mixed_dim(), net.conv_width));
  JARIP_TRY(out.alpha_bias, finder.vector(prefix + "ssm_dt.bias", n_heads));
  JARIP_TRY(out.decay, finder.vector(prefix + "ssm_a", n_heads));
  JARIP_TRY(out.norm, finder.vector(prefix + "ssm_norm.weight", net.head_dim));
  return {};
}

// suffix: of the matrices' names.
Result<FeedForwardTensors> find_feed_forward(TensorFinder& finder, const ModelConfig& config,
                                             const std::string& prefix, std::string_view suffix) {
  const std::uint32_t d_ff = config.d_ff;
  const auto find = [&](const char* name, std::uint32_t n_rows, std::uint32_t n_cols) {
    return finder.projection(fmt::format("{}{}{}", prefix, name, suffix), n_rows, n_cols);
  };
  FeedForwardTensors out;
  if (finder.has(fmt::format("{}ffn_gate{}.weight", prefix, suffix))) {
    JARIP_TRY(out.gate, find("ffn_gate", d_ff, config.d_model));
    JARIP_TRY(out.up, find("ffn_up", d_ff, config.d_model));
  } else {  // both in one
    JARIP_TRY(const StoredProjection both, find("ffn_up", 2 * d_ff, config.d_model));
    out.gate = rows_of(both, 0, d_ff);
    out.up = rows_of(both, d_ff, d_ff);
  }
  JARIP_TRY(out.down, find("ffn_down", config.d_model, d_ff));
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
  if (config.n_experts_shared == 0) return {};
  JARIP_TRY(out.experts.emplace_back(), find_feed_forward(finder, config, prefix, "_shexp"));
  JARIP_TRY(out.shared_gate,
            finder.matrix(prefix + "ffn_gate_inp_shexp.weight", 1, config.d_model));
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
  JARIP_CHECK(config.layers[layer].recurrent ? find_recurrent(finder, config, prefix, out.recurrent)
                                             : find_attention(finder, config, prefix, out));
  if (config.n_experts != 0) {
    JARIP_CHECK(find_experts(finder, config, prefix, out));
  } else {
    JARIP_TRY(out.experts.emplace_back(), find_feed_forward(finder, config, prefix, ""));
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
  if (config.pooling == Pooling::kRank) {
    JARIP_TRY(out.rank_out, finder.projection("cls.output", kRankLabels, config.d_model));
  }
  JARIP_TRY(out.rope_factors, find_rope_factors(finder, config));
  for (std::uint32_t layer = 0; layer < config.n_layers; ++layer) {
    JARIP_TRY(out.layers.emplace_back(), find_layer(finder, config, layer));
  }
  for (std::uint32_t i = 0; i < config.n_draft_layers; ++i) {
    finder.skip_all(fmt::format("blk.{}.", config.n_layers + i));
  }
  JARIP_CHECK(finder.refuse_unused());
  return out;
}

}  // namespace jarip
