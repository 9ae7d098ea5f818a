// Random stored weights of any format, without knowing where its scales are: what tests of products
// and of block formats share. The bytes are the same on every machine.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/random.h"
#include "tensor/dequantize.h"
#include "tensor/format.h"

namespace jarip {

// What the largest number of each block lies between.
struct LargestOfBlock {
  float least = 0x1p-8F;
  float most = 4.0F;
};

// Any bits, drawn block by block until its numbers are neither tiny nor huge, nor infinite.
inline std::vector<std::byte> random_weights(Format format, std::uint32_t n_rows,
                                             std::uint32_t n_cols, std::uint64_t seed = 7,
                                             LargestOfBlock bounds = {}) {
  const FormatRow& row = format_row(format);
  std::vector<std::byte> bytes(n_rows * row_bytes(format, n_cols));
  std::vector<float> numbers(row.block_size);
  std::uint64_t position = 0;
  for (std::size_t at = 0; at < bytes.size(); at += row.block_bytes) {
    const std::span<std::byte> block(bytes.data() + at, row.block_bytes);
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
  }
  return bytes;
}

}  // namespace jarip
