#include "model/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/exact_math.h"
#include "model/families.h"
#include "model/number_keys.h"
#include "model/recurrent_config.h"

namespace jarip {
namespace {

Result<void> unsupported(std::string message, std::string key) {
  return fail(ErrorCode::kUnsupported, std::move(message), std::move(key));
}

// Keys that would change the arithmetic in ways that the family doesn't have are refused, not
// ignored.
Result<void> refuse_variants(const GgufFile& file, const Family& family,
                             const std::string& prefix) {
  std::vector<const char*> refused = {"expert_shared_count", "leading_dense_block_count"};
  if (!family.experts) refused.push_back("expert_count");
  if (family.windows == Windows::kNone) refused.push_back("attention.sliding_window");
  for (const char* name : refused) {
    const std::string key = prefix + name;
    if (file.find_value(key) == nullptr) continue;
    JARIP_TRY(const std::uint64_t value, file.read_uint(key));
    if (value != 0) {
      return unsupported(fmt::format("{} is {}; models with it can't run here", key, value), key);
    }
  }
  for (const char* name : {"attention.temperature_scale", "expert_group_count"}) {
    const std::string key = prefix + name;
    if (file.find_value(key) != nullptr) {
      return unsupported(fmt::format("models with {} can't run here", key), key);
    }
  }
  if (family.multipliers) return {};
  for (const char* name : {"logit_scale", "residual_scale", "embedding_scale", "attention.scale"}) {
    const std::string key = prefix + name;
    if (file.find_value(key) == nullptr) continue;
    JARIP_TRY(const double value, file.read_float(key));
    if (value != 0 && value != 1) {
      return unsupported(fmt::format("{} is {}; this family isn't known to have it", key, value),
                         key);
    }
  }
  return {};
}

// What the kernels need of the shapes.
Result<void> check_shapes(const ModelConfig& config, const std::string& prefix) {
  if (config.n_heads % config.n_kv_heads != 0) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("{}attention.head_count is {} and not a multiple of head_count_kv, {}",
                            prefix, config.n_heads, config.n_kv_heads),
                prefix + "attention.head_count_kv");
  }
  if (config.n_heads / config.n_kv_heads > 48) {
    return unsupported("more than 48 query heads share one key-value head",
                       prefix + "attention.head_count_kv");
  }
  if (config.head_dim % 16 != 0 || config.head_dim > 256) {
    return unsupported(fmt::format("heads of {} dimensions: only multiples of 16 up to 256 can run "
                                   "here",
                                   config.head_dim),
                       prefix + "attention.key_length");
  }
  if (config.rope_dim % 2 != 0 || config.rope_dim > config.head_dim) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("{}rope.dimension_count is {}; it must be even and at most the heads' "
                            "{} dimensions",
                            prefix, config.rope_dim, config.head_dim),
                prefix + "rope.dimension_count");
  }
  if (config.d_model % 32 != 0 || config.d_ff % 32 != 0) {
    return unsupported(fmt::format("widths of {} and {}: only multiples of 32 can run here",
                                   config.d_model, config.d_ff),
                       prefix + "embedding_length");
  }
  return {};
}

Result<void> read_attention(const GgufFile& file, const std::string& prefix, ModelConfig& config) {
  JARIP_TRY(config.n_heads, read_in_range(file, prefix + "attention.head_count", 1, 1024));
  JARIP_TRY(config.n_kv_heads,
            read_or(file, prefix + "attention.head_count_kv", config.n_heads, 1, config.n_heads));
  if (file.find_value(prefix + "attention.key_length") == nullptr &&
      config.d_model % config.n_heads != 0) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("{}embedding_length is {} and not a multiple of the {} heads", prefix,
                            config.d_model, config.n_heads),
                prefix + "attention.head_count");
  }
  JARIP_TRY(config.head_dim, read_or(file, prefix + "attention.key_length",
                                     config.d_model / config.n_heads, 1, 4096));
  JARIP_TRY(const std::uint32_t value_dim,
            read_or(file, prefix + "attention.value_length", config.head_dim, 1, 4096));
  if (value_dim != config.head_dim) {
    return unsupported("values and keys of different sizes can't run here",
                       prefix + "attention.value_length");
  }
  JARIP_TRY(config.attention_cap,
            read_float_or(file, prefix + "attn_logit_softcapping", config.attention_cap, 0, 1e6));
  return {};
}

