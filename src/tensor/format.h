// Block formats of stored weights, one row a format. The numbers are those of the GGUF
// specification (ggml_type). Constant data, read from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace jarip {

enum class Format : std::uint8_t {
  kF32,
  kF16,
  kBF16,
  kQ8_0,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kIQ4_NL,
  kIQ4_XS,
  kMXFP4
};

struct FormatRow {
  Format format;
  std::uint32_t ggml_type;    // number in GGUF's tensor records
  std::string_view name;      // as people write it: "Q4_K"
  std::uint32_t block_size;   // weights in a block
  std::uint32_t block_bytes;  // bytes of a block
};

inline constexpr FormatRow kFormats[] = {
    {Format::kF32, 0, "F32", 1, 4},
    {Format::kF16, 1, "F16", 1, 2},
    {Format::kBF16, 30, "BF16", 1, 2},
    {Format::kQ8_0, 8, "Q8_0", 32, 34},
    {Format::kQ4_0, 2, "Q4_0", 32, 18},
    {Format::kQ4_1, 3, "Q4_1", 32, 20},
    {Format::kQ5_0, 6, "Q5_0", 32, 22},
    {Format::kQ5_1, 7, "Q5_1", 32, 24},
    {Format::kQ2_K, 10, "Q2_K", 256, 84},
    {Format::kQ3_K, 11, "Q3_K", 256, 110},
    {Format::kQ4_K, 12, "Q4_K", 256, 144},
    {Format::kQ5_K, 13, "Q5_K", 256, 176},
    {Format::kQ6_K, 14, "Q6_K", 256, 210},
    {Format::kIQ4_NL, 20, "IQ4_NL", 32, 18},
    {Format::kIQ4_XS, 23, "IQ4_XS", 256, 136},
    {Format::kMXFP4, 39, "MXFP4", 32, 17},
};

// The row of a format; every Format has one.
constexpr const FormatRow& format_row(Format format) {
  for (const FormatRow& row : kFormats) {
    if (row.format == format) return row;
  }
  return kFormats[0];
}

// The row with this ggml_type number, if we support it.
constexpr const FormatRow* find_format(std::uint32_t ggml_type) {
  for (const FormatRow& row : kFormats) {
    if (row.ggml_type == ggml_type) return &row;
  }
  return nullptr;
}

// The name that GGUF gives to a ggml_type number, supported here or not; empty if unknown.
std::string_view ggml_type_name(std::uint32_t ggml_type);

// The names of all that we support: "F32, F16, …".
std::string format_names();

}  // namespace jarip
