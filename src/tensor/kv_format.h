// How one head's keys and values of 32 tokens lie in a KV page, for each format that they may have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace jarip {

// Tokens in one KV page: the lanes of a page's keys.
inline constexpr std::uint32_t kPageLanes = 32;
// Dimensions of a head that share one scale. The last block of a head may have only 16.
inline constexpr std::uint32_t kKvBlock = 32;

enum class KvFormat : std::uint8_t {
  kF16,   // as 16-bit floats, held to their range
  kQ8_0,  // int8 with one f16 scale for each token and block: x ~ scale * value
};

struct KvFormatRow {
  KvFormat format;
  std::string_view name;
};

inline constexpr KvFormatRow kKvFormats[] = {{KvFormat::kF16, "f16"}, {KvFormat::kQ8_0, "q8_0"}};

constexpr std::string_view kv_format_name(KvFormat format) {
  return kKvFormats[static_cast<std::size_t>(format)].name;
}

// Bytes from where a head begins in a page to its parts; n_bytes, where the next head begins, is a
// multiple of 64. Numbers are f16 or int8; scales are f16, and f16 numbers have none.
struct KvHeadLayout {
  // keys [head_dim, 32], from 0
  std::size_t key_scales;    // [n_blocks, 32]
  std::size_t values;        // [32, head_dim]
  std::size_t value_scales;  // [n_blocks, 32]
  std::size_t n_bytes;
};

// head_dim: a multiple of 16.
constexpr KvHeadLayout kv_head_layout(KvFormat format, std::uint32_t head_dim) {
  const bool scaled = format == KvFormat::kQ8_0;
  const std::size_t numbers = std::size_t{head_dim} * kPageLanes * (scaled ? 1 : 2);
  const std::size_t n_blocks = scaled ? (head_dim + kKvBlock - 1) / kKvBlock : 0;
  const std::size_t scales = n_blocks * kPageLanes * 2;
  return {numbers, numbers + scales, 2 * numbers + scales, 2 * (numbers + scales)};
}

}  // namespace jarip
