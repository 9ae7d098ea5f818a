// Any bytes as a model file: parsing ends in a Result, and whatever it vouched for can be read; so
// does what models of every kind take from it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include "model/config.h"
#include "model/encoder_config.h"
#include "model/encoder_tensors.h"
#include "model/gguf.h"
#include "model/tensors.h"

namespace jarip {
namespace {

// The optimizer must not drop the reads.
volatile unsigned char g_sink = 0;

void touch(std::span<const std::byte> bytes) {
  unsigned char sum = 0;
  for (const std::byte byte : bytes) sum ^= std::to_integer<unsigned char>(byte);
  g_sink = sum;
}

void touch(std::string_view text) { touch(std::as_bytes(std::span(text.data(), text.size()))); }

void read_value(const GgufFile& file, const GgufValue& value) {
  if (file.find_value(value.key) != &value) std::abort();
  touch(value.bytes);
  (void)file.read_uint(value.key);
  (void)file.read_float(value.key);
  (void)file.read_bool(value.key);
  if (const auto text = file.read_string(value.key)) touch(*text);
  if (const auto texts = file.read_strings(value.key)) {
    if (texts->size() != value.n_elements) std::abort();
    for (const std::string_view text : *texts) touch(text);
  }
  (void)file.read_ints(value.key);
  (void)file.read_floats(value.key);
  if (first_elements(value, 3).size() > 3) std::abort();
}

void read_tensor(const GgufFile& file, const GgufTensor& tensor) {
  if (file.find_tensor(tensor.name) != &tensor) std::abort();
  const FormatRow& row = format_row(tensor.format);
  if (tensor.data.size() != tensor.n_elements / row.block_size * row.block_bytes) std::abort();
  touch(tensor.data);
}

void read_model(const GgufFile& file) {
  if (const auto config = read_config(file)) (void)find_tensors(file, *config);
  if (const auto config = read_encoder_config(file)) (void)find_encoder_tensors(file, *config);
}

}  // namespace
}  // namespace jarip

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t n_bytes) {
  const auto file = jarip::GgufFile::parse(std::as_bytes(std::span(bytes, n_bytes)));
  if (!file) {
    if (file.error().message.find('\n') != std::string::npos) std::abort();
    return 0;
  }
  for (const jarip::GgufValue& value : file->values()) jarip::read_value(*file, value);
  for (const jarip::GgufTensor& tensor : file->tensors()) jarip::read_tensor(*file, tensor);
  jarip::read_model(*file);
  return 0;
}
