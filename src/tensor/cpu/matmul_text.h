// Matrix products, written once over the vector type V. One lane is one output; a tile's weights
// are unpacked once for up to V::kFloatRows rows of activations. Include only through
// kernels_*.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/cpu/weights_text.h"
#include "tensor/kernels.h"

namespace jarip {

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
    for (int t = 0; t < kTiles; ++t) vectors[t] = Weights::Quants::template vector<j>(weights[t]);
    for (int i = 0; i < kRows; ++i) {
      for (int t = 0; t < kTiles; ++t) {
        sums[i][t] = Weights::Scales::dot(sums[i][t], vectors[t], values + i * n_cols + 4 * j);
      }
    }
  }
  // Vectors of a part: 0 to 7 in the order in which they share loads, or half of them.
  template <class Weights, int kPart>
  [[gnu::always_inline]] void add_part() {
    if constexpr (Weights::Scales::kParts == 1) {
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
  using Scales = typename Weights::Scales;
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
  const auto add_part = [&]<int kPart>(const Scales(&scales)[kTiles],
                                       std::uint32_t b) __attribute__((always_inline)) {
    for (int i = 0; i < kRows; ++i) {
      const ActivationBlock& x = blocks[static_cast<std::size_t>(i) * n_blocks + b];
      const auto start = Weights::Scales::start(kPart, x);
      for (int t = 0; t < kTiles; ++t) block.sums[i][t] = start;
    }
    block.template add_part<Weights, kPart>();
    for (int i = 0; i < kRows; ++i) {
      const ActivationBlock& x = blocks[static_cast<std::size_t>(i) * n_blocks + b];
      for (int t = 0; t < kTiles; ++t) {
        acc[i][t] = scales[t].fold(block.sums[i][t], kPart, x, acc[i][t]);
      }
    }
  };
  for (std::uint32_t b = 0; b < n_blocks; ++b) {
    Scales scales[kTiles];
    for (int t = 0; t < kTiles; ++t) scales[t] = Scales::load(matrix.tile_scales(tile + t), b);
    if (ahead != 0) {
      for (const std::uint8_t* at : block.weights) prefetch(at, Weights::Quants::kBytes, ahead);
    }
    add_part.template operator()<0>(scales, b);
    if constexpr (Weights::Scales::kParts == 2) add_part.template operator()<1>(scales, b);
    for (int t = 0; t < kTiles; ++t) block.weights[t] += Weights::Quants::kBytes;
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
  const auto quantized = [&]<class Quants, class Scales>() {
    multiply_quantized<V, PackedWeights<Quants, Scales>>(weights, *in.quantized, range, to);
  };
  switch (weights.format()) {
    case Format::kF32:
      return multiply_float<V, Format::kF32>(weights, in.rows, range, to);
    case Format::kF16:
      return multiply_float<V, Format::kF16>(weights, in.rows, range, to);
    case Format::kBF16:
      return multiply_float<V, Format::kBF16>(weights, in.rows, range, to);
    case Format::kQ8_0:
      return quantized.template operator()<EightBits<V>, F16Scale<V, 7>>();
    case Format::kQ4_0:
      return quantized.template operator()<FourBits<V>, F16Scale<V, 3>>();
    case Format::kQ4_1:
      return quantized.template operator()<FourBits<V>, F16Minimum<V>>();
    case Format::kQ5_0:
      return quantized.template operator()<FiveBits<V>, F16Scale<V, 4>>();
    case Format::kQ5_1:
      return quantized.template operator()<FiveBits<V>, F16Minimum<V>>();
    case Format::kQ2_K:
      return quantized.template operator()<TwoBits<V>, HalvesMinimums<V>>();
    case Format::kQ3_K:
      return quantized.template operator()<ThreeBits<V>, HalvesScales<V, 2>>();
    case Format::kQ4_K:
      return quantized.template operator()<FourBits<V>, ScaledMinimum<V>>();
    case Format::kQ5_K:
      return quantized.template operator()<FiveBits<V>, ScaledMinimum<V>>();
    case Format::kQ6_K:
      return quantized.template operator()<SixBits<V>, HalvesScales<V, 5>>();
    case Format::kIQ4_NL:
      return quantized.template operator()<FourBitCodes<V, kIQ4Codes>, F16Scale<V, 7>>();
    case Format::kIQ4_XS:
      return quantized.template operator()<FourBitCodes<V, kIQ4Codes>, ScaledScale<V>>();
    case Format::kMXFP4:
      return quantized.template operator()<FourBitCodes<V, kMXFP4Codes>, Bf16Scale<V>>();
  }
}

}  // namespace jarip
