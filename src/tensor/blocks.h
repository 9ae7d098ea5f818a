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

struct BlockQ5_1 {
  std::uint16_t scale;         // f16
  std::uint16_t minimum;       // f16
  std::uint8_t fifth_bits[4];  // as Q5_0
  std::uint8_t nibbles[16];    // as Q4_0; w = scale * q + minimum
};

struct BlockQ2_K {
  std::uint8_t packed[16];      // of 16 weights each: scale (low nibble) and minimum (high)
  std::uint8_t low[64];         // 32 bytes for each half of 128, two bits for each quarter
  std::uint16_t scale;          // f16, of the scales
  std::uint16_t minimum_scale;  // f16, of the minimums; w = scale * s * q - minimum_scale * m
};

struct BlockQ3_K {
  std::uint8_t high[32];    // bit i / 32 of byte i % 32: the top bit of weight i
  std::uint8_t low[64];     // low 2 bits, as Q2_K
  std::uint8_t packed[12];  // sixteen 6-bit scales, of 16 weights each
  std::uint16_t scale;      // f16; w = scale * (s - 32) * (q - 4)
};

struct BlockQ4_K {
  std::uint16_t scale;          // f16, of the sub-blocks' scales
  std::uint16_t minimum_scale;  // f16, of the sub-blocks' minimums
  std::uint8_t packed[12];      // eight 6-bit scales and eight 6-bit minimums
  std::uint8_t nibbles[128];    // 32 bytes for sub-blocks 2j (low) and 2j + 1 (high)
};

struct BlockQ5_K {
  std::uint16_t scale;          // f16, of the sub-blocks' scales
  std::uint16_t minimum_scale;  // f16, of the sub-blocks' minimums
  std::uint8_t packed[12];      // as Q4_K
  std::uint8_t high[32];        // bit i / 32 of byte i % 32: the top bit of weight i
  std::uint8_t nibbles[128];    // as Q4_K
};

struct BlockQ6_K {
  std::uint8_t low[128];   // low 4 bits
  std::uint8_t high[64];   // high 2 bits
  std::int8_t scales[16];  // of 16 weights each
  std::uint16_t scale;     // f16; w = scale * scales[i / 16] * (q - 32)
};

// Four bits that choose one of 16 values.
struct BlockIQ4_NL {
  std::uint16_t scale;       // f16
  std::uint8_t nibbles[16];  // as Q4_0; w = scale * kIQ4Values[q]
};

struct BlockIQ4_XS {
  std::uint16_t scale;          // f16, of the sub-blocks' scales
  std::uint16_t scales_high;    // bits 2j and 2j + 1: the top bits of sub-block j's scale
  std::uint8_t scales_low[4];   // the low four bits, two a byte
  std::uint8_t nibbles[8][16];  // of each sub-block, as Q4_0; w = scale * (s - 32) * kIQ4Values[q]
};

struct BlockMXFP4 {
  std::uint8_t exponent;     // E8M0
  std::uint8_t nibbles[16];  // as Q4_0; w = half of 2^(exponent - 127) * kMXFP4Values[q]
};

// Aligned so that kernels load each at once.
alignas(16) inline constexpr std::int8_t kIQ4Values[16] = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
alignas(16) inline constexpr std::int8_t kMXFP4Values[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                                             0, -1, -2, -3, -4, -6, -8, -12};

