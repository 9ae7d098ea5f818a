// Matrix products, written once over the vector type V. One lane is one output; a tile's weights
// are unpacked once for up to V::kFloatRows rows of activations. Include only through
// kernels_*.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/kernels.h"

namespace jarip {

// Always inlined: a copy of its own would be shared between instruction sets.
[[gnu::always_inline]] inline const std::uint16_t* as_f16(const std::uint8_t* scales) {
  return reinterpret_cast<const std::uint16_t*>(scales);
}

// One struct a quantized format, of what the kernel asks of it:
//   kQuantBytes, kParts: of a block; parts are summed apart, each with a scale of its own.
//   vector<j>(block): vector j of a block's weights, as unsigned bytes.
//   load(scales, b): the scales of block b of a tile.
//   start(part, x): the integer sum to begin with; dot() adds four inputs.
//   fold(sum, part, x, acc): adds the block's part to the outputs. Scales are f32 products rounded
//   once, then one fma joins the sum.

// Vector j of a block whose low four bits lie in nibbles.
template <class V, int j>
[[gnu::always_inline]] inline typename V::Bytes nibble_vector(const std::uint8_t* block) {
  const auto pairs = V::load_bytes(block + j % 4 * 64);
  return j < 4 ? V::low_nibbles(pairs) : V::high_nibbles(pairs);
}

// Formats whose weights are q - zero for q below 64, with one f16 scale a block.
template <class V, int kZeroShift>
struct OneScale {
  static constexpr int kParts = 1;
  typename V::F32 scale;

  [[gnu::always_inline]] static typename V::I32 start(int /*part*/, const ActivationBlock& x) {
    return V::template shifted_set1_i32<kZeroShift>(x.neg_sum);
  }
  [[gnu::always_inline]] static typename V::I32 dot(typename V::I32 sum, typename V::Bytes weights,
                                                    const std::int8_t* values) {
    return V::dot_small(sum, weights, values);
  }
  [[gnu::always_inline]] typename V::F32 fold(typename V::I32 sum, int /*part*/,
                                              const ActivationBlock& x, typename V::F32 acc) const {
    return V::fma(V::to_f32(sum), V::mul(scale, V::set1(x.scale)), acc);
  }
};

template <class V>
struct WeightsQ4_0 : OneScale<V, 3> {
  static constexpr std::size_t kQuantBytes = 256;

  template <int j>
  [[gnu::always_inline]] static typename V::Bytes vector(const std::uint8_t* block) {
    return nibble_vector<V, j>(block);
  }
  [[gnu::always_inline]] static WeightsQ4_0 load(const std::uint8_t* scales, std::uint32_t b) {
    return {V::load_f16(as_f16(scales + std::size_t{b} * 32))};
  }
};

template <class V>
struct WeightsQ5_0 : OneScale<V, 4> {
  static constexpr std::size_t kQuantBytes = 320;

  template <int j>
  [[gnu::always_inline]] static typename V::Bytes vector(const std::uint8_t* block) {
    return V::template join_bits<j, 1, 4>(nibble_vector<V, j>(block), V::load_bytes(block + 256));
  }
  [[gnu::always_inline]] static WeightsQ5_0 load(const std::uint8_t* scales, std::uint32_t b) {
    return {V::load_f16(as_f16(scales + std::size_t{b} * 32))};
  }
};

template <class V>
struct WeightsQ8_0 : OneScale<V, 7> {
  static constexpr std::size_t kQuantBytes = 512;

  template <int j>
  [[gnu::always_inline]] static typename V::Bytes vector(const std::uint8_t* block) {
    return V::load_bytes(block + j * 64);
  }
  [[gnu::always_inline]] static WeightsQ8_0 load(const std::uint8_t* scales, std::uint32_t b) {
    return {V::load_f16(as_f16(scales + std::size_t{b} * 32))};
  }
  [[gnu::always_inline]] static typename V::I32 start(int /*part*/, const ActivationBlock& x) {
    return V::start_biased(x.neg_sum);
  }
  [[gnu::always_inline]] static typename V::I32 dot(typename V::I32 sum, typename V::Bytes weights,
                                                    const std::int8_t* values) {
    return V::dot_biased(sum, weights, values);
  }
};

// Formats with minimums: one fma for the scaled sum, one for the minimum.
template <class V>
struct ScaleAndMinimum {
  static constexpr std::size_t kQuantBytes = 256;
  static constexpr int kParts = 1;
  typename V::F32 scale;
  typename V::F32 minimum;  // as it is added

