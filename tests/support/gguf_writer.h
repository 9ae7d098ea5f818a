// Writes GGUF files in memory, for tests: tiny models, and files that are wrong on purpose. A value
// type of a test's own; no thread owns it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "model/gguf.h"
#include "tensor/format.h"

namespace jarip {

// A growing run of little-endian bytes.
class ByteWriter {
 public:
  template <class T>
  ByteWriter& number(T value) {
    const auto* first = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), first, first + sizeof(T));
    return *this;
  }
  ByteWriter& text(std::string_view text) {
    return raw(std::as_bytes(std::span(text.data(), text.size())));
  }
  ByteWriter& raw(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  ByteWriter& string(std::string_view value) {
    return number<std::uint64_t>(value.size()).text(value);
  }
  ByteWriter& pad(std::size_t alignment) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment);
    return *this;
  }
  [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

class GgufWriter {
 public:
  GgufWriter& set_version(std::uint32_t version) {
    version_ = version;
    return *this;
  }
  // Also writes the key general.alignment.
  GgufWriter& set_alignment(std::uint32_t alignment) {
    alignment_ = alignment;
    return add_u32("general.alignment", alignment);
  }

  GgufWriter& add_u32(std::string_view key, std::uint32_t value) {
    return add_number(key, GgufType::kU32, value);
  }
  GgufWriter& add_u64(std::string_view key, std::uint64_t value) {
    return add_number(key, GgufType::kU64, value);
  }
  GgufWriter& add_i32(std::string_view key, std::int32_t value) {
    return add_number(key, GgufType::kI32, value);
  }
  GgufWriter& add_f32(std::string_view key, float value) {
    return add_number(key, GgufType::kF32, value);
  }
  GgufWriter& add_f64(std::string_view key, double value) {
    return add_number(key, GgufType::kF64, value);
  }
  GgufWriter& add_bool(std::string_view key, bool value) {
    return add_number(key, GgufType::kBool, static_cast<std::uint8_t>(value));
  }
  GgufWriter& add_string(std::string_view key, std::string_view value) {
    return add_value(key, GgufType::kString, ByteWriter().string(value).bytes());
  }
  GgufWriter& add_strings(std::string_view key, const std::vector<std::string_view>& values) {
    ByteWriter elements;
    for (const std::string_view value : values) elements.string(value);
    return add_array(key, GgufType::kString, values.size(), elements.bytes());
  }
  GgufWriter& add_ints(std::string_view key, const std::vector<std::int32_t>& values) {
    return add_array(key, GgufType::kI32, values.size(), std::as_bytes(std::span(values)));
  }
  GgufWriter& add_floats(std::string_view key, const std::vector<float>& values) {
    return add_array(key, GgufType::kF32, values.size(), std::as_bytes(std::span(values)));
  }
  // elements: as the file stores them, whatever n_elements says.
  GgufWriter& add_array(std::string_view key, GgufType element_type, std::uint64_t n_elements,
                        std::span<const std::byte> elements) {
    ByteWriter value;
    value.number(std::to_underlying(element_type)).number(n_elements).raw(elements);
    return add_value(key, GgufType::kArray, value.bytes());
  }
  // value: as the file stores it, whatever the type says.
  GgufWriter& add_value(std::string_view key, GgufType type, std::span<const std::byte> value) {
    values_.string(key).number(std::to_underlying(type)).raw(value);
    ++n_values_;
    return *this;
  }

  // shape[0] is the contiguous dimension. Without bytes the weights are zeros.
  GgufWriter& add_tensor(std::string_view name, Format format,
                         const std::vector<std::uint64_t>& shape,
                         std::span<const std::byte> bytes = {}) {
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
  GgufWriter& add_f32_tensor(std::string_view name, const std::vector<std::uint64_t>& shape,
                             std::span<const float> weights) {
    return add_tensor(name, Format::kF32, shape, std::as_bytes(weights));
  }
  // Only the record, true or not; offset counts from the data section.
  GgufWriter& add_tensor_record(std::string_view name, std::uint32_t ggml_type,
                                const std::vector<std::uint64_t>& shape, std::uint64_t offset) {
    records_.string(name).number(static_cast<std::uint32_t>(shape.size()));
    for (const std::uint64_t n : shape) records_.number(n);
    records_.number(ggml_type).number(offset);
    ++n_tensors_;
    return *this;
  }

  [[nodiscard]] std::vector<std::byte> finish() const {
    ByteWriter file;
    file.text("GGUF").number(version_).number(n_tensors_).number(n_values_);
    file.raw(values_.bytes()).raw(records_.bytes());
    if (n_tensors_ > 0) file.pad(alignment_);
    return file.raw(data_.bytes()).bytes();
  }

  // False when the file could not be written whole.
  [[nodiscard]] bool write_to(const std::filesystem::path& path) const {
    const auto bytes = finish();
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    file.close();
    return file.good();
  }

 private:
  template <class T>
  GgufWriter& add_number(std::string_view key, GgufType type, T value) {
    return add_value(key, type, ByteWriter().number(value).bytes());
  }

  std::uint32_t version_ = 3;
  std::uint32_t alignment_ = 32;
  std::uint64_t n_values_ = 0;
  std::uint64_t n_tensors_ = 0;
  ByteWriter values_;
  ByteWriter records_;
  ByteWriter data_;
};

}  // namespace jarip
