// Random stored weights of any format, without knowing where its scales are: what tests of products
// and of block formats share. The bytes are the same on every machine.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/random.h"
#include "tensor/dequantize.h"
#include "tensor/format.h"
#include "tensor/half.h"
#include "tensor/packed_matrix.h"

namespace jarip {

// What the largest number of each block lies between.
struct LargestOfBlock {
  float least = 0x1p-8F;
  float most = 4.0F;
};

// A number of a float format whose magnitude lies within the bounds.
inline void put_random_float(Format format, std::uint64_t bits, LargestOfBlock bounds,
                             std::byte* to) {
  const float part = static_cast<float>(bits & 0xFFFFFFU) * 0x1p-24F;
  const float magnitude = bounds.least + part * (bounds.most - bounds.least);
  const float value = (bits >> 63U) == 0 ? magnitude : -magnitude;
  const auto word = std::bit_cast<std::uint32_t>(value);
  const auto half =
      format == Format::kF16 ? f32_to_f16(value) : static_cast<std::uint16_t>(word >> 16U);
  if (format == Format::kF32) {
    std::memcpy(to, &word, sizeof(word));
  } else {
    std::memcpy(to, &half, sizeof(half));
  }
}

// Any bits, drawn until the block's numbers are neither tiny nor huge, nor infinite. Returns the
// position of the next draw.
inline std::uint64_t put_random_block(Format format, std::uint64_t seed, std::uint64_t position,
                                      LargestOfBlock bounds, std::span<std::byte> block) {
  std::vector<float> numbers(format_row(format).block_size);
  float largest = 0.0F;
  while (!(largest > bounds.least && largest < bounds.most)) {
    for (std::size_t i = 0; i < block.size(); i += 8) {
      std::uint64_t bits = random_bits(seed, position++);
      for (std::size_t k = i; k < std::min(i + 8, block.size()); ++k, bits >>= 8U) {
        block[k] = static_cast<std::byte>(bits & 0xFFU);
      }
    }
    dequantize_row(format, block, numbers);
    largest = 0.0F;
    for (const float x : numbers) {
      largest = std::isfinite(x) ? std::max(largest, std::fabs(x)) : bounds.most;
    }
  }
  return position;
}

inline std::vector<std::byte> random_weights(Format format, std::uint32_t n_rows,
                                             std::uint32_t n_cols, std::uint64_t seed = 7,
                                             LargestOfBlock bounds = {}) {
  const FormatRow& row = format_row(format);
  std::vector<std::byte> bytes(n_rows * row_bytes(format, n_cols));
  std::uint64_t position = 0;
  for (std::size_t at = 0; at < bytes.size(); at += row.block_bytes) {
    if (is_float(format)) {
      put_random_float(format, random_bits(seed, position++), bounds, bytes.data() + at);
    } else {
      position = put_random_block(format, seed, position, bounds,
                                  std::span(bytes).subspan(at, row.block_bytes));
    }
  }
  return bytes;
}

}  // namespace jarip
