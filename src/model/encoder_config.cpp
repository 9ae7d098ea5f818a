#include "model/encoder_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "model/number_keys.h"

namespace jarip {
namespace {

constexpr EncoderFamily kFamilies[] = {
    {.name = "bert"},  // XLM-RoBERTa too: its files begin to count positions at 0
    {.name = "nomic-bert", .rotates = true, .gated = true},
    {.name = "jina-bert-v3", .rotates = true},
};

Result<void> unsupported(std::string message, std::string key) {
  return fail(ErrorCode::kUnsupported, std::move(message), std::move(key));
}

// Keys that would change the arithmetic in ways that these families don't have.
Result<void> refuse_variants(const GgufFile& file, const std::string& prefix) {
  const std::string causal = prefix + "attention.causal";
  if (file.find_value(causal) != nullptr) {
    JARIP_TRY(const bool is_causal, file.read_bool(causal));
    if (is_causal) return unsupported(causal + " is true; this family's tokens see all", causal);
  }
  for (const char* name : {"expert_count", "attention.sliding_window", "attention.max_alibi_bias",
                           "rope.scaling.type"}) {
    const std::string key = prefix + name;
    if (file.find_value(key) != nullptr) {
      return unsupported(fmt::format("models of this family with {} can't run here", key), key);
    }
  }
  return {};
}

// What the kernels need of the shapes.
Result<void> check_shapes(const ModelConfig& shape, const std::string& prefix) {
  if (shape.d_model % shape.n_heads != 0) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("{}embedding_length is {} and not a multiple of the {} heads", prefix,
                            shape.d_model, shape.n_heads),
                prefix + "attention.head_count");
  }
  if (shape.head_dim % 16 != 0 || shape.head_dim > 256) {
    return unsupported(fmt::format("heads of {} dimensions: only multiples of 16 up to 256 can run "
                                   "here",
                                   shape.head_dim),
                       prefix + "attention.head_count");
  }
  if (shape.d_model % 32 != 0 || shape.d_ff % 32 != 0) {
    return unsupported(fmt::format("widths of {} and {}: only multiples of 32 can run here",
                                   shape.d_model, shape.d_ff),
                       prefix + "embedding_length");
  }
  return {};
}

Result<void> read_shape(const GgufFile& file, const std::string& prefix, ModelConfig& shape) {
  JARIP_TRY(shape.n_layers, read_in_range(file, prefix + "block_count", 1, 1024));
  JARIP_TRY(shape.d_model, read_in_range(file, prefix + "embedding_length", 32, 65536));
  JARIP_TRY(shape.d_ff, read_in_range(file, prefix + "feed_forward_length", 32, 1U << 20U));
  JARIP_TRY(shape.n_ctx_train, read_in_range(file, prefix + "context_length", 1, 1U << 20U));
  JARIP_TRY(shape.n_heads, read_in_range(file, prefix + "attention.head_count", 1, 1024));
  shape.n_kv_heads = shape.n_heads;
  shape.head_dim = shape.d_model / shape.n_heads;
  shape.attention_scale = 1.0F / std::sqrt(static_cast<float>(shape.head_dim));
  JARIP_TRY(shape.norm_eps, read_epsilon(file, prefix + "attention.layer_norm_epsilon"));
  JARIP_TRY(shape.n_vocab, read_vocabulary_size(file, shape.d_model));
  return check_shapes(shape, prefix);
}

}  // namespace

std::span<const EncoderFamily> encoder_families() { return kFamilies; }

const EncoderFamily* find_encoder_family(std::string_view name) {
  const auto* const row = std::ranges::find(kFamilies, name, &EncoderFamily::name);
  return row == std::end(kFamilies) ? nullptr : row;
}

Result<EncoderConfig> read_encoder_config(const GgufFile& file) {
  JARIP_TRY(const std::string_view name, file.read_string("general.architecture"));
  EncoderConfig config{.family = find_encoder_family(name), .shape = {}};
  if (config.family == nullptr) {
    return fail(ErrorCode::kUnsupported, fmt::format("family '{}' is no encoder", name),
                "general.architecture");
  }
  ModelConfig& shape = config.shape;
  shape.family = name;
  if (file.find_value("general.name") != nullptr) {
    JARIP_TRY(const std::string_view given, file.read_string("general.name"));
    shape.name = given;
  }
  const std::string prefix = shape.family + ".";
  JARIP_CHECK(refuse_variants(file, prefix));
  JARIP_CHECK(read_shape(file, prefix, shape));
  JARIP_TRY(shape.pooling, read_pooling(file));
  if (shape.pooling == Pooling::kNone) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{}pooling_type doesn't say how a text becomes one vector; convert the "
                            "model again with its pooling",
                            prefix),
                prefix + "pooling_type");
  }
  if (!config.family->rotates) return config;
  shape.rope_neox = true;
  shape.rope_dim = shape.head_dim;
  shape.rope.n_ctx_original = shape.n_ctx_train;
  JARIP_TRY(shape.rope.base, read_float_or(file, prefix + "rope.freq_base", 10000, 1, 1e12));
  return config;
}

}  // namespace jarip
