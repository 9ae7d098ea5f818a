#include "model/gguf_writer.h"

#include <fmt/format.h>

#include <fstream>
#include <utility>

namespace jarip {
namespace {

template <class T>
std::vector<std::byte> bytes_of(T value) {
  return ByteWriter().number(value).bytes();
}

}  // namespace

GgufWriter& GgufWriter::set_version(std::uint32_t version) {
  version_ = version;
  return *this;
}

GgufWriter& GgufWriter::set_alignment(std::uint32_t alignment) {
  alignment_ = alignment;
  return add_u32("general.alignment", alignment);
}

GgufWriter& GgufWriter::add_u32(std::string_view key, std::uint32_t value) {
  return add_value(key, GgufType::kU32, bytes_of(value));
}

GgufWriter& GgufWriter::add_u64(std::string_view key, std::uint64_t value) {
  return add_value(key, GgufType::kU64, bytes_of(value));
}

GgufWriter& GgufWriter::add_i32(std::string_view key, std::int32_t value) {
  return add_value(key, GgufType::kI32, bytes_of(value));
}

GgufWriter& GgufWriter::add_f32(std::string_view key, float value) {
  return add_value(key, GgufType::kF32, bytes_of(value));
}

GgufWriter& GgufWriter::add_f64(std::string_view key, double value) {
  return add_value(key, GgufType::kF64, bytes_of(value));
}

GgufWriter& GgufWriter::add_bool(std::string_view key, bool value) {
  return add_value(key, GgufType::kBool, bytes_of(static_cast<std::uint8_t>(value)));
}

GgufWriter& GgufWriter::add_string(std::string_view key, std::string_view value) {
  return add_value(key, GgufType::kString, ByteWriter().string(value).bytes());
}

GgufWriter& GgufWriter::add_strings(std::string_view key,
                                    const std::vector<std::string_view>& values) {
  ByteWriter elements;
  for (const std::string_view value : values) elements.string(value);
  return add_array(key, GgufType::kString, values.size(), elements.bytes());
}

GgufWriter& GgufWriter::add_ints(std::string_view key, const std::vector<std::int32_t>& values) {
  return add_array(key, GgufType::kI32, values.size(), std::as_bytes(std::span(values)));
}

GgufWriter& GgufWriter::add_floats(std::string_view key, const std::vector<float>& values) {
  return add_array(key, GgufType::kF32, values.size(), std::as_bytes(std::span(values)));
}

GgufWriter& GgufWriter::add_array(std::string_view key, GgufType element_type,
                                  std::uint64_t n_elements, std::span<const std::byte> elements) {
  ByteWriter value;
  value.number(std::to_underlying(element_type)).number(n_elements).raw(elements);
  return add_value(key, GgufType::kArray, value.bytes());
}

GgufWriter& GgufWriter::add_value(std::string_view key, GgufType type,
                                  std::span<const std::byte> value) {
  values_.string(key).number(std::to_underlying(type)).raw(value);
  ++n_values_;
  return *this;
}

GgufWriter& GgufWriter::add_tensor(std::string_view name, Format format,
                                   const std::vector<std::uint64_t>& shape,
                                   std::span<const std::byte> bytes) {
  const FormatRow& row = format_row(format);
  data_.pad(alignment_);
  add_tensor_record(name, row.ggml_type, shape, data_.bytes().size());
  if (!bytes.empty()) {
    data_.raw(bytes);
    return *this;
  }
  std::uint64_t n_elements = 1;
  for (const std::uint64_t n : shape) n_elements *= n;
  data_.raw(std::vector<std::byte>(n_elements / row.block_size * row.block_bytes));
  return *this;
}

GgufWriter& GgufWriter::add_f32_tensor(std::string_view name,
                                       const std::vector<std::uint64_t>& shape,
                                       std::span<const float> weights) {
  return add_tensor(name, Format::kF32, shape, std::as_bytes(weights));
}

GgufWriter& GgufWriter::add_tensor_record(std::string_view name, std::uint32_t ggml_type,
                                          const std::vector<std::uint64_t>& shape,
                                          std::uint64_t offset) {
  records_.string(name).number(static_cast<std::uint32_t>(shape.size()));
  for (const std::uint64_t n : shape) records_.number(n);
  records_.number(ggml_type).number(offset);
  ++n_tensors_;
  return *this;
}

std::vector<std::byte> GgufWriter::head() const {
  ByteWriter file;
  file.text("GGUF").number(version_).number(n_tensors_).number(n_values_);
  file.raw(values_.bytes()).raw(records_.bytes());
  if (n_tensors_ > 0) file.pad(alignment_);
  return file.bytes();
}

std::vector<std::byte> GgufWriter::finish() const {
  std::vector<std::byte> file = head();
  file.insert(file.end(), data_.bytes().begin(), data_.bytes().end());
  return file;
}

Result<void> GgufWriter::write_to(const std::filesystem::path& path) const {
  const std::vector<std::byte> bytes = finish();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (file.good()) return {};
  return fail(ErrorCode::kIo, fmt::format("can't write {}", path.native()), path.native());
}

}  // namespace jarip
