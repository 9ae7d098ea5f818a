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
#include "tensor/blocks.h"
#include "tensor/format.h"

namespace jarip {

inline constexpr std::uint32_t kTileRows = 16;
inline constexpr std::uint32_t kBlockCols = 32;        // inputs that share an activation scale
inline constexpr std::uint32_t kSuperBlockCols = 256;  // of the K formats

// How a format's weights are packed: kBlockCols inputs of a tile at a time (a superblock for the K
// formats' scales).
struct PackedLayout {
  std::uint32_t low_bits;     // of a weight, kept together: 8, 4, 2; 0 for float formats
  std::uint32_t high_bits;    // above them, in planes of their own
  int zero;                   // a weight's number is q - zero,
  const std::int8_t* values;  // or values[q] where there are any
  std::uint32_t scale_bytes;  // of the scales of 16 x scale_cols
  std::uint32_t scale_cols;   // inputs that one record of scales covers
  std::uint32_t float_bytes;  // of one weight in float formats, else 0

  // Of the weights of 16 x 32.
  [[nodiscard]] constexpr std::uint32_t quant_bytes() const { return 64 * (low_bits + high_bits); }
};

// Quants, for a block of 32 inputs of 16 rows, as vectors of 64 bytes; byte 4r + i of vector j is
// row r, input 4j + i. The low bits:
//   8 (Q8_0: value + 128): vectors 0 to 7.
//   4: 4 vectors of nibbles; vector j has those of vector j in its low and those of vector j + 4 in
//      its high nibbles.
//   2: 2 vectors, of which bits 2j and 2j + 1 belong to vector j, and to vector j + 4.
// Then the bits above them:
//   1: one vector, of which bit j belongs to vector j.
//   2: as low bits are.
// Scales, arrays of [16]:
//   Q8_0, Q4_0, Q5_0, IQ4_NL:  f16
//   MXFP4:                     bfloat16
//   Q4_1, Q5_1:                f16 scale, f16 minimum
//   Q4_K, Q5_K:                f16 scale, f16 minimum_scale, u8 scales[8], u8 minimums[8]
//   Q2_K:                      f16 scale, f16 minimum_scale, u8 of both in four bits each[16]
//   Q3_K, Q6_K:                f16 scale, i8 scales[16]
//   IQ4_XS:                    f16 scale, i8 scales[8]
// Floats: [input][16] as stored.
constexpr PackedLayout packed_layout(Format format) {
  switch (format) {
    case Format::kF32:
      return {0, 0, 0, nullptr, 0, kBlockCols, 4};
    case Format::kF16:
    case Format::kBF16:
      return {0, 0, 0, nullptr, 0, kBlockCols, 2};
    case Format::kQ8_0:
      return {8, 0, 128, nullptr, 32, kBlockCols, 0};
    case Format::kQ4_0:
      return {4, 0, 8, nullptr, 32, kBlockCols, 0};
    case Format::kQ4_1:
      return {4, 0, 0, nullptr, 64, kBlockCols, 0};
    case Format::kQ5_0:
      return {4, 1, 16, nullptr, 32, kBlockCols, 0};
    case Format::kQ5_1:
      return {4, 1, 0, nullptr, 64, kBlockCols, 0};
    case Format::kQ2_K:
      return {2, 0, 0, nullptr, 320, kSuperBlockCols, 0};
    case Format::kQ3_K:
      return {2, 1, 4, nullptr, 288, kSuperBlockCols, 0};
    case Format::kQ4_K:
      return {4, 0, 0, nullptr, 320, kSuperBlockCols, 0};
    case Format::kQ5_K:
      return {4, 1, 0, nullptr, 320, kSuperBlockCols, 0};
    case Format::kQ6_K:
      return {4, 2, 32, nullptr, 288, kSuperBlockCols, 0};
    case Format::kIQ4_NL:
      return {4, 0, 0, kIQ4Values, 32, kBlockCols, 0};
    case Format::kIQ4_XS:
      return {4, 0, 0, kIQ4Values, 160, kSuperBlockCols, 0};
    case Format::kMXFP4:
      return {4, 0, 0, kMXFP4Values, 32, kBlockCols, 0};
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
