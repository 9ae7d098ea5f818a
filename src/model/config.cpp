#include "model/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

namespace jarip {
namespace {

// What a family's name implies and its files don't say.
struct Family {
  std::string_view name;
  bool rope_neox;
};

constexpr Family kFamilies[] = {{"llama", false}};

// Reads one number and holds it to a range.
Result<std::uint32_t> read_in_range(const GgufFile& file, const std::string& key,
                                    std::uint64_t least, std::uint64_t most) {
  JARIP_TRY(const std::uint64_t value, file.read_uint(key));
  if (value < least || value > most) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("{} is {}; it must be from {} to {}", key, value, least, most), key);
  }
  return static_cast<std::uint32_t>(value);
}

Result<std::uint32_t> read_or(const GgufFile& file, const std::string& key, std::uint32_t fallback,
                              std::uint64_t least, std::uint64_t most) {
  if (file.find_value(key) == nullptr) return fallback;
  return read_in_range(file, key, least, most);
}

Result<void> unsupported(std::string message, std::string key) {
  return fail(ErrorCode::kUnsupported, std::move(message), std::move(key));
}

// Keys that would change the arithmetic in ways this build doesn't have are refused, not ignored.
Result<void> refuse_variants(const GgufFile& file, const std::string& prefix) {
  const std::string scaling = prefix + "rope.scaling.type";
  if (file.find_value(scaling) != nullptr) {
    JARIP_TRY(const std::string_view type, file.read_string(scaling));
    if (type != "none") {
      return unsupported(
          fmt::format("{} is '{}'; only files without rope scaling can run here", scaling, type),
          scaling);
    }
  }
  for (const char* name : {"expert_count", "attention.sliding_window"}) {
    const std::string key = prefix + name;
    if (file.find_value(key) == nullptr) continue;
    JARIP_TRY(const std::uint64_t value, file.read_uint(key));
    if (value != 0) {
      return unsupported(fmt::format("{} is {}; models with it can't run here", key, value), key);
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
  JARIP_TRY(config.rope_dim,
            read_or(file, prefix + "rope.dimension_count", config.head_dim, 2, 4096));
  const std::string base_key = prefix + "rope.freq_base";
  if (file.find_value(base_key) != nullptr) {
    JARIP_TRY(const double base, file.read_float(base_key));
    if (!(base >= 1.0 && base <= 1e12)) {
      return fail(ErrorCode::kCorrupt, fmt::format("{} is {}", base_key, base), base_key);
    }
    config.rope_base = static_cast<float>(base);
  }
  return {};
}

}  // namespace

Result<ModelConfig> read_config(const GgufFile& file) {
  ModelConfig config;
  JARIP_TRY(const std::string_view family, file.read_string("general.architecture"));
  const auto* row = std::ranges::find(kFamilies, family, &Family::name);
  if (row == std::end(kFamilies)) {
    std::vector<std::string_view> names;
    for (const Family& known : kFamilies) names.push_back(known.name);
    return fail(ErrorCode::kUnsupported,
                fmt::format("the model is of family '{}'; this program can run: {}", family,
                            fmt::join(names, ", ")),
                "general.architecture");
  }
  config.family = family;
  config.rope_neox = row->rope_neox;
  if (file.find_value("general.name") != nullptr) {
    JARIP_TRY(const std::string_view name, file.read_string("general.name"));
    config.name = name;
  }
  const std::string prefix = config.family + ".";
  JARIP_CHECK(refuse_variants(file, prefix));
  JARIP_TRY(config.n_layers, read_in_range(file, prefix + "block_count", 1, 1024));
  JARIP_TRY(config.d_model, read_in_range(file, prefix + "embedding_length", 32, 65536));
  JARIP_TRY(config.d_ff, read_in_range(file, prefix + "feed_forward_length", 32, 1U << 20U));
  JARIP_TRY(config.n_ctx_train, read_in_range(file, prefix + "context_length", 1, 1U << 24U));
  JARIP_CHECK(read_attention(file, prefix, config));

  const std::string eps_key = prefix + "attention.layer_norm_rms_epsilon";
  JARIP_TRY(const double eps, file.read_float(eps_key));
  if (!(eps > 0 && eps < 1)) {
    return fail(ErrorCode::kCorrupt, fmt::format("{} is {}", eps_key, eps), eps_key);
  }
  config.norm_eps = static_cast<float>(eps);

  const GgufTensor* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr || embedding->n_dims != 2 || embedding->shape[0] != config.d_model ||
      embedding->shape[1] == 0 || embedding->shape[1] > (1U << 22U)) {
    return fail(
        ErrorCode::kCorrupt,
        fmt::format("token_embd.weight is missing or isn't [{}, vocabulary]", config.d_model),
        "token_embd.weight");
  }
  config.n_vocab = static_cast<std::uint32_t>(embedding->shape[1]);
  config.tied_embedding = file.find_tensor("output.weight") == nullptr;
  JARIP_CHECK(check_shapes(config, prefix));
  return config;
}

}  // namespace jarip
