// Matrix products, written once over the vector type V. One lane is one output; a tile's weights
// are unpacked once for up to V::kMaxRows rows of activations. Include only through kernels_*.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/kernels.h"

namespace jarip {

// The eight vectors of a packed block of 32 inputs, as unsigned bytes.
template <class V>
struct UnpackedBlock {
  typename V::Bytes weights[8];
};

template <class V>
[[gnu::always_inline]] inline UnpackedBlock<V> unpack_four_bit(const std::uint8_t* block) {
  UnpackedBlock<V> out;
  for (int j = 0; j < 4; ++j) {
    const typename V::Bytes pairs = V::load_bytes(block + j * 64);
    out.weights[j] = V::low_nibbles(pairs);
    out.weights[j + 4] = V::high_nibbles(pairs);
  }
  return out;
}

template <class V>
[[gnu::always_inline]] inline UnpackedBlock<V> unpack_eight_bit(const std::uint8_t* block) {
  UnpackedBlock<V> out;
  for (int j = 0; j < 8; ++j) out.weights[j] = V::load_bytes(block + j * 64);
  return out;
}

template <class V>
[[gnu::always_inline]] inline typename V::I32 dot_block(typename V::I32 sum,
                                                        const UnpackedBlock<V>& block,
                                                        const std::int8_t* values) {
  for (int j = 0; j < 8; ++j) sum = V::dot_small(sum, block.weights[j], values + 4 * j);
  return sum;
}

// Always inlined: a copy of its own would be shared between instruction sets.
[[gnu::always_inline]] inline const std::uint16_t* as_f16(const std::uint8_t* scales) {
  return reinterpret_cast<const std::uint16_t*>(scales);
}

// One struct a format: load() unpacks block b of a tile, accumulate() adds its part of one row's
// outputs. Scales are f32 products rounded once, then one fma joins the sum.
template <class V>
struct WeightsQ4_0 : UnpackedBlock<V> {
  typename V::F32 scale;

  [[gnu::always_inline]] static WeightsQ4_0 load(const std::uint8_t* weights,
                                                 const std::uint8_t* scales, std::uint32_t b) {
    return {unpack_four_bit<V>(weights + std::size_t{b} * 256),
            V::load_f16(as_f16(scales + std::size_t{b} * 32))};
  }
  [[gnu::always_inline]] typename V::F32 accumulate(const std::int8_t* values,
                                                    const ActivationBlock& x,
                                                    typename V::F32 acc) const {
    const auto start = V::set1_i32(8 * (x.neg_sum_low + x.neg_sum_high));
    const auto sum = dot_block<V>(start, *this, values);
    return V::fma(V::to_f32(sum), V::mul(scale, V::set1(x.scale)), acc);
  }
};

template <class V>
struct WeightsQ4_1 : UnpackedBlock<V> {
  typename V::F32 scale;
  typename V::F32 minimum;

  [[gnu::always_inline]] static WeightsQ4_1 load(const std::uint8_t* weights,
                                                 const std::uint8_t* scales, std::uint32_t b) {
    const std::uint16_t* record = as_f16(scales + std::size_t{b} * 64);
    return {unpack_four_bit<V>(weights + std::size_t{b} * 256), V::load_f16(record),
            V::load_f16(record + 16)};
  }
  [[gnu::always_inline]] typename V::F32 accumulate(const std::int8_t* values,
                                                    const ActivationBlock& x,
                                                    typename V::F32 acc) const {
    const auto sum = dot_block<V>(V::set1_i32(0), *this, values);
    acc = V::fma(V::to_f32(sum), V::mul(scale, V::set1(x.scale)), acc);
    return V::fma(minimum, V::set1(x.scaled_sum), acc);
  }
};

template <class V>
struct WeightsQ4_K : UnpackedBlock<V> {
  typename V::F32 scale;
  typename V::F32 neg_minimum;

  [[gnu::always_inline]] static WeightsQ4_K load(const std::uint8_t* weights,
                                                 const std::uint8_t* scales, std::uint32_t b) {
    const std::uint8_t* record = scales + std::size_t{b / 8} * 320;
    const std::size_t sub = std::size_t{b % 8} * 16;
    const auto minimum = V::mul(V::load_f16(as_f16(record + 32)), V::load_u8(record + 192 + sub));
    return {unpack_four_bit<V>(weights + std::size_t{b} * 256),
            V::mul(V::load_f16(as_f16(record)), V::load_u8(record + 64 + sub)),
            V::mul(minimum, V::set1(-1.0F))};
  }
  [[gnu::always_inline]] typename V::F32 accumulate(const std::int8_t* values,
                                                    const ActivationBlock& x,
                                                    typename V::F32 acc) const {
    const auto sum = dot_block<V>(V::set1_i32(0), *this, values);
    acc = V::fma(V::to_f32(sum), V::mul(scale, V::set1(x.scale)), acc);
    return V::fma(neg_minimum, V::set1(x.scaled_sum), acc);
  }
};

template <class V>
struct WeightsQ8_0 : UnpackedBlock<V> {
  typename V::F32 scale;

