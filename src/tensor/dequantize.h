// Stored weights to f32, a row at a time: the definition of what each block format means. The
// reference path and the tests compute with these; kernels are checked against them.
#pragma once

#include <cstddef>
#include <span>

#include "tensor/format.h"

namespace jarip {

// Bytes of a row of n_cols weights; n_cols is a multiple of the format's block size.
constexpr std::size_t row_bytes(Format format, std::size_t n_cols) {
  const FormatRow& row = format_row(format);
  return n_cols / row.block_size * row.block_bytes;
}

// out.size() weights from bytes of row_bytes(format, out.size()).
void dequantize_row(Format format, std::span<const std::byte> bytes, std::span<float> out);

}  // namespace jarip
