#include "convert/hub_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <cstdlib>

namespace jarip {
namespace {

constexpr std::uint32_t kMaxLayers = 1024;
constexpr std::uint32_t kMaxHeads = 1024;
constexpr std::uint32_t kMaxExperts = 1024;

bool is_allowed(const boost::json::value& value, std::string_view allowed) {
  const std::string text = boost::json::serialize(value);
  while (!allowed.empty()) {
    const std::size_t end = std::min(allowed.find(' '), allowed.size());
    const std::string word(allowed.substr(0, end));
    if (word == "*" || word == text) return true;
    if (value.is_number()) {
      const double number = value.to_number<double>();
      char* stop = nullptr;
      if (std::strtod(word.c_str(), &stop) == number && *stop == '\0') return true;
    }
    allowed.remove_prefix(std::min(end + 1, allowed.size()));
  }
  return false;
}

// The keys whose meaning is that of a setting, without more ado.
Result<void> add_shape(const HubConfig& config, GgufWriter& writer, ConvertedConfig& out) {
  TensorFacts& facts = out.facts;
  JARIP_TRY(facts.n_layers, config.count("num_hidden_layers", 1, kMaxLayers));
  JARIP_TRY(facts.n_heads, config.count("num_attention_heads", 1, kMaxHeads));
  facts.n_kv_heads = facts.n_heads;
  JARIP_TRY(const auto n_kv_heads, config.count_if("num_key_value_heads"));
  if (n_kv_heads) facts.n_kv_heads = *n_kv_heads;
  if (facts.n_kv_heads == 0 || facts.n_kv_heads > facts.n_heads) {
    return config.fields().corrupt(
        "num_key_value_heads",
        fmt::format("is {} beside {} heads", facts.n_kv_heads, facts.n_heads));
  }
  JARIP_TRY(const std::uint32_t n_ctx, config.count("max_position_embeddings"));
  JARIP_TRY(const std::uint32_t d_model, config.count("hidden_size"));
  JARIP_TRY(auto d_ff, config.count_if("intermediate_size"));
  if (!d_ff) {  // all layers have experts
    JARIP_TRY(d_ff, config.count_if("moe_intermediate_size"));
  }
  if (!d_ff) return config.fields().corrupt("intermediate_size", "is missing");
  JARIP_TRY(const double eps, config.number("rms_norm_eps"));
  writer.add_u32(config.key("block_count"), facts.n_layers)
      .add_u32(config.key("context_length"), n_ctx)
      .add_u32(config.key("embedding_length"), d_model)
      .add_u32(config.key("feed_forward_length"), *d_ff)
      .add_u32(config.key("attention.head_count"), facts.n_heads)
      .add_u32(config.key("attention.head_count_kv"), facts.n_kv_heads)
      .add_f32(config.key("attention.layer_norm_rms_epsilon"), static_cast<float>(eps));
  JARIP_TRY(const auto head_dim, config.count_if("head_dim"));
  const std::uint32_t n_each = head_dim.value_or(d_model / facts.n_heads);
  if (n_each == 0) return config.fields().corrupt("head_dim", "is zero");
  writer.add_u32(config.key("attention.key_length"), n_each)
      .add_u32(config.key("attention.value_length"), n_each);
  std::uint32_t rope_dim = n_each;
  JARIP_TRY(const auto part, rotated_part(config));
  if (part && *part != 1) {
    if (!config.family().partly_rotated || !(*part > 0 && *part < 1)) {
      return config.fields().refuse(
          "partial_rotary_factor",
          fmt::format("is {}, which this family isn't known to have", *part));
    }
    rope_dim = static_cast<std::uint32_t>(*part * n_each);
  }
  writer.add_u32(config.key("rope.dimension_count"), rope_dim);
  return {};
}

Result<void> add_experts(const HubConfig& config, GgufWriter& writer, ConvertedConfig& out) {
  const auto has = [&](std::string_view part) {
    for (const auto& rules : config.family().names) {
      for (const NameRule& rule : rules) {
        if (rule.ours.contains(part)) return true;
      }
    }
    return false;
  };
  if (!has("_exps"))
    return config.obey(std::vector<Guard>{{"num_experts", "0"}, {"num_local_experts", "0"}});
  JARIP_TRY(auto n, config.count_if("num_experts"));
  if (!n) {
    JARIP_TRY(n, config.count_if("num_local_experts"));
  }
  if (!n || *n == 0 || *n > kMaxExperts) {
    return config.fields().corrupt("num_local_experts",
                                   fmt::format("isn't from 1 to {}", kMaxExperts));
  }
  out.facts.n_experts = *n;
  JARIP_TRY(const std::uint32_t n_used, config.count("num_experts_per_tok", 1, *n));
  writer.add_u32(config.key("expert_count"), *n).add_u32(config.key("expert_used_count"), n_used);
  JARIP_TRY(auto d_ff, config.count_if("moe_intermediate_size"));
  if (!d_ff) {
    JARIP_TRY(d_ff, config.count("intermediate_size"));
  }
  writer.add_u32(config.key("expert_feed_forward_length"), *d_ff);
  JARIP_TRY(const auto shared, config.count_if("shared_expert_intermediate_size"));
  if (shared && *shared != 0) {
    writer.add_u32(config.key("expert_shared_feed_forward_length"), *shared);
  }
  return {};
}

// For each layer, whether it sees a window only; empty where config.json names no layers.
Result<std::vector<bool>> read_pattern(const HubConfig& config, std::uint32_t n_layers) {
  std::vector<bool> pattern;
  if (const boost::json::value* types = config.fields().find("layer_types")) {
    if (!types->is_array() || types->get_array().size() != n_layers) {
      return config.fields().corrupt("layer_types", "isn't a list of a kind for each layer");
    }
    for (const boost::json::value& type : types->get_array()) {
      const bool is_windowed = type == "sliding_attention";
      if (!is_windowed && type != "full_attention") {
        return config.fields().refuse(
            "layer_types", fmt::format("has {}; sliding_attention and full_attention can run here",
                                       boost::json::serialize(type)));
      }
      pattern.push_back(is_windowed);
    }
    return pattern;
  }
  const boost::json::value* period = config.fields().find("sliding_window_pattern");
  if (period == nullptr) return pattern;
  for (std::uint32_t i = 0; i < n_layers; ++i) {
    if (period->is_string() && !period->get_string().empty()) {  // "LLLG"
      const std::string_view letters = period->get_string();
      pattern.push_back(letters[i % letters.size()] == 'L');
    } else {
      JARIP_TRY(const std::uint32_t n, config.count("sliding_window_pattern", 1, kMaxLayers));
      pattern.push_back((i + 1) % n != 0);
    }
  }
  return pattern;
}

// What the family's windows are where a file doesn't say: see families.cpp.
std::uint32_t period_of(const Family& row) {
  return row.windows == Windows::kPeriodic ? row.window_period : 0;
}

Result<void> add_windows(const HubConfig& config, std::uint32_t n_layers, GgufWriter& writer) {
  const Family& row = *std::ranges::find(families(), config.family().architecture, &Family::name);
  JARIP_TRY(std::optional<std::uint32_t> window, config.count_if("sliding_window"));
  JARIP_TRY(const bool uses, config.flag("use_sliding_window", config.family().window_always));
  JARIP_TRY(std::vector<bool> pattern, read_pattern(config, n_layers));
  const bool none = !pattern.empty() && std::ranges::find(pattern, true) == pattern.end();
  if (!window || *window == 0 || !uses || none) {
    if (std::ranges::find(pattern, true) != pattern.end()) {
      return config.fields().corrupt("sliding_window", "is absent, and layer_types have windows");
    }
    if (row.default_window != 0) {
      return config.fields().refuse("sliding_window", "is absent, and this family has windows");
    }
    return {};
  }
  if (row.windows == Windows::kNone) {
    return config.fields().refuse(
        "sliding_window",
        fmt::format("is {}; models of this family can't run with windows here", *window));
  }
  writer.add_u32(config.key("attention.sliding_window"), *window);
  std::vector<bool> expected;
  for (std::uint32_t i = 0; i < n_layers; ++i) {
    expected.push_back(period_of(row) == 0 || (i + 1) % period_of(row) != 0);
  }
  if (pattern.empty()) pattern = expected;
  if (period_of(row) == 0) {
    if (pattern == expected) return {};
    return config.fields().refuse("layer_types", "has layers without a window beside others");
  }
  if (pattern == expected && !config.family().writes_pattern) return {};
  std::vector<std::byte> flags;
  for (const bool is_windowed : pattern) flags.push_back(static_cast<std::byte>(is_windowed));
  writer.add_array(config.key("attention.sliding_window_pattern"), GgufType::kBool, flags.size(),
                   flags);
  return {};
}

// Layers without rotation are every n-th, or the model can't run.
Result<void> check_no_rope(const HubConfig& config, std::uint32_t n_layers) {
  const Family& row = *std::ranges::find(families(), config.family().architecture, &Family::name);
  JARIP_TRY(const std::vector<double> rotate, config.fields().numbers("no_rope_layers"));
  if (row.no_rope_period == 0) {
    if (rotate.empty()) return {};
    return config.fields().refuse("no_rope_layers", "isn't known of this family");
  }
  if (rotate.empty()) {
    JARIP_TRY(const std::uint32_t period, config.count("no_rope_layer_interval", 1, kMaxLayers));
    if (period == row.no_rope_period) return {};
    return config.fields().refuse(
        "no_rope_layer_interval",
        fmt::format("is {}; {} can run here", period, row.no_rope_period));
  }
  for (std::uint32_t i = 0; i < n_layers; ++i) {
    const bool expected = (i + 1) % row.no_rope_period != 0;
    if (rotate.size() == n_layers && (rotate[i] != 0) == expected) continue;
    return config.fields().refuse("no_rope_layers",
                                  fmt::format("isn't every {}th layer", row.no_rope_period));
  }
  return {};
}

// Attention in every n-th layer, and delta nets in the others.
Result<void> check_kinds(const HubConfig& config, const TensorFacts& facts) {
  const boost::json::value* types = config.fields().find("layer_types");
  if (types == nullptr) return {};
  for (std::uint32_t i = 0; i < facts.n_layers; ++i) {
    const bool attends = (i + 1) % facts.attention_period == 0;
    if (types->is_array() && types->get_array().size() == facts.n_layers &&
        types->get_array()[i] == (attends ? "full_attention" : "linear_attention")) {
      continue;
    }
    return config.fields().refuse(
        "layer_types", fmt::format("isn't attention in every layer of {} and linear_attention in "
                                   "the others",
                                   facts.attention_period));
  }
  return {};
}

// Positions of texts are of one kind, whichever a pair of dimensions turns by.
Result<void> add_sections(const HubConfig& config, GgufWriter& writer) {
  JARIP_TRY(const auto rope, config.fields().fields("rope_parameters"));
  std::vector<double> sections;
  if (rope) {
    JARIP_TRY(sections, rope->numbers("mrope_section"));
  }
  if (sections.size() != 3) {
    return config.fields().corrupt("rope_parameters", "has no mrope_section of three numbers");
  }
  std::vector<std::int32_t> numbers;
  for (const double n : sections) {
    numbers.push_back(static_cast<std::int32_t>(std::clamp(n, 0.0, 4096.0)));
  }
  numbers.push_back(0);
  writer.add_ints(config.key("rope.dimension_sections"), numbers);
  return {};
}

Result<void> add_recurrent(const HubConfig& config, GgufWriter& writer, TensorFacts& facts) {
  JARIP_TRY(facts.attention_period, config.count("full_attention_interval", 1, kMaxLayers));
  JARIP_TRY(facts.n_key_heads, config.count("linear_num_key_heads", 1, kMaxHeads));
  JARIP_TRY(facts.n_value_heads, config.count("linear_num_value_heads", 1, kMaxHeads));
  JARIP_TRY(facts.net_head_dim, config.count("linear_key_head_dim", 1, 4096));
  JARIP_TRY(const std::uint32_t value_dim, config.count("linear_value_head_dim", 1, 4096));
  JARIP_TRY(const std::uint32_t width, config.count("linear_conv_kernel_dim", 2, 16));
  if (value_dim != facts.net_head_dim) {
    return config.fields().refuse("linear_value_head_dim", "isn't the keys'");
  }
  if (facts.n_value_heads % facts.n_key_heads != 0) {
    return config.fields().corrupt("linear_num_value_heads", "isn't a multiple of the keys'");
  }
  JARIP_CHECK(check_kinds(config, facts));
  writer.add_u32(config.key("ssm.conv_kernel"), width)
      .add_u32(config.key("ssm.inner_size"), value_dim * facts.n_value_heads)
      .add_u32(config.key("ssm.state_size"), facts.net_head_dim)
      .add_u32(config.key("ssm.time_step_rank"), facts.n_value_heads)
      .add_u32(config.key("ssm.group_count"), facts.n_key_heads)
      .add_u32(config.key("full_attention_interval"), facts.attention_period);
  return add_sections(config, writer);
}

Result<void> add_scales(const HubConfig& config, GgufWriter& writer) {
  constexpr std::pair<std::string_view, std::string_view> kScales[] = {
      {"logits_scaling", "logit_scale"},
      {"residual_multiplier", "residual_scale"},
      {"embedding_multiplier", "embedding_scale"},
      {"attention_multiplier", "attention.scale"},
      {"attn_logit_softcapping", "attn_logit_softcapping"},
      {"final_logit_softcapping", "final_logit_softcapping"},
  };
  for (const auto& [theirs, ours] : kScales) {
    JARIP_TRY(const auto value, config.number_if(theirs));
    if (value) writer.add_f32(config.key(ours), static_cast<float>(*value));
  }
  return {};
}

// Gemma's scale of scores is the heads' size's, but for the largest of each kind.
Result<void> check_query_scale(const HubConfig& config, std::uint32_t n_layers) {
  const Family& row = *std::ranges::find(families(), config.family().architecture, &Family::name);
  JARIP_TRY(const auto scale, config.number_if("query_pre_attn_scalar"));
  if (!scale) return {};
  JARIP_TRY(const std::uint32_t head_dim, config.count("head_dim"));
  JARIP_TRY(const std::uint32_t d_model, config.count("hidden_size"));
  JARIP_TRY(const std::uint32_t n_heads, config.count("num_attention_heads"));
  const bool is_wide = row.wide_scale_layers != 0 && n_layers == row.wide_scale_layers;
  const std::uint32_t expected = is_wide ? d_model / n_heads : head_dim;
  if (*scale == expected) return {};
  return config.fields().refuse("query_pre_attn_scalar",
                                fmt::format("is {}; {} can run here", *scale, expected));
}

}  // namespace

std::string HubConfig::key(std::string_view name) const {
  return fmt::format("{}.{}", family_.architecture, name);
}

Result<std::optional<double>> HubConfig::number_if(std::string_view name) const {
  JARIP_TRY(const std::optional<double> value, fields_.number(name));
  // A null is said, an absent field isn't.
  if (value || fields_.object().contains(name)) return value;
  const auto found = std::ranges::find(family_.defaults, name, &Default::key);
  return found == family_.defaults.end() ? std::nullopt : std::optional(found->value);
}

Result<double> HubConfig::number(std::string_view name) const {
  JARIP_TRY(const std::optional<double> value, number_if(name));
  if (value) return *value;
  return fields_.corrupt(name, "is missing");
}

Result<std::optional<std::uint32_t>> HubConfig::count_if(std::string_view name) const {
  JARIP_TRY(const std::optional<double> value, number_if(name));
  if (!value) return std::nullopt;
  if (!(*value >= 0 && *value <= (1U << 31U)) || *value != std::floor(*value)) {
    return fields_.corrupt(name, fmt::format("is {}, which is no count", *value));
  }
  return static_cast<std::uint32_t>(*value);
}

Result<std::uint32_t> HubConfig::count(std::string_view name, std::uint64_t least,
                                       std::uint64_t most) const {
  JARIP_TRY(const std::optional<std::uint32_t> value, count_if(name));
  if (!value) return fields_.corrupt(name, "is missing");
  if (*value >= least && *value <= most) return *value;
  return fields_.corrupt(name, fmt::format("is {}; it must be from {} to {}", *value, least, most));
}

Result<bool> HubConfig::flag(std::string_view name, bool otherwise) const {
  JARIP_TRY(const std::optional<bool> value, fields_.flag(name));
  return value.value_or(otherwise);
}

Result<void> HubConfig::obey(std::span<const Guard> guards) const {
  for (const Guard& guard : guards) {
    const boost::json::value* value = fields_.find(guard.key);
    if (value == nullptr || is_allowed(*value, guard.allowed)) continue;
    return fields_.refuse(
        guard.key, fmt::format("is {}; models of class {} can run here {}",
                               fields_.shown(guard.key), family_.name,
                               guard.allowed.empty() ? std::string("without it only")
                                                     : fmt::format("with {}", guard.allowed)));
  }
  return {};
}

Result<ConvertedConfig> convert_config(const HubConfig& config, Pooling pooling,
                                       GgufWriter& writer) {
  JARIP_CHECK(config.obey(config.family().guards));
  for (const Guard& guard : decoder_guards()) {
    const auto own = std::ranges::find(config.family().guards, guard.key, &Guard::key);
    if (own == config.family().guards.end()) JARIP_CHECK(config.obey(std::span(&guard, 1)));
  }
  ConvertedConfig out;
  JARIP_CHECK(add_shape(config, writer, out));
  JARIP_CHECK(add_experts(config, writer, out));
  JARIP_CHECK(config.family().recurrent ? add_recurrent(config, writer, out.facts)
                                        : add_windows(config, out.facts.n_layers, writer));
  JARIP_CHECK(check_no_rope(config, out.facts.n_layers));
  JARIP_CHECK(add_scales(config, writer));
  JARIP_CHECK(check_query_scale(config, out.facts.n_layers));
  JARIP_CHECK(convert_rope(config, writer, out));
  JARIP_TRY(out.facts.tied, config.flag("tie_word_embeddings", config.family().tied));
  out.facts.needs_output = pooling == Pooling::kNone;
  if (pooling != Pooling::kNone) {
    writer.add_u32(config.key("pooling_type"), static_cast<std::uint32_t>(pooling));
  }
  return out;
}

}  // namespace jarip
