// Activations quantized for the integer kernels: int8 with one f32 scale for each row and block of
// 32, and the block's sums that zero points and minimums need. Scratch of the engine's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace jarip {

struct ActivationBlock {
  float scale;               // x ~ scale * value
  float scaled_sum;          // scale * (sum of the block's 32 values), rounded once
  std::int32_t neg_sum;      // -(sum of the values)
  std::int32_t neg_sum_low;  // -(sum of values 0 to 15)
};

struct QuantizedRows {
  bool is_read = true;  // false: all weights are floats, and rows needn't be quantized for them
  std::uint32_t n_cols = 0;
  std::vector<std::int8_t> values;      // [n_rows, n_cols]
  std::vector<ActivationBlock> blocks;  // [n_rows, n_cols / 32]

  void resize(std::size_t n_rows, std::uint32_t cols) {
    n_cols = cols;
    if (!is_read) return;
    if (values.size() < n_rows * n_cols) values.resize(n_rows * n_cols);
    if (blocks.size() < n_rows * n_cols / 32) blocks.resize(n_rows * n_cols / 32);
  }
  [[nodiscard]] const std::int8_t* row_values(std::size_t row) const {
    return values.data() + row * n_cols;
  }
  [[nodiscard]] const ActivationBlock* row_blocks(std::size_t row) const {
    return blocks.data() + row * (n_cols / 32);
  }
};

}  // namespace jarip
