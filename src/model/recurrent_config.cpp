#include "model/recurrent_config.h"

#include <fmt/format.h>

#include <vector>

#include "model/number_keys.h"

namespace jarip {
namespace {

Result<void> read_heads(const GgufFile& file, const std::string& ssm, RecurrentConfig& out) {
  JARIP_TRY(out.conv_width, read_in_range(file, ssm + "conv_kernel", 2, 16));
  JARIP_TRY(out.n_key_heads, read_in_range(file, ssm + "group_count", 1, 1024));
  JARIP_TRY(out.n_value_heads, read_in_range(file, ssm + "time_step_rank", 1, 1024));
  JARIP_TRY(out.head_dim, read_in_range(file, ssm + "state_size", 1, 4096));
  JARIP_TRY(const std::uint32_t inner, read_in_range(file, ssm + "inner_size", 1, 1U << 22U));
  if (out.n_value_heads % out.n_key_heads != 0) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("{}time_step_rank is {} and not a multiple of group_count, {}", ssm,
                            out.n_value_heads, out.n_key_heads),
                ssm + "time_step_rank");
  }
  if (inner != out.value_dim()) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{}inner_size is {}; only {} heads of state_size, {}, can run here",
                            ssm, inner, out.n_value_heads, out.head_dim),
                ssm + "inner_size");
  }
  if (out.head_dim % 32 != 0 || out.head_dim > 256) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{}state_size is {}: only multiples of 32 up to 256 can run here", ssm,
                            out.head_dim),
                ssm + "state_size");
  }
  return {};
}

Result<std::vector<GgufScalar>> read_pattern(const GgufFile& file, const std::string& key,
                                             const ModelConfig& config) {
  const GgufValue* value = file.find_value(key);
  if (value == nullptr) return std::vector<GgufScalar>{};
  if (value->type != GgufType::kArray || value->element_type != GgufType::kBool ||
      value->n_elements < config.n_layers) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("{} isn't a boolean for each of the {} layers", key, config.n_layers),
                key);
  }
  return first_elements(*value, config.n_layers);
}

}  // namespace

Result<void> read_recurrent_layers(const GgufFile& file, const std::string& prefix,
                                   ModelConfig& config) {
  JARIP_CHECK(read_heads(file, prefix + "ssm.", config.recurrent));
  JARIP_TRY(const std::uint32_t period,
            read_or(file, prefix + "full_attention_interval", 4, 1, 1024));
  JARIP_TRY(const std::vector<GgufScalar> pattern,
            read_pattern(file, prefix + "attention.recurrent_layers", config));
  std::uint32_t n_recurrent = 0;
  for (std::uint32_t i = 0; i < config.n_layers; ++i) {
    LayerConfig& layer = config.layers[i];
    layer.recurrent = pattern.empty() ? (i + 1) % period != 0 : std::get<bool>(pattern[i]);
    layer.place = layer.recurrent ? n_recurrent : i - n_recurrent;
    if (layer.recurrent) ++n_recurrent;
  }
  config.n_recurrent_layers = n_recurrent;
  if (n_recurrent < config.n_layers) return {};
  return fail(ErrorCode::kUnsupported, "models without any layer of attention can't run here",
              prefix + "full_attention_interval");
}

Result<void> check_rope_sections(const GgufFile& file, const std::string& prefix,
                                 const ModelConfig& config) {
  constexpr std::size_t kKinds = 3;
  const std::string key = prefix + "rope.dimension_sections";
  if (file.find_value(key) == nullptr) return {};
  JARIP_TRY(const std::vector<std::int64_t> sections, file.read_ints(key));
  if (sections.size() < kKinds) {
    return fail(ErrorCode::kCorrupt, fmt::format("{} has fewer than three numbers", key), key);
  }
  std::int64_t sum = 0;
  for (const std::int64_t n : sections) {
    if (n < 0 || n > config.head_dim) {
      return fail(ErrorCode::kCorrupt, fmt::format("{} holds {}", key, n), key);
    }
    sum += n;
  }
  // Pair i takes the position of kind i % 3 while that kind has some left.
  for (std::int64_t pair = 0; pair < config.rope_dim / 2; ++pair) {
    const std::int64_t i = sum == 0 ? 0 : pair % sum;
    if (sum != 0 && i < static_cast<std::int64_t>(kKinds) * sections[i % kKinds]) continue;
    return fail(
        ErrorCode::kUnsupported,
        fmt::format("{} leaves pair {} without a position; such models can't run here", key, pair),
        key);
  }
  return {};
}

}  // namespace jarip
