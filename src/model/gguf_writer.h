// Writes GGUF files: whole in memory, or only their head, for tensors too big to be held. Writes
// what it is told, wrong files too: tests need those. A value of its user; no thread owns it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/gguf.h"
#include "tensor/format.h"

namespace jarip {

// A growing run of little-endian bytes.
class ByteWriter {
 public:
  template <class T>
  ByteWriter& number(T value) {
    return raw(std::as_bytes(std::span(&value, 1)));
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
  GgufWriter& set_version(std::uint32_t version);
  GgufWriter& set_alignment(std::uint32_t alignment);  // also writes the key general.alignment

  GgufWriter& add_u32(std::string_view key, std::uint32_t value);
  GgufWriter& add_u64(std::string_view key, std::uint64_t value);
  GgufWriter& add_i32(std::string_view key, std::int32_t value);
  GgufWriter& add_f32(std::string_view key, float value);
  GgufWriter& add_f64(std::string_view key, double value);
  GgufWriter& add_bool(std::string_view key, bool value);
  GgufWriter& add_string(std::string_view key, std::string_view value);
  GgufWriter& add_strings(std::string_view key, const std::vector<std::string_view>& values);
  GgufWriter& add_ints(std::string_view key, const std::vector<std::int32_t>& values);
  GgufWriter& add_floats(std::string_view key, const std::vector<float>& values);
  // elements: as the file stores them, whatever n_elements says.
  GgufWriter& add_array(std::string_view key, GgufType element_type, std::uint64_t n_elements,
                        std::span<const std::byte> elements);
  // value: as the file stores it, whatever the type says.
  GgufWriter& add_value(std::string_view key, GgufType type, std::span<const std::byte> value);

  // shape[0] is the contiguous dimension. Without bytes the weights are zeros.
  GgufWriter& add_tensor(std::string_view name, Format format,
                         const std::vector<std::uint64_t>& shape,
                         std::span<const std::byte> bytes = {});
  GgufWriter& add_f32_tensor(std::string_view name, const std::vector<std::uint64_t>& shape,
                             std::span<const float> weights);
  // Only the record, true or not; offset counts from the data section.
  GgufWriter& add_tensor_record(std::string_view name, std::uint32_t ggml_type,
                                const std::vector<std::uint64_t>& shape, std::uint64_t offset);

  // All that stands before the data section, padded to where that begins.
  [[nodiscard]] std::vector<std::byte> head() const;
  // The whole file.
  [[nodiscard]] std::vector<std::byte> finish() const;
  // The same into a file, replacing what is there. Error: kIo.
  [[nodiscard]] Result<void> write_to(const std::filesystem::path& path) const;

 private:
  std::uint32_t version_ = 3;
  std::uint32_t alignment_ = 32;
  std::uint64_t n_values_ = 0;
  std::uint64_t n_tensors_ = 0;
  ByteWriter values_;
  ByteWriter records_;
  ByteWriter data_;
};

}  // namespace jarip
