// config.json of encoders: BERT's and XLM-RoBERTa's names of settings, and nomic's.
#include <fmt/format.h>

#include <algorithm>

#include "convert/hub_config.h"

namespace jarip {
namespace {

// What a setting is called in the one and in the other.
struct EncoderNames {
  const char* layers;
  const char* width;
  const char* heads;
  const char* inner;
  const char* positions;
  const char* epsilon;
};

constexpr EncoderNames kBertNames = {"num_hidden_layers",       "hidden_size",
                                     "num_attention_heads",     "intermediate_size",
                                     "max_position_embeddings", "layer_norm_eps"};
constexpr EncoderNames kNomicNames = {"n_layer", "n_embd",      "n_head",
                                      "n_inner", "n_positions", "layer_norm_epsilon"};

Result<std::uint32_t> count_positions(const HubConfig& config, const EncoderNames& names,
                                      ConvertedConfig& out) {
  JARIP_TRY(std::uint32_t n, config.count(names.positions, 1, 1U << 20U));
  // Positions begin behind that of padding.
  if (config.family().name == "XLMRoberta") {
    JARIP_TRY(const auto padding, config.count_if("pad_token_id"));
    out.facts.n_padding = padding.value_or(1) + 1;
    if (n <= out.facts.n_padding) {
      return config.fields().corrupt(names.positions, fmt::format("is {}", n));
    }
    return n - out.facts.n_padding;
  }
  // Beyond those that it was trained with its angles would depend on a text's length.
  JARIP_TRY(const auto trained, config.count_if("max_trained_positions"));
  return trained && *trained >= 1 ? std::min(n, *trained) : n;
}

}  // namespace

Result<ConvertedConfig> convert_encoder_config(const HubConfig& config, Pooling pooling,
                                               GgufWriter& writer) {
  constexpr std::uint32_t kMax = 1024;
  JARIP_CHECK(config.obey(config.family().guards));
  const bool is_nomic = config.family().architecture == "nomic-bert";
  const EncoderNames& names = is_nomic ? kNomicNames : kBertNames;
  ConvertedConfig out;
  JARIP_TRY(out.facts.n_layers, config.count(names.layers, 1, kMax));
  JARIP_TRY(out.facts.n_heads, config.count(names.heads, 1, kMax));
  out.facts.n_kv_heads = out.facts.n_heads;
  out.facts.needs_output = false;
  JARIP_TRY(const std::uint32_t d_model, config.count(names.width));
  JARIP_TRY(const std::uint32_t d_ff, config.count(names.inner));
  JARIP_TRY(const double epsilon, config.number(names.epsilon));
  JARIP_TRY(const std::uint32_t n_ctx, count_positions(config, names, out));
  JARIP_TRY(const auto n_types, config.count_if("type_vocab_size"));
  writer.add_u32(config.key("block_count"), out.facts.n_layers)
      .add_u32(config.key("context_length"), n_ctx)
      .add_u32(config.key("embedding_length"), d_model)
      .add_u32(config.key("feed_forward_length"), d_ff)
      .add_u32(config.key("attention.head_count"), out.facts.n_heads)
      .add_f32(config.key("attention.layer_norm_epsilon"), static_cast<float>(epsilon))
      .add_bool(config.key("attention.causal"), false)
      .add_u32(config.key("pooling_type"), static_cast<std::uint32_t>(pooling))
      .add_u32("tokenizer.ggml.token_type_count", n_types.value_or(1));
  if (is_nomic) {
    JARIP_TRY(const double base, config.number("rotary_emb_base"));
    writer.add_f32(config.key("rope.freq_base"), static_cast<float>(base));
  }
  return out;
}

}  // namespace jarip
