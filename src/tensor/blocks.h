// The block formats as they lie in GGUF files: one struct a format, and how a block's scales are
// stored. Layouts are those of ggml's block_q* types; all fields little-endian.
#pragma once

#include <cstdint>

#include "tensor/format.h"

namespace jarip {

struct BlockQ8_0 {
  std::uint16_t scale;     // f16
  std::int8_t values[32];  // w = scale * value
};

struct BlockQ4_0 {
  std::uint16_t scale;       // f16
  std::uint8_t nibbles[16];  // byte i: weights i (low) and i + 16 (high); w = scale * (q - 8)
};

struct BlockQ4_1 {
  std::uint16_t scale;       // f16
  std::uint16_t minimum;     // f16
  std::uint8_t nibbles[16];  // as Q4_0; w = scale * q + minimum
};

struct BlockQ5_0 {
  std::uint16_t scale;         // f16
  std::uint8_t fifth_bits[4];  // bit i % 8 of byte i / 8: the top bit of weight i
  std::uint8_t nibbles[16];    // as Q4_0; w = scale * (q - 16)
};

struct BlockQ4_K {
  std::uint16_t scale;          // f16, of the sub-blocks' scales
  std::uint16_t minimum_scale;  // f16, of the sub-blocks' minimums
  std::uint8_t packed[12];      // eight 6-bit scales and eight 6-bit minimums
  std::uint8_t nibbles[128];    // 32 bytes for sub-blocks 2j (low) and 2j + 1 (high)
};

struct BlockQ6_K {
  std::uint8_t low[128];   // low 4 bits
  std::uint8_t high[64];   // high 2 bits
  std::int8_t scales[16];  // of 16 weights each
  std::uint16_t scale;     // f16; w = scale * scales[i / 16] * (q - 32)
};

static_assert(sizeof(BlockQ8_0) == format_row(Format::kQ8_0).block_bytes);
static_assert(sizeof(BlockQ4_0) == format_row(Format::kQ4_0).block_bytes);
static_assert(sizeof(BlockQ4_1) == format_row(Format::kQ4_1).block_bytes);
static_assert(sizeof(BlockQ5_0) == format_row(Format::kQ5_0).block_bytes);
static_assert(sizeof(BlockQ4_K) == format_row(Format::kQ4_K).block_bytes);
static_assert(sizeof(BlockQ6_K) == format_row(Format::kQ6_K).block_bytes);

// The unsigned 5-bit weight i (0 to 31) of a Q5_0 block.
constexpr std::uint8_t q5_0_value(const BlockQ5_0& block, int i) {
  const unsigned low = i < 16 ? block.nibbles[i] & 15U : block.nibbles[i - 16] >> 4U;
  const unsigned high = (block.fifth_bits[i / 8] >> static_cast<unsigned>(i % 8)) & 1U;
  return static_cast<std::uint8_t>(low | (high << 4U));
}

struct SubBlockScale {
  std::uint8_t scale;
  std::uint8_t minimum;
};

// Scale and minimum of sub-block j (0 to 7). The first four are the low six bits of bytes j and
// j + 4; the others take four bits of byte j + 4 and their top two from bytes j - 4 and j.
constexpr SubBlockScale q4_k_scale(const std::uint8_t (&packed)[12], int j) {
  if (j < 4) {
    return {static_cast<std::uint8_t>(packed[j] & 63U),
            static_cast<std::uint8_t>(packed[j + 4] & 63U)};
  }
  return {static_cast<std::uint8_t>((packed[j + 4] & 15U) | ((packed[j - 4] >> 6U) << 4U)),
          static_cast<std::uint8_t>((packed[j + 4] >> 4U) | ((packed[j] >> 6U) << 4U))};
}

// The unsigned 4-bit weight i (0 to 255) of a Q4_K block.
constexpr std::uint8_t q4_k_value(const BlockQ4_K& block, int i) {
  const std::uint8_t byte = block.nibbles[i / 64 * 32 + i % 32];
  return static_cast<std::uint8_t>(i % 64 < 32 ? byte & 15U : byte >> 4U);
}

// The unsigned 6-bit weight i (0 to 255) of a Q6_K block. Each half of 128 keeps its quarters of 32
// in the low and high nibbles of 64 bytes, and their top bits in four places of 32 bytes.
constexpr std::uint8_t q6_k_value(const BlockQ6_K& block, int i) {
  const int half = i / 128;
  const int quarter = i % 128 / 32;
  const int lane = i % 32;
  const std::uint8_t low_byte = block.low[half * 64 + (quarter % 2) * 32 + lane];
  const unsigned low = quarter < 2 ? low_byte & 15U : low_byte >> 4U;
  const unsigned high = (block.high[half * 32 + lane] >> static_cast<unsigned>(2 * quarter)) & 3U;
  return static_cast<std::uint8_t>(low | (high << 4U));
}

}  // namespace jarip