  [[gnu::always_inline]] static WeightsQ8_0 load(const std::uint8_t* weights,
                                                 const std::uint8_t* scales, std::uint32_t b) {
    return {unpack_eight_bit<V>(weights + std::size_t{b} * 512),
            V::load_f16(as_f16(scales + std::size_t{b} * 32))};
  }
  [[gnu::always_inline]] typename V::F32 accumulate(const std::int8_t* values,
                                                    const ActivationBlock& x,
                                                    typename V::F32 acc) const {
    auto sum = V::start_biased(x.neg_sum_low + x.neg_sum_high);
    for (int j = 0; j < 8; ++j) sum = V::dot_biased(sum, this->weights[j], values + 4 * j);
    return V::fma(V::to_f32(sum), V::mul(scale, V::set1(x.scale)), acc);
  }
};

template <class V>
struct WeightsQ6_K : UnpackedBlock<V> {
  typename V::F32 scale_low;
  typename V::F32 scale_high;

  [[gnu::always_inline]] static WeightsQ6_K load(const std::uint8_t* weights,
                                                 const std::uint8_t* scales, std::uint32_t b) {
    const std::uint8_t* record = scales + std::size_t{b / 8} * 288;
    const auto* sub = reinterpret_cast<const std::int8_t*>(record + 32) + std::size_t{b % 8} * 32;
    const auto scale = V::load_f16(as_f16(record));
    return {unpack_eight_bit<V>(weights + std::size_t{b} * 512), V::mul(scale, V::load_i8(sub)),
            V::mul(scale, V::load_i8(sub + 16))};
  }
  [[gnu::always_inline]] typename V::F32 accumulate(const std::int8_t* values,
                                                    const ActivationBlock& x,
                                                    typename V::F32 acc) const {
    auto low = V::set1_i32(32 * x.neg_sum_low);
    auto high = V::set1_i32(32 * x.neg_sum_high);
    for (int j = 0; j < 4; ++j) {
      low = V::dot_small(low, this->weights[j], values + 4 * j);
      high = V::dot_small(high, this->weights[j + 4], values + 16 + 4 * j);
    }
    acc = V::fma(V::to_f32(low), V::mul(scale_low, V::set1(x.scale)), acc);
    return V::fma(V::to_f32(high), V::mul(scale_high, V::set1(x.scale)), acc);
  }
};

// Where a tile's 16 outputs of one row go; the last tile of a matrix may have fewer.
template <class V>
[[gnu::always_inline]] inline void put_outputs(typename V::F32 value, float* out,
                                               std::uint32_t n_outputs, Epilogue epilogue) {
  if (n_outputs >= kTileRows) {
    V::store(out, epilogue == Epilogue::kAdd ? V::add(V::load(out), value) : value);
    return;
  }
  float lanes[kTileRows];
  V::store(lanes, value);
  for (std::uint32_t i = 0; i < n_outputs; ++i) {
    out[i] = epilogue == Epilogue::kAdd ? out[i] + lanes[i] : lanes[i];
  }
}

struct MatmulOutput {
  float* out;
  std::size_t stride;
  Epilogue epilogue;
};

// One tile for kRows rows of activations.
template <class V, class Weights, int kRows>
void multiply_rows(const PackedMatrix& matrix, std::uint32_t tile, const QuantizedRows& in,
                   std::uint32_t row, const MatmulOutput& to) {
  const std::uint8_t* weights = matrix.tile_weights(tile);
  const std::uint8_t* scales = matrix.tile_scales(tile);
  const std::int8_t* values = in.row_values(row);
  const ActivationBlock* blocks = in.row_blocks(row);
  const std::size_t n_cols = matrix.n_cols();
  const std::uint32_t n_blocks = matrix.n_blocks();
  typename V::F32 acc[kRows];
  for (int i = 0; i < kRows; ++i) acc[i] = V::set1(0.0F);
  for (std::uint32_t b = 0; b < n_blocks; ++b) {
    const Weights block = Weights::load(weights, scales, b);
    for (int i = 0; i < kRows; ++i) {
      acc[i] = block.accumulate(values + i * n_cols + b * kBlockCols,
                                blocks[static_cast<std::size_t>(i) * n_blocks + b], acc[i]);
    }
  }
  for (int i = 0; i < kRows; ++i) {
    put_outputs<V>(acc[i], to.out + (row + i) * to.stride + tile * kTileRows,
                   matrix.n_rows() - tile * kTileRows, to.epilogue);
  }
}

// The same for float formats: kTiles tiles at once, so that a single row's additions, which must
// follow each other, leave work for the machine in between.
template <class V, Format kFormat, int kRows, int kTiles>
void multiply_float_rows(const PackedMatrix& matrix, std::uint32_t tile, const float* in,
                         std::uint32_t row, const MatmulOutput& to) {
  const std::size_t n_cols = matrix.n_cols();
  typename V::F32 acc[kRows][kTiles];
  for (int i = 0; i < kRows; ++i) {
    for (int t = 0; t < kTiles; ++t) acc[i][t] = V::set1(0.0F);
  }
  for (std::size_t col = 0; col < n_cols; ++col) {
    typename V::F32 weights[kTiles];
    for (int t = 0; t < kTiles; ++t) {
      const std::uint8_t* stored = matrix.tile_weights(tile + t);
      const std::size_t at = col * kTileRows;
      if constexpr (kFormat == Format::kF32) {
        weights[t] = V::load(reinterpret_cast<const float*>(stored) + at);
      } else if constexpr (kFormat == Format::kF16) {
        weights[t] = V::load_f16(as_f16(stored) + at);
      } else {
        weights[t] = V::load_bf16(as_f16(stored) + at);
      }
    }
    for (int i = 0; i < kRows; ++i) {
      const auto x = V::set1(in[(row + i) * n_cols + col]);
      for (int t = 0; t < kTiles; ++t) acc[i][t] = V::fma(weights[t], x, acc[i][t]);
    }
  }
  for (int i = 0; i < kRows; ++i) {
    for (int t = 0; t < kTiles; ++t) {
      const std::uint32_t first = (tile + t) * kTileRows;
      put_outputs<V>(acc[i][t], to.out + (row + i) * to.stride + first, matrix.n_rows() - first,
                     to.epilogue);
    }
  }
}

template <class V, class Weights>
void multiply_quantized(const PackedMatrix& matrix, const QuantizedRows& in,
                        const MatmulRange& range, const MatmulOutput& to) {
  for (std::uint32_t tile = range.tile_begin; tile < range.tile_end; ++tile) {
    std::uint32_t row = range.row_begin;
    for (; row + V::kMaxRows <= range.row_end; row += V::kMaxRows) {
      multiply_rows<V, Weights, V::kMaxRows>(matrix, tile, in, row, to);
    }
    for (; row + 2 <= range.row_end; row += 2) {
      multiply_rows<V, Weights, 2>(matrix, tile, in, row, to);
    }
    if (row < range.row_end) multiply_rows<V, Weights, 1>(matrix, tile, in, row, to);
  }
}

template <class V, Format kFormat>
void multiply_float(const PackedMatrix& matrix, const float* in, const MatmulRange& range,
                    const MatmulOutput& to) {
  std::uint32_t row = range.row_begin;
  for (; row + V::kMaxRows <= range.row_end; row += V::kMaxRows) {
    for (std::uint32_t tile = range.tile_begin; tile < range.tile_end; ++tile) {
      multiply_float_rows<V, kFormat, V::kMaxRows, 1>(matrix, tile, in, row, to);
    }
  }
  for (; row < range.row_end; ++row) {
    std::uint32_t tile = range.tile_begin;
    for (; tile + 4 <= range.tile_end; tile += 4) {
      multiply_float_rows<V, kFormat, 1, 4>(matrix, tile, in, row, to);
    }
    for (; tile < range.tile_end; ++tile) {
      multiply_float_rows<V, kFormat, 1, 1>(matrix, tile, in, row, to);
    }
  }
}

template <class V>
void matmul(const PackedMatrix& weights, const MatmulInput& in, const MatmulRange& range,
            float* out, std::size_t out_stride, Epilogue epilogue) {
  const MatmulOutput to{out, out_stride, epilogue};
  switch (weights.format()) {
    case Format::kF32:
      return multiply_float<V, Format::kF32>(weights, in.rows, range, to);
    case Format::kF16:
      return multiply_float<V, Format::kF16>(weights, in.rows, range, to);
    case Format::kBF16:
      return multiply_float<V, Format::kBF16>(weights, in.rows, range, to);
    case Format::kQ8_0:
      return multiply_quantized<V, WeightsQ8_0<V>>(weights, *in.quantized, range, to);
    case Format::kQ4_0:
      return multiply_quantized<V, WeightsQ4_0<V>>(weights, *in.quantized, range, to);
    case Format::kQ4_1:
      return multiply_quantized<V, WeightsQ4_1<V>>(weights, *in.quantized, range, to);
    case Format::kQ4_K:
      return multiply_quantized<V, WeightsQ4_K<V>>(weights, *in.quantized, range, to);
    case Format::kQ6_K:
      return multiply_quantized<V, WeightsQ6_K<V>>(weights, *in.quantized, range, to);
  }
}

}  // namespace jarip
