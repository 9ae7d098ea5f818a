// A GGUF model file (versions 2 and 3), memory-mapped and validated whole before use. Immutable
// after open(); readable from any thread. Spec: ggml's docs/gguf.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "base/mapped_file.h"
#include "base/result.h"
#include "tensor/format.h"

namespace jarip {

// Numbers are those of the file format.
enum class GgufType : std::uint32_t {
  kU8 = 0,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};

// As people write it: "U32", "string", "array".
[[nodiscard]] std::string_view gguf_type_name(GgufType type);

// What a file may hold at most; real models stay far below.
struct GgufLimits {
  static constexpr std::uint64_t kMaxValues = 1U << 16;
  static constexpr std::uint64_t kMaxTensors = 1U << 16;
  static constexpr std::uint64_t kMaxArrayElements = 1U << 24;
  static constexpr std::uint64_t kMaxKeyBytes = 65535;      // the spec's
  static constexpr std::uint64_t kMaxTensorNameBytes = 64;  // the spec's
  static constexpr std::uint64_t kMinAlignment = 8;         // the spec's
  static constexpr std::uint64_t kMaxAlignment = 1U << 21;
  static constexpr std::uint32_t kMaxDims = 4;
};

// One metadata value. The bytes lie in the file.
struct GgufValue {
  std::string_view key;  // printable ASCII, not empty
  GgufType type = GgufType::kU8;
  GgufType element_type = GgufType::kU8;  // of an array; arrays of arrays are refused
  std::uint64_t n_elements = 1;
  std::uint64_t offset = 0;  // of the value in the file
  // A number as stored, a string's characters (any bytes), an array's elements as stored.
  std::span<const std::byte> bytes;
};

using GgufScalar = std::variant<bool, std::uint64_t, std::int64_t, float, double, std::string_view>;

// The first elements of an array, at most max_elements, or the value itself if it is none: for
// those who describe a file without knowing its keys.
[[nodiscard]] std::vector<GgufScalar> first_elements(const GgufValue& value,
                                                     std::uint64_t max_elements);

struct GgufTensor {
  std::string_view name;  // printable ASCII, not empty
  Format format = Format::kF32;
  std::uint32_t n_dims = 0;
  std::uint64_t shape[4] = {1, 1, 1, 1};  // shape[0] is contiguous: a row of a matrix; none is 0
  std::uint64_t n_elements = 0;
  std::uint64_t offset = 0;         // of data in the file; a multiple of 8 at least
  std::span<const std::byte> data;  // exactly n_elements of the format
};

class GgufFile {
 public:
  // Errors name what is wrong, at which offset, in which key or tensor: kNotFound, kIo, kCorrupt,
  // kTooLarge (a count past GgufLimits), kUnsupported (a tensor format by name, a version by
  // number, big-endian files, arrays of arrays).
  [[nodiscard]] static Result<GgufFile> open(const std::filesystem::path& path);
  // The same over bytes that outlive the result (tests, fuzzing).
  [[nodiscard]] static Result<GgufFile> parse(std::span<const std::byte> bytes);

  [[nodiscard]] std::uint32_t version() const { return version_; }
  [[nodiscard]] std::uint64_t alignment() const { return alignment_; }
  [[nodiscard]] std::uint64_t n_bytes() const { return n_bytes_; }  // of the whole file
  [[nodiscard]] std::span<const GgufValue> values() const { return values_; }
  [[nodiscard]] std::span<const GgufTensor> tensors() const { return tensors_; }
  [[nodiscard]] const GgufValue* find_value(std::string_view key) const;
  [[nodiscard]] const GgufTensor* find_tensor(std::string_view name) const;

  // Gives back the memory that a part of a tensor's data takes, once it has been read for the last
  // time: a loader that copies would else hold the model twice.
  void release(std::span<const std::byte> part) const {
    if (!file_.bytes().empty()) file_.release(part);
  }

  // Typed reads. The Result is an error when the key is absent (kCorrupt, naming it) or has another
  // type; integers of any width and sign convert when the number fits.
  [[nodiscard]] Result<std::uint64_t> read_uint(std::string_view key) const;
  [[nodiscard]] Result<double> read_float(std::string_view key) const;
  [[nodiscard]] Result<bool> read_bool(std::string_view key) const;
  [[nodiscard]] Result<std::string_view> read_string(std::string_view key) const;
  [[nodiscard]] Result<std::vector<std::string_view>> read_strings(std::string_view key) const;
  [[nodiscard]] Result<std::vector<std::int64_t>> read_ints(std::string_view key) const;
  [[nodiscard]] Result<std::vector<float>> read_floats(std::string_view key) const;

 private:
  friend class GgufParser;

  MappedFile file_;
  std::uint32_t version_ = 0;
  std::uint64_t alignment_ = 0;
  std::uint64_t n_bytes_ = 0;
  std::vector<GgufValue> values_;            // in file order
  std::vector<GgufTensor> tensors_;          // in file order
  std::vector<std::uint32_t> value_index_;   // sorted by key
  std::vector<std::uint32_t> tensor_index_;  // sorted by name
};

}  // namespace jarip