constexpr double kMaxFactor = 1 << 16;
constexpr double kLeastFactor =
    1.0 / (1 << 10);  // smaller ones would turn beyond what angles can be

Result<void> read_yarn(const GgufFile& file, const std::string& scaling, RopeConfig& rope) {
  rope.yarn = true;
  JARIP_TRY(rope.beta_fast, read_float_or(file, scaling + "yarn_beta_fast", 32, 1e-3, 1e6));
  JARIP_TRY(rope.beta_slow, read_float_or(file, scaling + "yarn_beta_slow", 1, 1e-3, 1e6));
  JARIP_TRY(const float log_mul,
            read_float_or(file, scaling + "yarn_log_multiplier", 0, 0, kMaxFactor));
  JARIP_TRY(const float ext, read_float_or(file, scaling + "yarn_ext_factor", 1, 0, kMaxFactor));
  JARIP_TRY(const float attn, read_float_or(file, scaling + "yarn_attn_factor", 1, 0, kMaxFactor));
  if (ext != 1 || attn != 1) {
    return unsupported("yarn with factors of its own can't run here",
                       scaling + (ext != 1 ? "yarn_ext_factor" : "yarn_attn_factor"));
  }
  // Peng et al., YaRN, 2023, section 3.4; with a multiplier as in DeepSeek's models.
  const double log_factor = exact_log(static_cast<double>(rope.factor));
  const double wanted = 1 + 0.1 * log_factor;
  const double taken = log_mul == 0 ? 1 : 1 + 0.1 * static_cast<double>(log_mul) * log_factor;
  rope.magnitude *= static_cast<float>(wanted / taken);
  return {};
}

// The context that a model was stretched to, from what it was trained for first.
Result<void> read_rope_scaling(const GgufFile& file, const std::string& prefix,
                               const ModelConfig& config, RopeConfig& rope) {
  const std::string scaling = prefix + "rope.scaling.";
  std::string_view type = "linear";
  if (file.find_value(scaling + "type") != nullptr) {
    JARIP_TRY(type, file.read_string(scaling + "type"));
  }
  if (type != "none" && type != "linear" && type != "yarn" && type != "longrope") {
    return unsupported(fmt::format("{}type is '{}'; files with none, linear, yarn and longrope can "
                                   "run here",
                                   scaling, type),
                       scaling + "type");
  }
  JARIP_TRY(rope.n_ctx_original,
            read_or(file, scaling + "original_context_length", config.n_ctx_train, 1, 1U << 24U));
  JARIP_TRY(rope.magnitude, read_float_or(file, scaling + "attn_factor", 1, 1e-3, 1e3));
  const std::string old_key = prefix + "rope.scale_linear";
  const std::string key =
      file.find_value(scaling + "factor") == nullptr ? old_key : scaling + "factor";
  JARIP_TRY(const float factor, read_float_or(file, key, 1, 0, kMaxFactor));
  rope.factor = factor == 0 || type == "none" ? 1 : factor;
  const double least = type == "yarn" ? 1 : kLeastFactor;
  if (static_cast<double>(rope.factor) < least) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("{} is {}; it must be at least {}", key, factor, least), key);
  }
  return type == "yarn" ? read_yarn(file, scaling, rope) : Result<void>{};
}

Result<void> read_rope(const GgufFile& file, const Family& family, const std::string& prefix,
                       ModelConfig& config) {
  JARIP_TRY(config.rope_dim,
            read_or(file, prefix + "rope.dimension_count", config.head_dim, 2, 4096));
  JARIP_TRY(config.rope.base, read_float_or(file, prefix + "rope.freq_base", 10000, 2, 1e12));
  JARIP_CHECK(read_rope_scaling(file, prefix, config, config.rope));
  if (family.local_rope_scaled) {
    config.local_rope = config.rope;
  } else {
    config.local_rope = {.base = config.rope.base,
                         .n_ctx_original = config.rope.n_ctx_original,
                         .file_factors = false};
  }
  const float base = family.local_rope_base == 0 ? config.rope.base : family.local_rope_base;
  JARIP_TRY(config.local_rope.base,
            read_float_or(file, prefix + "rope.freq_base_swa", base, 2, 1e12));
  return {};
}

