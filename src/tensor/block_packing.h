// Blocks put together out of chosen scales and levels: the inverse of dequantize.h. Each function
// takes level(i), the unsigned number that the format stores for weight i. Free functions; any
// thread.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tensor/blocks.h"

namespace jarip {

inline std::uint16_t f32_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U);
}

// Sixteen bytes of levels below 16: weights i (low half) and i + 16 (high).
template <class Level>
void pack_nibbles(std::uint8_t (&nibbles)[16], Level level) {
  for (unsigned i = 0; i < 16; ++i) {
    const unsigned low = level(i);
    const unsigned high = level(i + 16);
    nibbles[i] = static_cast<std::uint8_t>((low & 15U) | ((high & 15U) << 4U));
  }
}

// The levels, below 32, of a Q5_0 or Q5_1 block.
template <class Block, class Level>
void pack_five_bits(Block& block, Level level) {
  std::uint32_t fifth_bits = 0;
  for (unsigned i = 0; i < 16; ++i) {
    const unsigned low = level(i);
    const unsigned high = level(i + 16);
    block.nibbles[i] = static_cast<std::uint8_t>((low & 15U) | ((high & 15U) << 4U));
    fifth_bits |= ((low >> 4U) << i) | ((high >> 4U) << (i + 16));
  }
  std::memcpy(block.fifth_bits, &fifth_bits, sizeof(fifth_bits));
}

// Scale and minimum, below 64, of sub-block j: the inverse of q4_k_scale(). packed begins as zeros,
// and j ascends.
inline void pack_q4_k_scale(std::uint8_t (&packed)[12], int j, SubBlockScale value) {
  const auto join = [](std::uint8_t& byte, unsigned bits) {
    byte = static_cast<std::uint8_t>(byte | bits);
  };
  if (j < 4) {
    join(packed[j], value.scale);
    join(packed[j + 4], value.minimum);
    return;
  }
  join(packed[j + 4], (value.scale & 15U) | ((value.minimum & 15U) << 4U));
  join(packed[j - 4], (value.scale >> 4U) << 6U);
  join(packed[j], (value.minimum >> 4U) << 6U);
}

// Scale, 0 to 63 for -32 to 31, of the 16 weights j of a Q3_K block. packed begins as zeros.
inline void pack_q3_k_scale(std::uint8_t (&packed)[12], std::size_t j, unsigned scale) {
  std::uint8_t& low = packed[j % 8];
  std::uint8_t& high = packed[8 + j % 4];
  low = static_cast<std::uint8_t>(low | ((scale & 15U) << (j / 8 * 4)));
  high = static_cast<std::uint8_t>(high | ((scale >> 4U) << (j / 4 * 2)));
}

// Scale, 0 to 63 for -32 to 31, of sub-block j of an IQ4_XS block, whose scales begin as zeros.
inline void pack_iq4_xs_scale(BlockIQ4_XS& block, std::size_t j, unsigned scale) {
  std::uint8_t& low = block.scales_low[j / 2];
  low = static_cast<std::uint8_t>(low | ((scale & 15U) << (j % 2 * 4)));
  block.scales_high = static_cast<std::uint16_t>(block.scales_high | ((scale >> 4U) << (2 * j)));
}

// Two bits of the level of weight i of a Q2_K or Q3_K block, which begins as zeros.
template <class Block>
void pack_two_bits(Block& block, std::size_t i, unsigned level) {
  std::uint8_t& low = block.low[i / 128 * 32 + i % 32];
  low = static_cast<std::uint8_t>(low | ((level & 3U) << (i % 128 / 32 * 2)));
}

// The bit above the others of weight i of a Q3_K or Q5_K block, which begins as zeros.
template <class Block>
void pack_high_bit(Block& block, std::size_t i, unsigned bit) {
  std::uint8_t& high = block.high[i % 32];
  high = static_cast<std::uint8_t>(high | (bit << (i / 32)));
}

// Four bits of weight i of a Q4_K or Q5_K block, which begins as zeros.
template <class Block>
void pack_nibble(Block& block, std::size_t i, unsigned level) {
  std::uint8_t& nibbles = block.nibbles[i / 64 * 32 + i % 32];
  nibbles = static_cast<std::uint8_t>(nibbles | ((level & 15U) << (i % 64 / 32 * 4)));
}

template <class Level>
void pack_levels(BlockQ2_K& block, Level level) {
  for (std::size_t i = 0; i < 256; ++i) pack_two_bits(block, i, level(i));
}

template <class Level>
void pack_levels(BlockQ3_K& block, Level level) {
  for (std::size_t i = 0; i < 256; ++i) {
    const unsigned q = level(i);
    pack_two_bits(block, i, q);
    pack_high_bit(block, i, q >> 2U);
  }
}

template <class Level>
void pack_levels(BlockQ4_K& block, Level level) {
  for (std::size_t i = 0; i < 256; ++i) pack_nibble(block, i, level(i));
}

template <class Level>
void pack_levels(BlockQ5_K& block, Level level) {
  for (std::size_t i = 0; i < 256; ++i) {
    const unsigned q = level(i);
    pack_nibble(block, i, q);
    pack_high_bit(block, i, q >> 4U);
  }
}

template <class Level>
void pack_levels(BlockQ6_K& block, Level level) {
  for (std::size_t i = 0; i < 256; ++i) {
    const unsigned q = level(i);
    const std::size_t quarter = i % 128 / 32;
    std::uint8_t& low = block.low[i / 128 * 64 + quarter % 2 * 32 + i % 32];
    std::uint8_t& high = block.high[i / 128 * 32 + i % 32];
    low = static_cast<std::uint8_t>(low | ((q & 15U) << (quarter < 2 ? 0U : 4U)));
    high = static_cast<std::uint8_t>(high | ((q >> 4U) << (2 * quarter)));
  }
}

}  // namespace jarip
