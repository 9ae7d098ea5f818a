// How a model's context was stretched: transformers' kinds of rope_scaling as GGUF says them.
// Sources: transformers' modeling_rope_utils; Peng et al. 2023, "YaRN"; Ding et al. 2024,
// "LongRoPE".
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/exact_math.h"
#include "convert/hub_config.h"

namespace jarip {
namespace {

constexpr std::size_t kMaxPairs = 4096;

WeightView computed(std::string name, std::vector<float> values) {
  WeightView view;
  view.name = std::move(name);
  view.shape = {values.size()};
  view.own = std::move(values);
  return view;
}

class RopeConverter {
 public:
  RopeConverter(const HubConfig& config, JsonFields scaling, double base, GgufWriter& writer,
                ConvertedConfig& out)
      : config_(config), scaling_(std::move(scaling)), base_(base), writer_(writer), out_(out) {}

  Result<void> convert() {
    JARIP_TRY(auto type, scaling_.text("rope_type"));
    if (!type) {
      JARIP_TRY(type, scaling_.text("type"));
    }
    if (!type || *type == "default") return {};
    if (*type == "linear") return linear();
    if (*type == "yarn") return yarn();
    if (*type == "llama3") return llama3();
    if (*type == "longrope" || *type == "su") return longrope();
    return scaling_.refuse("rope_type",
                           fmt::format("is {}; default, linear, yarn, llama3 and longrope can run "
                                       "here",
                                       *type));
  }

 private:
  Result<double> needed(std::string_view name) const {
    JARIP_TRY(const auto value, scaling_.number(name));
    if (value && *value > 0) return *value;
    return scaling_.corrupt(name, "is missing, or not above zero");
  }

  Result<std::uint32_t> original_context() const {
    constexpr std::string_view kName = "original_max_position_embeddings";
    JARIP_TRY(auto n, scaling_.count(kName));
    if (!n) {
      JARIP_TRY(n, config_.fields().count(kName));
    }
    if (!n) {
      JARIP_TRY(n, config_.count("max_position_embeddings"));
    }
    if (*n >= 1 && *n <= 1U << 24U) return static_cast<std::uint32_t>(*n);
    return scaling_.corrupt(kName, "is no length of a context");
  }

  Result<void> linear() {
    JARIP_TRY(const double factor, needed("factor"));
    writer_.add_string(config_.key("rope.scaling.type"), "linear")
        .add_f32(config_.key("rope.scaling.factor"), static_cast<float>(factor));
    return {};
  }

  Result<void> yarn() {
    JARIP_TRY(const double factor, needed("factor"));
    JARIP_TRY(const std::uint32_t n_original, original_context());
    JARIP_TRY(const auto attention, scaling_.number("attention_factor"));
    const double usual = 1 + 0.1 * std::log(std::max(factor, 1.0));
    if (attention && std::abs(*attention - usual) > 1e-4) {
      return scaling_.refuse("attention_factor",
                             fmt::format("is {}; {} can run here", *attention, usual));
    }
    for (const char* name : {"mscale", "mscale_all_dim"}) {
      if (scaling_.has(name)) return scaling_.refuse(name, "can't be honoured here");
    }
    writer_.add_string(config_.key("rope.scaling.type"), "yarn")
        .add_f32(config_.key("rope.scaling.factor"), static_cast<float>(factor))
        .add_u32(config_.key("rope.scaling.original_context_length"), n_original);
    constexpr std::pair<const char*, double> kBetas[] = {{"beta_fast", 32}, {"beta_slow", 1}};
    for (const auto& [name, otherwise] : kBetas) {
      JARIP_TRY(const auto beta, scaling_.number(name));
      if (!beta || *beta == otherwise) continue;
      writer_.add_f32(config_.key(fmt::format("rope.scaling.yarn_{}", name)),
                      static_cast<float>(*beta));
    }
    return {};
  }

  // What each pair's frequency is divided by, which GGUF says as a tensor.
  Result<void> llama3() {
    JARIP_TRY(const double factor, needed("factor"));
    JARIP_TRY(const double low, needed("low_freq_factor"));
    JARIP_TRY(const double high, needed("high_freq_factor"));
    JARIP_TRY(const std::uint32_t n_original, original_context());
    if (low == high) return scaling_.corrupt("high_freq_factor", "is the low one's equal");
    JARIP_TRY(const std::uint32_t dim, rope_dim());
    constexpr double kTwoPi = 0x1.921fb54442d18p+2;
    std::vector<float> divisors;
    for (std::uint32_t i = 0; i < dim / 2; ++i) {
      const double length = kTwoPi * exact_exp(2.0 * i / dim * exact_log(base_));
      const double turns = n_original / length;
      double divisor = 1;
      if (turns < low) {
        divisor = factor;
      } else if (turns <= high) {
        const double smooth = (turns - low) / (high - low);
        divisor = 1 / ((1 - smooth) / factor + smooth);
      }
      divisors.push_back(static_cast<float>(divisor));
    }
    out_.tensors.push_back(computed("rope_freqs.weight", std::move(divisors)));
    return {};
  }

