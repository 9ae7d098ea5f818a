// A weight matrix repacked so that SIMD lanes are outputs (kernels.md): 16 output rows make a tile;
// a 64-byte vector holds 4 consecutive inputs of each. Immutable once packed; read by all threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "base/aligned_buffer.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "tensor/format.h"

namespace jarip {

inline constexpr std::uint32_t kTileRows = 16;
inline constexpr std::uint32_t kBlockCols = 32;        // inputs that share an activation scale
inline constexpr std::uint32_t kSuperBlockCols = 256;  // of the K formats

// Bytes of one packed block: kBlockCols inputs (a superblock for the K formats' scales) of a tile.
struct PackedLayout {
  std::uint32_t quant_bytes;  // of the weights of 16 x 32; 0 for float formats
  std::uint32_t scale_bytes;  // of the scales of 16 x scale_cols
  std::uint32_t scale_cols;   // inputs that one record of scales covers
  std::uint32_t float_bytes;  // of one weight in float formats, else 0
};

// Quants, for a block of 32 inputs of 16 rows, as vectors of 64 bytes; byte 4r + i of vector j is
// row r, input 4j + i:
//   eight-bit (Q8_0: value + 128): vectors 0 to 7.
//   others: 4 vectors of nibbles; vector j has the low four bits of vector j in its low and those
//   of vector j + 4 in its high nibbles. Then the bits above:
//   Q5_0: one vector of which bit j is the fifth bit of vector j.
//   Q6_K: two, of which bits 2j and 2j + 1 are the top bits of vector j, and of vector j + 4.
// Scales: Q8_0, Q5_0, Q4_0: f16[16]. Q4_1: f16 scale[16], f16 minimum[16].
//   Q4_K: f16 scale[16], f16 minimum_scale[16], u8 scales[8][16], u8 minimums[8][16].
//   Q6_K: f16 scale[16], i8 scales[16][16].
// Floats: [input][16] as stored.
constexpr PackedLayout packed_layout(Format format) {
  switch (format) {
    case Format::kF32:
      return {0, 0, kBlockCols, 4};
    case Format::kF16:
    case Format::kBF16:
      return {0, 0, kBlockCols, 2};
    case Format::kQ8_0:
      return {512, 32, kBlockCols, 0};
    case Format::kQ4_0:
      return {256, 32, kBlockCols, 0};
    case Format::kQ4_1:
      return {256, 64, kBlockCols, 0};
    case Format::kQ5_0:
      return {320, 32, kBlockCols, 0};
    case Format::kQ4_K:
      return {256, 320, kSuperBlockCols, 0};
    case Format::kQ6_K:
      return {384, 288, kSuperBlockCols, 0};
  }
  return {};
}

constexpr bool is_float(Format format) { return packed_layout(format).float_bytes != 0; }

class PackedMatrix {
 public:
  PackedMatrix() = default;

  // bytes: n_rows rows of n_cols weights, as stored in the file; n_cols is a multiple of the
  // format's block. The last tile is filled up with zero rows. on_read is told of each part of
  // bytes that won't be read again, on the calling thread. Errors: kUnavailable (memory).
  using OnRead = std::function<void(std::span<const std::byte>)>;
  [[nodiscard]] static Result<PackedMatrix> pack(Format format, std::span<const std::byte> bytes,
                                                 std::uint32_t n_rows, std::uint32_t n_cols,
                                                 ThreadPool& pool, const OnRead& on_read = {});

  // Row `row` as f32, as dequantize_row gives it from the stored bytes.
  void unpack_row(std::uint32_t row, std::span<float> out) const;

  [[nodiscard]] Format format() const { return format_; }
  [[nodiscard]] std::uint32_t n_rows() const { return n_rows_; }
  [[nodiscard]] std::uint32_t n_cols() const { return n_cols_; }
  [[nodiscard]] std::uint32_t n_tiles() const { return (n_rows_ + kTileRows - 1) / kTileRows; }
  [[nodiscard]] std::uint32_t n_blocks() const { return n_cols_ / kBlockCols; }
  [[nodiscard]] std::size_t memory_bytes() const { return buffer_.size(); }

  [[nodiscard]] std::size_t tile_weight_bytes() const { return tile_weight_bytes_; }

  // The weights of a tile (quants or floats), 64-byte aligned, and its scales, 32-byte aligned.
  [[nodiscard]] const std::uint8_t* tile_weights(std::uint32_t tile) const {
    return buffer_.at<const std::uint8_t>(tile * tile_weight_bytes_);
  }
  [[nodiscard]] const std::uint8_t* tile_scales(std::uint32_t tile) const {
    return buffer_.at<const std::uint8_t>(scales_offset_ + tile * tile_scale_bytes_);
  }

 private:
  void pack_tile(std::span<const std::byte> bytes, std::uint32_t tile);
  void unpack_block(const std::uint8_t* quants, const std::uint8_t* record, std::uint32_t row,
                    std::uint32_t sub, float* out) const;

  Format format_ = Format::kF32;
  std::uint32_t n_rows_ = 0;
  std::uint32_t n_cols_ = 0;
  std::size_t tile_weight_bytes_ = 0;
  std::size_t tile_scale_bytes_ = 0;
  std::size_t scales_offset_ = 0;
  AlignedBuffer buffer_;
};

}  // namespace jarip