static_assert(sizeof(BlockQ8_0) == format_row(Format::kQ8_0).block_bytes);
static_assert(sizeof(BlockQ4_0) == format_row(Format::kQ4_0).block_bytes);
static_assert(sizeof(BlockQ4_1) == format_row(Format::kQ4_1).block_bytes);
static_assert(sizeof(BlockQ5_0) == format_row(Format::kQ5_0).block_bytes);
static_assert(sizeof(BlockQ5_1) == format_row(Format::kQ5_1).block_bytes);
static_assert(sizeof(BlockQ2_K) == format_row(Format::kQ2_K).block_bytes);
static_assert(sizeof(BlockQ3_K) == format_row(Format::kQ3_K).block_bytes);
static_assert(sizeof(BlockQ4_K) == format_row(Format::kQ4_K).block_bytes);
static_assert(sizeof(BlockQ5_K) == format_row(Format::kQ5_K).block_bytes);
static_assert(sizeof(BlockIQ4_NL) == format_row(Format::kIQ4_NL).block_bytes);
static_assert(sizeof(BlockIQ4_XS) == format_row(Format::kIQ4_XS).block_bytes);
static_assert(sizeof(BlockMXFP4) == format_row(Format::kMXFP4).block_bytes);
static_assert(sizeof(BlockQ6_K) == format_row(Format::kQ6_K).block_bytes);

// The unsigned 5-bit weight i (0 to 31) of a Q5_0 or Q5_1 block.
template <class Block>
constexpr std::uint8_t q5_value(const Block& block, int i) {
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

// The unsigned 2-bit number i (0 to 255) of a Q2_K or Q3_K block.
template <class Block>
constexpr std::uint8_t two_bits(const Block& block, int i) {
  return block.low[i / 128 * 32 + i % 32] >> static_cast<unsigned>(i % 128 / 32 * 2) & 3U;
}

// The unsigned 3-bit weight i (0 to 255) of a Q3_K block.
constexpr std::uint8_t q3_k_value(const BlockQ3_K& block, int i) {
  const unsigned high = block.high[i % 32] >> static_cast<unsigned>(i / 32) & 1U;
  return static_cast<std::uint8_t>(two_bits(block, i) | (high << 2U));
}

// The scale of sub-block j (0 to 15) of a Q3_K block: four bits in byte j % 8, two in the last
// four.
constexpr std::int8_t q3_k_scale(const std::uint8_t (&packed)[12], int j) {
  const unsigned low = j < 8 ? packed[j] & 15U : packed[j - 8] >> 4U;
  const unsigned high = packed[8 + j % 4] >> static_cast<unsigned>(j / 4 * 2) & 3U;
  return static_cast<std::int8_t>(static_cast<int>(low | (high << 4U)) - 32);
}

// The scale of sub-block j (0 to 7) of an IQ4_XS block.
constexpr std::int8_t iq4_xs_scale(const BlockIQ4_XS& block, int j) {
  const unsigned low = block.scales_low[j / 2] >> static_cast<unsigned>(j % 2 * 4) & 15U;
  const unsigned high = block.scales_high >> static_cast<unsigned>(2 * j) & 3U;
  return static_cast<std::int8_t>(static_cast<int>(low | (high << 4U)) - 32);
}

// Half of what an MXFP4 block's exponent says, since its values are doubled, as bfloat16: exact,
// the smallest two being subnormal. 255 is 2^127, as ggml reads it.
constexpr std::uint16_t mxfp4_scale(std::uint8_t exponent) {
  return static_cast<std::uint16_t>(exponent < 2 ? 0x20U << exponent : (exponent - 1U) << 7U);
}

// The unsigned 4-bit weight i (0 to 255) of a Q4_K block, or what Q5_K has below the top bit.
template <class Block>
constexpr std::uint8_t q4_k_value(const Block& block, int i) {
  const std::uint8_t byte = block.nibbles[i / 64 * 32 + i % 32];
  return static_cast<std::uint8_t>(i % 64 < 32 ? byte & 15U : byte >> 4U);
}

// The unsigned 5-bit weight i (0 to 255) of a Q5_K block.
constexpr std::uint8_t q5_k_value(const BlockQ5_K& block, int i) {
  const unsigned high = block.high[i % 32] >> static_cast<unsigned>(i / 32) & 1U;
  return static_cast<std::uint8_t>(q4_k_value(block, i) | (high << 4U));
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
