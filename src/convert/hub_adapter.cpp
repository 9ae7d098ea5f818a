#include "convert/hub_adapter.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <string>
#include <string_view>

#include "convert/hub_tensors.h"
#include "convert/json_fields.h"
#include "convert/weight_view.h"
#include "model/gguf_writer.h"
#include "model/safetensors.h"
#include "tensor/dequantize.h"

namespace jarip {
namespace {

// What an adapter's settings say of its products.
struct Settings {
  double alpha = 0;
  bool by_root = false;  // alpha over the root of the rank (rsLoRA)
};

// Settings with which an adapter does something else than to add B (A x), unless they are empty,
// false or absent.
constexpr std::string_view kOtherKinds[] = {"use_dora",
                                            "lora_bias",
                                            "fan_in_fan_out",
                                            "modules_to_save",
                                            "use_qalora",
                                            "use_bdlora",
                                            "layer_replication",
                                            "alpha_pattern",
                                            "megatron_config",
                                            "trainable_token_indices",
                                            "alora_invocation_tokens",
                                            "target_parameters"};

bool is_off(const boost::json::value* value) {
  if (value == nullptr) return true;
  if (const auto* flag = value->if_bool()) return !*flag;
  if (const auto* list = value->if_array()) return list->empty();
  if (const auto* fields = value->if_object()) return fields->empty();
  return false;
}

Result<Settings> read_settings(const JsonFields& fields) {
  JARIP_TRY(const auto kind, fields.text("peft_type"));
  if (kind.value_or("") != "LORA")
    return fields.refuse("peft_type", "only LORA can be applied here");
  JARIP_TRY(const auto bias, fields.text("bias"));
  if (bias.value_or("none") != "none") {
    return fields.refuse("bias", "an adapter can't change biases here");
  }
  for (const std::string_view key : kOtherKinds) {
    if (!is_off(fields.find(key))) return fields.refuse(key, "such adapters can't be applied here");
  }
  Settings settings;
  JARIP_TRY(const auto alpha, fields.number("lora_alpha"));
  if (!alpha || *alpha == 0 || !std::isfinite(*alpha)) {
    return fields.corrupt("lora_alpha", "must be a number that isn't 0");
  }
  settings.alpha = *alpha;
  JARIP_TRY(const auto by_root, fields.flag("use_rslora"));
  settings.by_root = by_root.value_or(false);
  if (settings.by_root && !is_off(fields.find("rank_pattern"))) {
    return fields.refuse("rank_pattern", "can't go with use_rslora here");
  }
  return settings;
}

// "…q_proj.lora_A.weight", or with the adapter's name before "weight".
struct Half {
  std::string matrix;  // "model.layers.0.self_attn.q_proj.weight"
  bool is_narrow = false;
};

std::optional<Half> half_of(std::string_view name) {
  constexpr std::string_view kPrefix = "base_model.model.";
  constexpr std::string_view kSuffix = ".weight";
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  for (const std::string_view mark : {".lora_A.", ".lora_B."}) {
    const std::size_t at = name.find(mark);
    if (at == std::string_view::npos) continue;
    return Half{fmt::format("{}.weight", name.substr(0, at)), mark == ".lora_A."};
  }
  return std::nullopt;
}

// A tensor as the model's own file would have it.
Result<WeightView> view_of(const SafeTensor& tensor, const ModelConfig& base) {
  const auto refused = [&](std::string_view why) {
    return fail(ErrorCode::kUnsupported, fmt::format("tensor {} {}", tensor.name, why),
                tensor.name);
  };
  const auto half = half_of(tensor.name);
  if (!half) return refused("isn't half of a pair that changes a matrix");
  const auto renamed = rename_tensor(half->matrix, base.family);
  if (!renamed) {
    return refused(fmt::format("changes what models of family {} don't have", base.family));
  }
  if (!tensor.format) return refused(fmt::format("is of type {}", tensor.type));
  if (tensor.shape.size() != 2) return refused("isn't a matrix");
  WeightView view;
  view.name = fmt::format("{}.lora_{}", renamed->name, half->is_narrow ? 'a' : 'b');
  view.format = *tensor.format;
  view.shape.assign(tensor.shape.rbegin(), tensor.shape.rend());
  view.parts = {&tensor};
  view.strides.row = view.shape[0];
  const bool turns = renamed->change == Change::kRopeQuery || renamed->change == Change::kRopeKey;
  if (!turns && renamed->change != Change::kNone)
    return refused("changes what can't be changed here");
  if (turns && !half->is_narrow) {
    const std::uint32_t n_heads =
        renamed->change == Change::kRopeQuery ? base.n_heads : base.n_kv_heads;
    if (view.shape[1] != std::uint64_t{n_heads} * base.head_dim) {
      return refused(fmt::format("has {} rows; the model has {} heads of {}", view.shape[1],
                                 n_heads, base.head_dim));
    }
    view.rope_half = base.head_dim / 2;
  }
  return view;
}

}  // namespace

Result<std::vector<std::byte>> convert_adapter(const std::filesystem::path& folder,
                                               const ModelConfig& base) {
  JARIP_TRY(const JsonFile config, JsonFile::open(folder / "adapter_config.json"));
  JARIP_TRY(const JsonFields fields, config.fields());
  JARIP_TRY(const Settings settings, read_settings(fields));
  JARIP_TRY(const SafetensorsModel weights,
            SafetensorsModel::open_file(folder / "adapter_model.safetensors"));
  GgufWriter writer;
  double alpha = settings.alpha;
  std::vector<WeightView> views;
  for (const auto& [name, tensor] : weights.tensors()) {
    JARIP_TRY(views.emplace_back(), view_of(*tensor, base));
    // Readers of GGUF divide by the rank itself.
    const bool is_narrow = views.back().name.ends_with("_a");
    if (settings.by_root && is_narrow) {
      alpha = settings.alpha * std::sqrt(static_cast<double>(tensor->shape[0]));
    }
  }
  writer.add_string("general.type", "adapter")
      .add_string("general.architecture", base.family)
      .add_string("general.name", folder.filename().string())
      .add_string("adapter.type", "lora")
      .add_f32("adapter.lora.alpha", static_cast<float>(alpha));
  for (const WeightView& view : views) {
    std::vector<std::byte> bytes(row_bytes(view.format, view.shape[0]) * view.shape[1]);
    read_weights(view, 0, view.n_elements(), bytes);
    writer.add_tensor(view.name, view.format, view.shape, bytes);
  }
  return writer.finish();
}

}  // namespace jarip