  Result<void> longrope() {
    JARIP_TRY(const std::uint32_t n_original, original_context());
    JARIP_TRY(const std::uint32_t n_ctx, config_.count("max_position_embeddings"));
    JARIP_TRY(const auto given, scaling_.number("attention_factor"));
    const double stretch = static_cast<double>(n_ctx) / n_original;
    const double usual = stretch <= 1 || n_original < 2
                             ? 1
                             : std::sqrt(1 + exact_log(stretch) / exact_log(n_original));
    writer_.add_string(config_.key("rope.scaling.type"), "longrope")
        .add_f32(config_.key("rope.scaling.attn_factor"), static_cast<float>(given.value_or(usual)))
        .add_u32(config_.key("rope.scaling.original_context_length"), n_original);
    JARIP_CHECK(add_factors("long_factor", "rope_factors_long.weight"));
    return add_factors("short_factor", "rope_factors_short.weight");
  }

  Result<void> add_factors(std::string_view theirs, std::string ours) {
    JARIP_TRY(const std::vector<double> numbers, scaling_.numbers(theirs));
    JARIP_TRY(const std::uint32_t dim, rope_dim());
    if (numbers.size() != dim / 2) {
      return scaling_.corrupt(theirs, fmt::format("has {} numbers; {} pairs of dimensions rotate",
                                                  numbers.size(), dim / 2));
    }
    out_.tensors.push_back(
        computed(std::move(ours), std::vector<float>(numbers.begin(), numbers.end())));
    return {};
  }

  // Dimensions of a head that rotate; what add_shape wrote.
  Result<std::uint32_t> rope_dim() const {
    JARIP_TRY(const auto head_dim, config_.count_if("head_dim"));
    JARIP_TRY(const std::uint32_t d_model, config_.count("hidden_size"));
    JARIP_TRY(const auto part, rotated_part(config_));
    const std::uint32_t n_each = head_dim.value_or(d_model / out_.facts.n_heads);
    const auto dim = static_cast<std::uint32_t>(part.value_or(1) * n_each);
    if (dim >= 2 && dim / 2 <= kMaxPairs) return dim;
    return config_.fields().corrupt("head_dim", fmt::format("is {}, which can't rotate", n_each));
  }

  const HubConfig& config_;
  JsonFields scaling_;
  double base_;
  GgufWriter& writer_;
  ConvertedConfig& out_;
};

// Angles of layers with a window: the same as the others' but for Gemma 3's.
Result<void> add_local_base(const HubConfig& config, std::optional<double> nested,
                            GgufWriter& writer) {
  constexpr double kUsual = 10000;  // where a file is silent
  JARIP_TRY(const auto own, config.number_if("rope_local_base_freq"));
  const std::optional<double> base = nested ? nested : own;
  if (!base || *base == kUsual) return {};
  writer.add_f32(config.key("rope.freq_base_swa"), static_cast<float>(*base));
  return {};
}

}  // namespace

Result<std::optional<double>> rotated_part(const HubConfig& config) {
  constexpr std::string_view kName = "partial_rotary_factor";
  JARIP_TRY(const auto parameters, config.fields().fields("rope_parameters"));
  if (parameters) {
    JARIP_TRY(const auto part, parameters->number(kName));
    if (part) return part;
  }
  return config.number_if(kName);
}

Result<void> convert_rope(const HubConfig& config, GgufWriter& writer, ConvertedConfig& out) {
  JARIP_TRY(auto scaling, config.fields().fields("rope_scaling"));
  if (!scaling) {
    JARIP_TRY(scaling, config.fields().fields("rope_parameters"));
  }
  std::optional<double> local_base;
  if (scaling && scaling->has("full_attention")) {
    JARIP_TRY(const auto local, scaling->fields("sliding_attention"));
    if (local) {
      JARIP_TRY(local_base, local->number("rope_theta"));
    }
    JARIP_TRY(scaling, scaling->fields("full_attention"));
  }
  std::optional<double> base;
  if (scaling) {
    JARIP_TRY(base, scaling->number("rope_theta"));
  }
  if (!base) {
    JARIP_TRY(base, config.number("rope_theta"));
  }
  if (!(*base > 1 && *base < 1e12)) {
    return config.fields().corrupt("rope_theta", fmt::format("is {}", *base));
  }
  writer.add_f32(config.key("rope.freq_base"), static_cast<float>(*base));
  JARIP_CHECK(add_local_base(config, local_base, writer));
  if (!scaling) return {};
  return RopeConverter(config, *scaling, *base, writer, out).convert();
}

}  // namespace jarip
