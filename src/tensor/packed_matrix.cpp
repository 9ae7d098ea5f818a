#include "tensor/packed_matrix.h"

#include <algorithm>
#include <cstring>

#include "tensor/blocks.h"
#include "tensor/dequantize.h"
#include "tensor/half.h"

namespace jarip {
namespace {

// Where input i (0 to 31) of row r lies in a packed block: which 64-byte vector of eight, which
// byte. Four-bit blocks fold vectors 4 to 7 into the high nibbles of 0 to 3.
constexpr std::size_t packed_byte(std::uint32_t row, std::uint32_t input) {
  return (input / 4) * 64 + row * 4 + input % 4;
}

void put_eight(std::uint8_t* block, std::uint32_t row, std::uint32_t input, std::uint8_t value) {
  block[packed_byte(row, input)] = value;
}

void put_four(std::uint8_t* block, std::uint32_t row, std::uint32_t input, std::uint8_t value) {
  const std::uint32_t shift = input < 16 ? 0 : 4;
  std::uint8_t& byte = block[packed_byte(row, input % 16)];
  byte = static_cast<std::uint8_t>(byte | (value << shift));
}

std::uint8_t get_eight(const std::uint8_t* block, std::uint32_t row, std::uint32_t input) {
  return block[packed_byte(row, input)];
}

std::uint8_t get_four(const std::uint8_t* block, std::uint32_t row, std::uint32_t input) {
  const std::uint8_t byte = block[packed_byte(row, input % 16)];
  return input < 16 ? byte & 15U : byte >> 4U;
}

void put_f16(std::uint8_t* scales, std::uint32_t index, std::uint16_t value) {
  std::memcpy(scales + std::size_t{2} * index, &value, 2);
}

std::uint16_t get_f16(const std::uint8_t* scales, std::uint32_t index) {
  std::uint16_t value = 0;
  std::memcpy(&value, scales + std::size_t{2} * index, 2);
  return value;
}

// Each overload places one stored block of row `row`: weights points at its first packed block of
// 32 inputs, scales at its record of scales.
void place(const BlockQ8_0& block, std::uint32_t row, std::uint8_t* weights, std::uint8_t* scales) {
  for (std::uint32_t i = 0; i < 32; ++i) {
    put_eight(weights, row, i, static_cast<std::uint8_t>(block.values[i] + 128));
  }
  put_f16(scales, row, block.scale);
}

void place_nibbles(const std::uint8_t (&nibbles)[16], std::uint32_t row, std::uint8_t* weights) {
  for (std::uint32_t i = 0; i < 16; ++i) {
    put_eight(weights, row, i, nibbles[i]);  // the stored pairs are ours: inputs i and i + 16
  }
}

void place(const BlockQ4_0& block, std::uint32_t row, std::uint8_t* weights, std::uint8_t* scales) {
  place_nibbles(block.nibbles, row, weights);
  put_f16(scales, row, block.scale);
}

void place(const BlockQ4_1& block, std::uint32_t row, std::uint8_t* weights, std::uint8_t* scales) {
  place_nibbles(block.nibbles, row, weights);
  put_f16(scales, row, block.scale);
  put_f16(scales, kTileRows + row, block.minimum);
}

void place(const BlockQ4_K& block, std::uint32_t row, std::uint8_t* weights, std::uint8_t* scales) {
  for (int i = 0; i < 256; ++i) {
    put_four(weights + i / 32 * 256, row, static_cast<std::uint32_t>(i % 32), q4_k_value(block, i));
  }
  put_f16(scales, row, block.scale);
  put_f16(scales, kTileRows + row, block.minimum_scale);
  for (int j = 0; j < 8; ++j) {
    const SubBlockScale sub = q4_k_scale(block.packed, j);
    scales[64 + j * 16 + static_cast<int>(row)] = sub.scale;
    scales[192 + j * 16 + static_cast<int>(row)] = sub.minimum;
  }
}

void place(const BlockQ6_K& block, std::uint32_t row, std::uint8_t* weights, std::uint8_t* scales) {
  for (int i = 0; i < 256; ++i) {
    put_eight(weights + i / 32 * 512, row, static_cast<std::uint32_t>(i % 32),
              q6_k_value(block, i));
  }
  put_f16(scales, row, block.scale);
  for (int j = 0; j < 16; ++j) {
    scales[32 + j * 16 + static_cast<int>(row)] = static_cast<std::uint8_t>(block.scales[j]);
  }
}

// Places every block of one stored row.
template <class Block>
void place_row(const std::byte* bytes, std::uint32_t row, std::uint32_t n_blocks,
               std::uint32_t blocks_of_32, const PackedLayout& layout, std::uint8_t* weights,
               std::uint8_t* scales) {
  for (std::uint32_t b = 0; b < n_blocks; ++b) {
    Block block;
    std::memcpy(&block, bytes + std::size_t{b} * sizeof(Block), sizeof(Block));
    place(block, row, weights + std::size_t{b} * blocks_of_32 * layout.quant_bytes,
          scales + std::size_t{b} * layout.scale_bytes);
  }
}

}  // namespace

Result<PackedMatrix> PackedMatrix::pack(Format format, std::span<const std::byte> bytes,
                                        std::uint32_t n_rows, std::uint32_t n_cols,
                                        ThreadPool& pool) {
  const PackedLayout layout = packed_layout(format);
  PackedMatrix matrix;
  matrix.format_ = format;
  matrix.n_rows_ = n_rows;
  matrix.n_cols_ = n_cols;
  if (is_float(format)) {
    matrix.tile_weight_bytes_ = std::size_t{n_cols} * kTileRows * layout.float_bytes;
  } else {
    matrix.tile_weight_bytes_ = std::size_t{n_cols} / kBlockCols * layout.quant_bytes;
    matrix.tile_scale_bytes_ = std::size_t{n_cols} / layout.scale_cols * layout.scale_bytes;
  }
  const std::size_t n_tiles = matrix.n_tiles();
  matrix.scales_offset_ = (n_tiles * matrix.tile_weight_bytes_ + 63) / 64 * 64;
  JARIP_TRY(matrix.buffer_,
            AlignedBuffer::allocate(matrix.scales_offset_ + n_tiles * matrix.tile_scale_bytes_));
  pool.run(matrix.n_tiles(), [&](std::uint32_t tile, unsigned) { matrix.pack_tile(bytes, tile); });
  return matrix;
}

void PackedMatrix::pack_tile(std::span<const std::byte> bytes, std::uint32_t tile) {
  const PackedLayout layout = packed_layout(format_);
  const std::size_t stored_row = row_bytes(format_, n_cols_);
  auto* weights = const_cast<std::uint8_t*>(tile_weights(tile));
  auto* scales = const_cast<std::uint8_t*>(tile_scales(tile));
  for (std::uint32_t r = 0; r < kTileRows; ++r) {
    const std::uint32_t row = tile * kTileRows + r;
    if (row >= n_rows_) break;  // zero scales make zero outputs
    const std::byte* stored = bytes.data() + row * stored_row;
    switch (format_) {
      case Format::kF32:
      case Format::kF16:
      case Format::kBF16:
        for (std::size_t col = 0; col < n_cols_; ++col) {
          std::memcpy(weights + (col * kTileRows + r) * layout.float_bytes,
                      stored + col * layout.float_bytes, layout.float_bytes);
        }
        break;
      case Format::kQ8_0:
        place_row<BlockQ8_0>(stored, r, n_cols_ / 32, 1, layout, weights, scales);
        break;
      case Format::kQ4_0:
        place_row<BlockQ4_0>(stored, r, n_cols_ / 32, 1, layout, weights, scales);
        break;
      case Format::kQ4_1:
        place_row<BlockQ4_1>(stored, r, n_cols_ / 32, 1, layout, weights, scales);
        break;
      case Format::kQ4_K:
        place_row<BlockQ4_K>(stored, r, n_cols_ / 256, 8, layout, weights, scales);
        break;
      case Format::kQ6_K:
        place_row<BlockQ6_K>(stored, r, n_cols_ / 256, 8, layout, weights, scales);
        break;
    }
  }
}

void PackedMatrix::unpack_row(std::uint32_t row, std::span<float> out) const {
  const PackedLayout layout = packed_layout(format_);
  const std::uint32_t r = row % kTileRows;
  const std::uint8_t* weights = tile_weights(row / kTileRows);
  const std::uint8_t* scales = tile_scales(row / kTileRows);
  if (is_float(format_)) {
    for (std::size_t col = 0; col < n_cols_; ++col) {
      dequantize_row(format_,
                     std::as_bytes(std::span(weights + (col * kTileRows + r) * layout.float_bytes,
                                             layout.float_bytes)),
                     out.subspan(col, 1));
    }
    return;
  }
  for (std::uint32_t col = 0; col < n_cols_; ++col) {
    const std::uint8_t* block = weights + std::size_t{col / kBlockCols} * layout.quant_bytes;
    const std::uint8_t* record = scales + std::size_t{col / layout.scale_cols} * layout.scale_bytes;
    const std::uint32_t i = col % kBlockCols;
    const std::uint32_t sub = col % layout.scale_cols;
    const float scale = f16_to_f32(get_f16(record, r));
    switch (format_) {
      case Format::kQ8_0:
        out[col] = scale * static_cast<float>(get_eight(block, r, i) - 128);
        break;
      case Format::kQ4_0:
        out[col] = scale * static_cast<float>(get_four(block, r, i) - 8);
        break;
      case Format::kQ4_1:
        out[col] = scale * static_cast<float>(get_four(block, r, i)) +
                   f16_to_f32(get_f16(record, kTileRows + r));
        break;
      case Format::kQ4_K: {
        const std::size_t at = 64 + std::size_t{sub / 32} * 16 + r;
        const float minimum_scale = f16_to_f32(get_f16(record, kTileRows + r));
        out[col] = scale * record[at] * static_cast<float>(get_four(block, r, i)) -
                   minimum_scale * record[at + 128];
        break;
      }
      case Format::kQ6_K: {
        const auto sub_scale =
            static_cast<std::int8_t>(record[32 + std::size_t{sub / 16} * 16 + r]);
        out[col] =
            scale * static_cast<float>(sub_scale) * static_cast<float>(get_eight(block, r, i) - 32);
        break;
      }
      default:
        break;
    }
  }
}

}  // namespace jarip
