// config.json of a Hugging Face folder as a GGUF file's metadata. Free functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "convert/hub_family.h"
#include "convert/hub_tensors.h"
#include "convert/json_fields.h"
#include "model/families.h"
#include "model/gguf_writer.h"
#include "model/pooling.h"

namespace jarip {

// Its fields with what the family's class takes for those that are absent.
class HubConfig {
 public:
  HubConfig(JsonFields fields, const HubFamily& family)
      : fields_(std::move(fields)), family_(family) {}

  [[nodiscard]] const JsonFields& fields() const { return fields_; }
  [[nodiscard]] const HubFamily& family() const { return family_; }
  [[nodiscard]] std::string key(std::string_view name) const;  // "llama.name"

  // Errors: kCorrupt (absent and without default, out of range).
  [[nodiscard]] Result<std::uint32_t> count(std::string_view name, std::uint64_t least = 1,
                                            std::uint64_t most = 1U << 24U) const;
  [[nodiscard]] Result<std::optional<std::uint32_t>> count_if(std::string_view name) const;
  [[nodiscard]] Result<double> number(std::string_view name) const;
  [[nodiscard]] Result<std::optional<double>> number_if(std::string_view name) const;
  [[nodiscard]] Result<bool> flag(std::string_view name, bool otherwise) const;

  // Refuses settings that have other values than the guards allow.
  [[nodiscard]] Result<void> obey(std::span<const Guard> guards) const;

 private:
  JsonFields fields_;
  const HubFamily& family_;
};

struct ConvertedConfig {
  TensorFacts facts;
  std::vector<WeightView> tensors;  // that are computed from settings
};

// Writes the keys of general.architecture's own. pooling: of models that embed or rank. Errors:
// kUnsupported (a setting that would change the answers), kCorrupt.
[[nodiscard]] Result<ConvertedConfig> convert_config(const HubConfig& config, Pooling pooling,
                                                     GgufWriter& writer);
// The same of encoders.
[[nodiscard]] Result<ConvertedConfig> convert_encoder_config(const HubConfig& config,
                                                             Pooling pooling, GgufWriter& writer);
// The part of a head that rotates, as a number from 0 to 1; none: all of it.
[[nodiscard]] Result<std::optional<double>> rotated_part(const HubConfig& config);
// What rope_scaling or rope_parameters say.
[[nodiscard]] Result<void> convert_rope(const HubConfig& config, GgufWriter& writer,
                                        ConvertedConfig& out);

}  // namespace jarip