  template <int j>
  [[gnu::always_inline]] static typename V::Bytes vector(const std::uint8_t* block) {
    return nibble_vector<V, j>(block);
  }
  [[gnu::always_inline]] static typename V::I32 start(int /*part*/, const ActivationBlock& /*x*/) {
    return V::set1_i32(0);
  }
  [[gnu::always_inline]] static typename V::I32 dot(typename V::I32 sum, typename V::Bytes weights,
                                                    const std::int8_t* values) {
    return V::dot_small(sum, weights, values);
  }
  [[gnu::always_inline]] typename V::F32 fold(typename V::I32 sum, int /*part*/,
                                              const ActivationBlock& x, typename V::F32 acc) const {
    acc = V::fma(V::to_f32(sum), V::mul(scale, V::set1(x.scale)), acc);
    return V::fma(minimum, V::set1(x.scaled_sum), acc);
  }
};

template <class V>
struct WeightsQ4_1 : ScaleAndMinimum<V> {
  [[gnu::always_inline]] static WeightsQ4_1 load(const std::uint8_t* scales, std::uint32_t b) {
    const std::uint16_t* record = as_f16(scales + std::size_t{b} * 64);
    return {V::load_f16(record), V::load_f16(record + 16)};
  }
};

template <class V>
struct WeightsQ4_K : ScaleAndMinimum<V> {
  [[gnu::always_inline]] static WeightsQ4_K load(const std::uint8_t* scales, std::uint32_t b) {
    const std::uint8_t* record = scales + std::size_t{b / 8} * 320;
    const std::size_t sub = std::size_t{b % 8} * 16;
    const auto minimum = V::mul(V::load_f16(as_f16(record + 32)), V::load_u8(record + 192 + sub));
    return {V::mul(V::load_f16(as_f16(record)), V::load_u8(record + 64 + sub)),
            V::mul(minimum, V::set1(-1.0F))};
  }
};

template <class V>
struct WeightsQ6_K {
  static constexpr std::size_t kQuantBytes = 384;
  static constexpr int kParts = 2;
  typename V::F32 scales[2];

  template <int j>
  [[gnu::always_inline]] static typename V::Bytes vector(const std::uint8_t* block) {
    return V::template join_bits<j % 4 * 2, 2, 4>(nibble_vector<V, j>(block),
                                                  V::load_bytes(block + 256 + j / 4 * 64));
  }
  [[gnu::always_inline]] static WeightsQ6_K load(const std::uint8_t* scales, std::uint32_t b) {
    const std::uint8_t* record = scales + std::size_t{b / 8} * 288;
    const auto* sub = reinterpret_cast<const std::int8_t*>(record + 32) + std::size_t{b % 8} * 32;
    const auto scale = V::load_f16(as_f16(record));
    return {{V::mul(scale, V::load_i8(sub)), V::mul(scale, V::load_i8(sub + 16))}};
  }
  [[gnu::always_inline]] static typename V::I32 start(int part, const ActivationBlock& x) {
    return V::template shifted_set1_i32<5>(part == 0 ? x.neg_sum_low : x.neg_sum - x.neg_sum_low);
  }
  [[gnu::always_inline]] static typename V::I32 dot(typename V::I32 sum, typename V::Bytes weights,
                                                    const std::int8_t* values) {
    return V::dot_small(sum, weights, values);
  }
  [[gnu::always_inline]] typename V::F32 fold(typename V::I32 sum, int part,
                                              const ActivationBlock& x, typename V::F32 acc) const {
    return V::fma(V::to_f32(sum), V::mul(scales[part], V::set1(x.scale)), acc);
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
  float* out;  // of the range's first row and tile
  std::size_t stride;
  Epilogue epilogue;
  std::uint32_t first_row;
  std::uint32_t first_tile;

  [[nodiscard]] float* at(std::uint32_t row, std::uint32_t tile) const {
    return out + (row - first_row) * stride + std::size_t{tile - first_tile} * kTileRows;
  }
};

// What one block of kTiles tiles multiplies: where its rows of activations and its sums are.
template <class V, int kTiles, int kRows>
struct BlockSums {
  typename V::I32 sums[kRows][kTiles];
  const std::uint8_t* weights[kTiles];  // of the block
  const std::int8_t* values;            // of the block, in the first row
  std::size_t n_cols;

