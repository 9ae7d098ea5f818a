// Any text as the config.json of a family, which the first byte chooses.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "convert/hub_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const auto families = jarip::hub_families();
  const jarip::HubFamily& family = families[bytes[0] % families.size()];
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  const auto file = jarip::JsonFile::parse(text, "config.json");
  if (!file) return 0;
  const auto fields = file->fields();
  if (!fields) return 0;
  const jarip::HubConfig config(*fields, family);
  jarip::GgufWriter writer;
  const auto converted = family.is_encoder
                             ? convert_encoder_config(config, jarip::Pooling::kMean, writer)
                             : convert_config(config, jarip::Pooling::kNone, writer);
  if (!converted) return 0;
  if (converted->facts.n_layers == 0 || converted->facts.n_heads == 0) std::abort();
  const auto head = writer.head();
  if (!jarip::GgufFile::parse(head)) std::abort();
  return 0;
}