// Which layers see a window, and which rotate.
Result<void> read_layers(const GgufFile& file, const Family& family, const std::string& prefix,
                         ModelConfig& config) {
  JARIP_TRY(config.window, read_or(file, prefix + "attention.sliding_window", family.default_window,
                                   0, 1U << 24U));
  if (family.windows == Windows::kNone) config.window = 0;
  std::uint32_t period = family.window_period;
  std::vector<GgufScalar> pattern;  // of every layer, where the file has it
  const std::string key = prefix + "attention.sliding_window_pattern";
  if (const GgufValue* value = file.find_value(key); value != nullptr && config.window != 0) {
    if (value->type != GgufType::kArray) {
      JARIP_TRY(period, read_in_range(file, key, 0, 1024));
    } else if (value->element_type != GgufType::kBool || value->n_elements < config.n_layers) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("{} isn't a boolean for each of the {} layers", key, config.n_layers),
                  key);
    } else {
      pattern = first_elements(*value, config.n_layers);
    }
  }
  bool rotate = true;
  if (const std::string finetuned = prefix + "rope.scaling.finetuned";
      family.multipliers && file.find_value(finetuned) != nullptr) {
    JARIP_TRY(rotate, file.read_bool(finetuned));
  }
  const std::uint32_t no_rope = family.no_rope_period;
  for (std::uint32_t i = 0; i < config.n_layers; ++i) {
    LayerConfig layer{.place = i};
    const bool in_period = family.windows == Windows::kAll || period == 0 || (i + 1) % period != 0;
    layer.windowed =
        config.window != 0 && (pattern.empty() ? in_period : std::get<bool>(pattern[i]));
    layer.rope = rotate && (no_rope == 0 || (i + 1) % no_rope != 0) &&
                 (family.global_rope || config.window == 0 || layer.windowed);
    config.layers.push_back(layer);
  }
  return {};
}

Result<void> read_shared_expert(const GgufFile& file, const std::string& prefix,
                                ModelConfig& config) {
  config.n_experts_shared = 1;
  const std::string key = prefix + "expert_shared_feed_forward_length";
  JARIP_TRY(const std::uint32_t width, read_or(file, key, config.d_ff, 32, 1U << 20U));
  if (width == config.d_ff) return {};
  return unsupported(
      fmt::format("{} is {}; only a shared expert as wide as the others, {}, can run "
                  "here",
                  key, width, config.d_ff),
      key);
}

Result<void> read_experts(const GgufFile& file, const Family& family, const std::string& prefix,
                          ModelConfig& config) {
  if (family.experts) {
    JARIP_TRY(config.n_experts, read_or(file, prefix + "expert_count", 0, 0, 1024));
  }
  if (config.n_experts == 0) {
    JARIP_TRY(config.d_ff, read_in_range(file, prefix + "feed_forward_length", 32, 1U << 20U));
    return {};
  }
  JARIP_TRY(config.n_experts_used,
            read_in_range(file, prefix + "expert_used_count", 1, std::min(config.n_experts, 64U)));
  JARIP_TRY(config.expert_scale,
            read_float_or(file, prefix + "expert_weights_scale", 1, 0, kMaxFactor));
  if (config.expert_scale == 0) config.expert_scale = 1;
  const std::string own = prefix + "expert_feed_forward_length";
  JARIP_TRY(
      config.d_ff,
      read_in_range(file, file.find_value(own) == nullptr ? prefix + "feed_forward_length" : own,
                    32, 1U << 20U));
  return family.shared_expert ? read_shared_expert(file, prefix, config) : Result<void>{};
}