  // Adds vector j: inputs 4j to 4j + 3.
  template <class Weights, int j>
  [[gnu::always_inline]] void add_vector() {
    typename V::Bytes vectors[kTiles];
    for (int t = 0; t < kTiles; ++t) vectors[t] = Weights::template vector<j>(weights[t]);
    for (int i = 0; i < kRows; ++i) {
      for (int t = 0; t < kTiles; ++t) {
        sums[i][t] = Weights::dot(sums[i][t], vectors[t], values + i * n_cols + 4 * j);
      }
    }
  }
  // Vectors of a part: 0 to 7 in the order in which they share loads, or half of them.
  template <class Weights, int kPart>
  [[gnu::always_inline]] void add_part() {
    if constexpr (Weights::kParts == 1) {
      add_vector<Weights, 0>(), add_vector<Weights, 4>();
      add_vector<Weights, 1>(), add_vector<Weights, 5>();
      add_vector<Weights, 2>(), add_vector<Weights, 6>();
      add_vector<Weights, 3>(), add_vector<Weights, 7>();
    } else {
      add_vector<Weights, 4 * kPart>(), add_vector<Weights, 4 * kPart + 1>();
      add_vector<Weights, 4 * kPart + 2>(), add_vector<Weights, 4 * kPart + 3>();
    }
  }
};

// Asks for what lies `ahead` bytes beyond a block. Memory streams at full speed only so: the
// machine's own prefetching stops at each page of 4 KiB.
[[gnu::always_inline]] inline void prefetch(const std::uint8_t* block, std::size_t n_bytes,
                                            std::size_t ahead) {
  for (std::size_t line = 0; line < n_bytes; line += 64) __builtin_prefetch(block + line + ahead);
}

// kTiles tiles for kRows rows of activations: what is unpacked serves all rows, what is broadcast
// all tiles. ahead: how far beyond each block to prefetch; 0 when the tiles are in the caches.
template <class V, class Weights, int kTiles, int kRows>
void multiply_rows(const PackedMatrix& matrix, std::uint32_t tile, const QuantizedRows& in,
                   std::uint32_t row, const MatmulOutput& to, std::size_t ahead) {
  const ActivationBlock* blocks = in.row_blocks(row);
  const std::uint32_t n_blocks = matrix.n_blocks();
  BlockSums<V, kTiles, kRows> block;
  block.values = in.row_values(row);
  block.n_cols = matrix.n_cols();
  for (int t = 0; t < kTiles; ++t) block.weights[t] = matrix.tile_weights(tile + t);
  typename V::F32 acc[kRows][kTiles];
  for (auto& tiles : acc) {
    for (auto& lanes : tiles) lanes = V::set1(0.0F);
  }
  const auto add_part = [&]<int kPart>(const Weights(&weights)[kTiles],
                                       std::uint32_t b) __attribute__((always_inline)) {
    for (int i = 0; i < kRows; ++i) {
      const ActivationBlock& x = blocks[static_cast<std::size_t>(i) * n_blocks + b];
      const auto start = Weights::start(kPart, x);
      for (int t = 0; t < kTiles; ++t) block.sums[i][t] = start;
    }
    block.template add_part<Weights, kPart>();
    for (int i = 0; i < kRows; ++i) {
      const ActivationBlock& x = blocks[static_cast<std::size_t>(i) * n_blocks + b];
      for (int t = 0; t < kTiles; ++t) {
        acc[i][t] = weights[t].fold(block.sums[i][t], kPart, x, acc[i][t]);
      }
    }
  };
  for (std::uint32_t b = 0; b < n_blocks; ++b) {
    Weights weights[kTiles];
    for (int t = 0; t < kTiles; ++t) weights[t] = Weights::load(matrix.tile_scales(tile + t), b);
    if (ahead != 0) {
      for (const std::uint8_t* at : block.weights) prefetch(at, Weights::kQuantBytes, ahead);
    }
    add_part.template operator()<0>(weights, b);
    if constexpr (Weights::kParts == 2) add_part.template operator()<1>(weights, b);
    for (int t = 0; t < kTiles; ++t) block.weights[t] += Weights::kQuantBytes;
    block.values += kBlockCols;
  }
  for (int i = 0; i < kRows; ++i) {
    for (int t = 0; t < kTiles; ++t) {
      put_outputs<V>(acc[i][t], to.at(row + i, tile + t), matrix.n_rows() - (tile + t) * kTileRows,
                     to.epilogue);
    }
  }
}

template <class V, Format kFormat>
[[gnu::always_inline]] inline typename V::F32 load_floats(const std::uint8_t* stored) {
  if constexpr (kFormat == Format::kF32) return V::load(reinterpret_cast<const float*>(stored));
  if constexpr (kFormat == Format::kF16) return V::load_f16(as_f16(stored));
  if constexpr (kFormat == Format::kBF16) return V::load_bf16(as_f16(stored));
}

// The same for float formats. A sum's additions must follow each other, so several tiles leave work
// for the machine in between even for one row.
template <class V, Format kFormat, int kTiles, int kRows>
void multiply_float_rows(const PackedMatrix& matrix, std::uint32_t tile, const float* in,
                         std::uint32_t row, const MatmulOutput& to, std::size_t ahead) {
  constexpr std::size_t kStep = kTileRows * packed_layout(kFormat).float_bytes;
  const std::size_t n_cols = matrix.n_cols();
  const float* rows = in + row * n_cols;
  const std::uint8_t* weights[kTiles];
  for (int t = 0; t < kTiles; ++t) weights[t] = matrix.tile_weights(tile + t);
  typename V::F32 acc[kRows][kTiles];
  for (auto& tiles : acc) {
    for (auto& lanes : tiles) lanes = V::set1(0.0F);
  }
  for (std::size_t col = 0; col < n_cols; ++col) {
    typename V::F32 lanes[kTiles];
    for (int t = 0; t < kTiles; ++t) {
      lanes[t] = load_floats<V, kFormat>(weights[t] + col * kStep);
      if (ahead != 0) __builtin_prefetch(weights[t] + col * kStep + ahead);
    }
    for (int i = 0; i < kRows; ++i) {
      const auto x = V::set1(rows[i * n_cols + col]);
      for (int t = 0; t < kTiles; ++t) acc[i][t] = V::fma(lanes[t], x, acc[i][t]);
    }
  }
  for (int i = 0; i < kRows; ++i) {
    for (int t = 0; t < kTiles; ++t) {
      put_outputs<V>(acc[i][t], to.at(row + i, tile + t), matrix.n_rows() - (tile + t) * kTileRows,
                     to.epilogue);
    }
  }
}

// All rows of kTiles tiles. The first rows to meet them prefetch the tiles that come next.
template <class V, class Weights, int kTiles>
void multiply_tiles(const PackedMatrix& matrix, std::uint32_t tile, const QuantizedRows& in,
                    const MatmulRange& range, const MatmulOutput& to) {
  std::uint32_t row = range.row_begin;
  std::size_t ahead = kTiles * matrix.tile_weight_bytes();
  const auto multiply = [&]<int kRows>() {
    multiply_rows<V, Weights, kTiles, kRows>(matrix, tile, in, row, to, ahead);
    row += kRows;
    ahead = 0;
  };
  while (row + V::kRows <= range.row_end) multiply.template operator()<V::kRows>();
  if constexpr (V::kRows > 4) {
    if (row + 4 <= range.row_end) multiply.template operator()<4>();
  }
  if (row + 2 <= range.row_end) multiply.template operator()<2>();
  if (row < range.row_end) multiply.template operator()<1>();
}

// n rows of one tile, n at most kMost: a kernel of its own for each number.
template <class V, class Weights, int kMost>
[[gnu::always_inline]] inline void multiply_few(const PackedMatrix& matrix, std::uint32_t tile,
                                                const QuantizedRows& in, std::uint32_t row,
                                                std::uint32_t n, const MatmulOutput& to,
                                                std::size_t ahead) {
  if constexpr (kMost > 0) {
    if (n != kMost) {
      return multiply_few<V, Weights, kMost - 1>(matrix, tile, in, row, n, to, ahead);
    }
    multiply_rows<V, Weights, 1, kMost>(matrix, tile, in, row, to, ahead);
  }
}

// Few rows: the time goes into reading the weights, so they are read in order, and each tile for
// all rows while it is in the nearest cache.
template <class V, class Weights>
void stream_tiles(const PackedMatrix& matrix, const QuantizedRows& in, const MatmulRange& range,
                  const MatmulOutput& to) {
  constexpr std::size_t kAhead = 4096;
  const std::uint32_t n_rows = range.row_end - range.row_begin;
  const std::uint32_t n_passes = (n_rows + V::kFewRows - 1) / V::kFewRows;
  for (std::uint32_t tile = range.tile_begin; tile < range.tile_end; ++tile) {
    std::uint32_t row = range.row_begin;
    for (std::uint32_t left = n_passes; left > 0; --left) {
      const std::uint32_t n = (range.row_end - row + left - 1) / left;
      multiply_few<V, Weights, V::kFewRows>(matrix, tile, in, row, n, to,
                                            left == n_passes ? kAhead : 0);
      row += n;
    }
  }
}

template <class V, class Weights>
void multiply_quantized(const PackedMatrix& matrix, const QuantizedRows& in,
                        const MatmulRange& range, const MatmulOutput& to) {
  if (range.row_end - range.row_begin <= V::kStreamPasses * V::kFewRows) {
    return stream_tiles<V, Weights>(matrix, in, range, to);
  }
  std::uint32_t tile = range.tile_begin;
  for (; tile + V::kTiles <= range.tile_end; tile += V::kTiles) {
    multiply_tiles<V, Weights, V::kTiles>(matrix, tile, in, range, to);
  }
  if constexpr (V::kTiles > 1) {
    for (; tile < range.tile_end; ++tile) {
      multiply_tiles<V, Weights, 1>(matrix, tile, in, range, to);
    }
  }
}

// All rows of kTiles tiles, as multiply_tiles() has it.
template <class V, Format kFormat, int kTiles>
void multiply_float_tiles(const PackedMatrix& matrix, std::uint32_t tile, const float* in,
                          const MatmulRange& range, const MatmulOutput& to) {
  std::uint32_t row = range.row_begin;
  std::size_t ahead = kTiles * matrix.tile_weight_bytes();
  const auto multiply = [&]<int kRows>() {
    multiply_float_rows<V, kFormat, kTiles, kRows>(matrix, tile, in, row, to, ahead);
    row += kRows;
    ahead = 0;
  };
  while (row + V::kFloatRows <= range.row_end) multiply.template operator()<V::kFloatRows>();
  if constexpr (V::kFloatRows > 4) {
    if (row + 4 <= range.row_end) multiply.template operator()<4>();
  }
  if (row + 2 <= range.row_end) multiply.template operator()<2>();
  if (row < range.row_end) multiply.template operator()<1>();
}

template <class V, Format kFormat>
void multiply_float(const PackedMatrix& matrix, const float* in, const MatmulRange& range,
                    const MatmulOutput& to) {
  std::uint32_t tile = range.tile_begin;
  if (range.row_end - range.row_begin == 1) {
    constexpr std::size_t kAhead = 2048;
    for (; tile + 4 <= range.tile_end; tile += 4) {
      multiply_float_rows<V, kFormat, 4, 1>(matrix, tile, in, range.row_begin, to, kAhead);
    }
  }
  for (; tile + V::kTiles <= range.tile_end; tile += V::kTiles) {
    multiply_float_tiles<V, kFormat, V::kTiles>(matrix, tile, in, range, to);
  }
  for (; tile < range.tile_end; ++tile) {
    multiply_float_tiles<V, kFormat, 1>(matrix, tile, in, range, to);
  }
}

template <class V>
void matmul(const PackedMatrix& weights, const MatmulInput& in, const MatmulRange& range,
            float* out, std::size_t out_stride, Epilogue epilogue) {
  const MatmulOutput to{out, out_stride, epilogue, range.row_begin, range.tile_begin};
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
    case Format::kQ5_0:
      return multiply_quantized<V, WeightsQ5_0<V>>(weights, *in.quantized, range, to);
    case Format::kQ4_K:
      return multiply_quantized<V, WeightsQ4_K<V>>(weights, *in.quantized, range, to);
    case Format::kQ6_K:
      return multiply_quantized<V, WeightsQ6_K<V>>(weights, *in.quantized, range, to);
  }
}

}  // namespace jarip