Result<void> read_scales(const GgufFile& file, const Family& family, const std::string& prefix,
                         ModelConfig& config) {
  const bool wide = family.wide_scale_layers != 0 && config.n_layers == family.wide_scale_layers;
  const std::uint32_t scaled_dim = wide ? config.d_model / config.n_heads : config.head_dim;
  config.attention_scale = 1.0F / std::sqrt(static_cast<float>(scaled_dim));
  if (family.scaled_embedding) {
    config.embedding_scale = std::sqrt(static_cast<float>(config.d_model));
  }
  JARIP_TRY(config.logit_cap,
            read_float_or(file, prefix + "final_logit_softcapping", family.logit_cap, 0, 1e6));
  if (!family.multipliers) return {};
  // Zero stands for a scale that isn't there.
  const auto read = [&](const char* name, float& scale, bool divides) -> Result<void> {
    JARIP_TRY(const float value, read_float_or(file, prefix + name, 0, 0, 1e6));
    if (value != 0) scale = divides ? 1 / value : value;
    return {};
  };
  JARIP_CHECK(read("logit_scale", config.logit_scale, true));
  JARIP_CHECK(read("residual_scale", config.residual_scale, false));
  JARIP_CHECK(read("embedding_scale", config.embedding_scale, false));
  return read("attention.scale", config.attention_scale, false);
}

Result<const Family*> find_family(const GgufFile& file) {
  JARIP_TRY(const std::string_view name, file.read_string("general.architecture"));
  const auto row = std::ranges::find(families(), name, &Family::name);
  if (row != families().end()) return &*row;
  std::vector<std::string_view> names;
  for (const Family& known : families()) names.push_back(known.name);
  return fail(ErrorCode::kUnsupported,
              fmt::format("the model is of family '{}'; this program can run: {}", name,
                          fmt::join(names, ", ")),
              "general.architecture");
}

// What the row of the family says.
ModelConfig start_config(const Family& family) {
  ModelConfig config;
  config.family = family.name;
  config.rope_neox = family.rope_neox;
  config.pre_norm = family.pre_norm;
  config.post_norm = family.post_norm;
  config.ff_norm = family.ff_norm;
  config.head_norm = family.head_norm;
  config.activation = family.activation;
  config.sinks = family.sinks;
  config.gated_attention = family.gated_attention;
  config.attention_cap = family.attention_cap;
  return config;
}

}  // namespace

Result<ModelConfig> read_config(const GgufFile& file) {
  JARIP_TRY(const Family* family, find_family(file));
  ModelConfig config = start_config(*family);
  if (file.find_value("general.name") != nullptr) {
    JARIP_TRY(const std::string_view name, file.read_string("general.name"));
    config.name = name;
  }
  const std::string prefix = config.family + ".";
  JARIP_CHECK(refuse_variants(file, *family, prefix));
  JARIP_TRY(config.n_layers, read_in_range(file, prefix + "block_count", 1, 1024));
  if (family->recurrent) {
    JARIP_TRY(config.n_draft_layers,
              read_or(file, prefix + "nextn_predict_layers", 0, 0, config.n_layers - 1));
    config.n_layers -= config.n_draft_layers;
  }
  JARIP_TRY(config.d_model, read_in_range(file, prefix + "embedding_length", 32, 65536));
  JARIP_CHECK(read_experts(file, *family, prefix, config));
  JARIP_TRY(config.n_ctx_train, read_in_range(file, prefix + "context_length", 1, 1U << 24U));
  JARIP_CHECK(read_attention(file, prefix, config));
  JARIP_CHECK(read_rope(file, *family, prefix, config));
  JARIP_CHECK(read_layers(file, *family, prefix, config));
  if (family->recurrent) {
    JARIP_CHECK(read_recurrent_layers(file, prefix, config));
    JARIP_CHECK(check_rope_sections(file, prefix, config));
  }
  JARIP_CHECK(read_scales(file, *family, prefix, config));

  JARIP_TRY(config.norm_eps, read_epsilon(file, prefix + "attention.layer_norm_rms_epsilon"));
  JARIP_TRY(config.n_vocab, read_vocabulary_size(file, config.d_model));
  JARIP_TRY(config.pooling, read_pooling(file));
  config.tied_embedding = file.find_tensor("output.weight") == nullptr;
  JARIP_CHECK(check_shapes(config, prefix));
  return config;
}

}  // namespace jarip
