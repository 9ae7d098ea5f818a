#include "tensor/packed_matrix.h"

#include <algorithm>
#include <cstring>

#include "tensor/blocks.h"
#include "tensor/dequantize.h"
#include "tensor/half.h"

namespace jarip {
namespace {

// Four consecutive weights of a row, one a byte: what a row contributes to a packed vector.
using Word = std::uint32_t;

constexpr Word kLowBits = 0x01010101;
constexpr Word kLowCrumbs = 0x03030303;  // two bits each
constexpr Word kLowNibbles = 0x0F0F0F0F;
constexpr std::size_t kVectorBytes = 64;
// Stored bytes that are packed before on_read hears of them.
constexpr std::size_t kSlabBytes = std::size_t{16} << 20U;

Word read_word(const void* bytes, std::size_t index) {
  Word word = 0;
  std::memcpy(&word, static_cast<const std::uint8_t*>(bytes) + 4 * index, 4);
  return word;
}

// Where one row's part of packed blocks goes: word r of each vector is row r's.
class RowPlace {
 public:
  RowPlace(std::uint8_t* weights, std::uint8_t* scales, std::uint32_t row)
      : weights_(weights), scales_(scales), row_(row) {}

  void put(std::size_t vector, Word word) const {
    std::memcpy(weights_ + vector * kVectorBytes + std::size_t{4} * row_, &word, 4);
  }
  // Entry `index` of the arrays of f16[16] that a record of scales begins with.
  void put_f16(std::size_t index, std::uint16_t value) const {
    std::memcpy(scales_ + 2 * (index * kTileRows + row_), &value, 2);
  }
  // Entry `index` of the arrays of bytes [16] that lie `offset` bytes into the record.
  void put_byte(std::size_t offset, std::size_t index, std::uint8_t value) const {
    scales_[offset + index * kTileRows + row_] = value;
  }

 private:
  std::uint8_t* weights_;
  std::uint8_t* scales_;
  std::uint32_t row_;
};

// Each overload places one stored block of a row.
void place(const BlockQ8_0& block, const RowPlace& to) {
  for (std::size_t j = 0; j < 8; ++j) to.put(j, read_word(block.values, j) ^ 0x80808080U);
  to.put_f16(0, block.scale);
}

// The stored pairs are ours: inputs i and i + 16.
void place_nibbles(const std::uint8_t (&nibbles)[16], const RowPlace& to, std::size_t vector = 0) {
  for (std::size_t j = 0; j < 4; ++j) to.put(vector + j, read_word(nibbles, j));
}

// Stored pairs of inputs i and i + 32, two blocks that are packed n_vectors apart.
void place_paired_nibbles(const std::uint8_t* nibbles, const RowPlace& to, std::size_t vector,
                          std::size_t n_vectors) {
  for (std::size_t j = 0; j < 4; ++j) {
    const Word first = read_word(nibbles, j);
    const Word second = read_word(nibbles, j + 4);
    to.put(vector + j, (first & kLowNibbles) | (second & kLowNibbles) << 4U);
    to.put(vector + n_vectors + j, (first >> 4U & kLowNibbles) | (second & ~kLowNibbles));
  }
}

// Bits `shift` and `shift` + 1 of 16 bytes, as a plane of crumbs.
Word crumbs_of(const std::uint8_t* bytes, std::size_t shift) {
  Word plane = 0;
  for (std::size_t j = 0; j < 4; ++j) {
    plane |= (read_word(bytes, j) >> shift & kLowCrumbs) << (2 * j);
  }
  return plane;
}

// Bit `shift` of 32 bytes, as a plane of bits.
Word bits_of(const std::uint8_t* bytes, std::size_t shift) {
  Word plane = 0;
  for (std::size_t j = 0; j < 8; ++j) plane |= (read_word(bytes, j) >> shift & kLowBits) << j;
  return plane;
}

void place(const BlockQ4_0& block, const RowPlace& to) {
  place_nibbles(block.nibbles, to);
  to.put_f16(0, block.scale);
}

void place(const BlockQ4_1& block, const RowPlace& to) {
  place_nibbles(block.nibbles, to);
  to.put_f16(0, block.scale);
  to.put_f16(1, block.minimum);
}

void place_fifth_bits(const std::uint8_t (&fifth_bits)[4], const RowPlace& to) {
  // Byte i of the word takes every fourth bit from bit i on.
  const Word bits = read_word(fifth_bits, 0);
  Word word = 0;
  for (unsigned i = 0; i < 4; ++i) {
    Word fourths = (bits >> i) & 0x11111111U;
    fourths = (fourths | fourths >> 3U) & 0x03030303U;
    fourths = (fourths | fourths >> 6U) & 0x000F000FU;
    word |= ((fourths | fourths >> 12U) & 0xFFU) << (8 * i);
  }
  to.put(4, word);
}

void place(const BlockQ5_0& block, const RowPlace& to) {
  place_nibbles(block.nibbles, to);
  place_fifth_bits(block.fifth_bits, to);
  to.put_f16(0, block.scale);
}

void place(const BlockQ5_1& block, const RowPlace& to) {
  place_nibbles(block.nibbles, to);
  place_fifth_bits(block.fifth_bits, to);
  to.put_f16(0, block.scale);
  to.put_f16(1, block.minimum);
}

void place(const BlockQ2_K& block, const RowPlace& to) {
  for (std::size_t b = 0; b < 8; ++b) {
    const std::uint8_t* low = block.low + b / 4 * 32;
    for (std::size_t part = 0; part < 2; ++part) {
      to.put(b * 2 + part, crumbs_of(low + part * 16, b % 4 * 2));
    }
  }
  to.put_f16(0, block.scale);
  to.put_f16(1, block.minimum_scale);
  for (std::size_t j = 0; j < 16; ++j) to.put_byte(64, j, block.packed[j]);
}

void place(const BlockQ3_K& block, const RowPlace& to) {
  for (std::size_t b = 0; b < 8; ++b) {
    const std::uint8_t* low = block.low + b / 4 * 32;
    for (std::size_t part = 0; part < 2; ++part) {
      to.put(b * 3 + part, crumbs_of(low + part * 16, b % 4 * 2));
    }
    to.put(b * 3 + 2, bits_of(block.high, b));
  }
  to.put_f16(0, block.scale);
  for (int j = 0; j < 16; ++j) {
    to.put_byte(32, static_cast<std::size_t>(j),
                static_cast<std::uint8_t>(q3_k_scale(block.packed, j)));
  }
}

// The scales of Q4_K and Q5_K.
template <class Block>
void place_scales_and_minimums(const Block& block, const RowPlace& to) {
  to.put_f16(0, block.scale);
  to.put_f16(1, block.minimum_scale);
  for (int j = 0; j < 8; ++j) {
    const SubBlockScale sub = q4_k_scale(block.packed, j);
    to.put_byte(64, static_cast<std::size_t>(j), sub.scale);
    to.put_byte(192, static_cast<std::size_t>(j), sub.minimum);
  }
}

void place(const BlockQ4_K& block, const RowPlace& to) {
  for (std::size_t pair = 0; pair < 4; ++pair) {
    place_paired_nibbles(block.nibbles + pair * 32, to, pair * 8, 4);
  }
  place_scales_and_minimums(block, to);
}

void place(const BlockQ5_K& block, const RowPlace& to) {
  for (std::size_t pair = 0; pair < 4; ++pair) {
    place_paired_nibbles(block.nibbles + pair * 32, to, pair * 10, 5);
  }
  for (std::size_t b = 0; b < 8; ++b) {
    to.put(b * 5 + 4, bits_of(block.high, b));
  }
  place_scales_and_minimums(block, to);
}

void place(const BlockQ6_K& block, const RowPlace& to) {
  constexpr std::size_t kVectors = 6;  // of a packed block
  for (std::size_t b = 0; b < 8; ++b) {
    const std::size_t quarter = b % 4;
    const std::uint8_t* low = block.low + b / 4 * 64 + quarter % 2 * 32;
    const std::uint8_t* high = block.high + b / 4 * 32;
    const unsigned shift = quarter < 2 ? 0 : 4;
    for (std::size_t j = 0; j < 4; ++j) {
      const Word first = read_word(low, j) >> shift & kLowNibbles;
      const Word second = read_word(low, j + 4) >> shift & kLowNibbles;
      to.put(b * kVectors + j, first | second << 4U);
    }
    to.put(b * kVectors + 4, crumbs_of(high, 2 * quarter));
    to.put(b * kVectors + 5, crumbs_of(high + 16, 2 * quarter));
  }
  to.put_f16(0, block.scale);
  for (std::size_t j = 0; j < 16; ++j) {
    to.put_byte(32, j, static_cast<std::uint8_t>(block.scales[j]));
  }
}

void place(const BlockIQ4_NL& block, const RowPlace& to) {
  place_nibbles(block.nibbles, to);
  to.put_f16(0, block.scale);
}

void place(const BlockIQ4_XS& block, const RowPlace& to) {
  for (std::size_t b = 0; b < 8; ++b) place_nibbles(block.nibbles[b], to, b * 4);
  to.put_f16(0, block.scale);
  for (int j = 0; j < 8; ++j) {
    to.put_byte(32, static_cast<std::size_t>(j), static_cast<std::uint8_t>(iq4_xs_scale(block, j)));
  }
}

void place(const BlockMXFP4& block, const RowPlace& to) {
  place_nibbles(block.nibbles, to);
  to.put_f16(0, mxfp4_scale(block.exponent));
}

// Where the parts of a tile lie: of its rows as stored, and packed.
struct TilePlace {
  const std::byte* stored;  // the first row
  std::size_t stored_row_bytes;
  std::uint32_t n_rows;  // at most kTileRows; missing ones stay zero, and so are their outputs
  std::uint32_t n_cols;
  std::uint8_t* weights;
  std::uint8_t* scales;
};

template <class Block, std::uint32_t kBlockSize>
void place_tile(const PackedLayout& layout, const TilePlace& tile) {
  const std::size_t quant_bytes = std::size_t{kBlockSize / kBlockCols} * layout.quant_bytes();
  for (std::size_t b = 0; b < tile.n_cols / kBlockSize; ++b) {
    for (std::uint32_t r = 0; r < tile.n_rows; ++r) {
      Block block;
      std::memcpy(&block, tile.stored + r * tile.stored_row_bytes + b * sizeof(Block),
                  sizeof(Block));
      place(block,
            RowPlace(tile.weights + b * quant_bytes, tile.scales + b * layout.scale_bytes, r));
    }
  }
}

template <class Float>
void place_float_tile(const TilePlace& tile) {
  for (std::size_t col = 0; col < tile.n_cols; ++col) {
    for (std::uint32_t r = 0; r < tile.n_rows; ++r) {
      std::memcpy(tile.weights + (col * kTileRows + r) * sizeof(Float),
                  tile.stored + r * tile.stored_row_bytes + col * sizeof(Float), sizeof(Float));
    }
  }
}

// One row's numbers out of a record of scales.
struct RowScales {
  const std::uint8_t* record;
  std::uint32_t row;

  [[nodiscard]] std::uint8_t byte(std::size_t offset, std::size_t index) const {
    return record[offset + index * kTileRows + row];
  }
  [[nodiscard]] float signed_byte(std::size_t index) const {
    return static_cast<float>(static_cast<std::int8_t>(byte(32, index)));
  }
  [[nodiscard]] std::uint16_t half(std::size_t index) const {
    std::uint16_t value = 0;
    std::memcpy(&value, record + 2 * (index * kTileRows + row), 2);
    return value;
  }
  [[nodiscard]] float f16(std::size_t index) const { return f16_to_f32(half(index)); }
};

// One row's 32 numbers out of a packed block of quants.
void read_numbers(const PackedLayout& layout, const std::uint8_t* block, std::uint32_t row,
                  float (&out)[kBlockCols]) {
  // Weight i's n_bits among n_bits vectors.
  const auto bits_at = [&](std::size_t first_vector, std::size_t i, std::size_t n_bits) {
    const std::size_t vector = i / 4;
    // Nibbles pair vectors j and j + 4; crumbs and bits lie side by side.
    const std::size_t at = n_bits == 4 ? vector % 4 : vector * n_bits / 8;
    const std::size_t shift = n_bits == 4 ? vector / 4 * 4 : vector * n_bits % 8;
    const std::uint8_t byte =
        block[(first_vector + at) * kVectorBytes + std::size_t{4} * row + i % 4];
    return byte >> shift & ((1U << n_bits) - 1U);
  };
  for (std::size_t i = 0; i < kBlockCols; ++i) {
    unsigned q = bits_at(0, i, layout.low_bits);
    if (layout.high_bits != 0) {
      q |= bits_at(layout.low_bits, i, layout.high_bits) << layout.low_bits;
    }
    const int number =
        layout.values != nullptr ? layout.values[q] : static_cast<int>(q) - layout.zero;
    out[i] = static_cast<float>(number);
  }
}

}  // namespace

Result<PackedMatrix> PackedMatrix::pack(Format format, std::span<const std::byte> bytes,
                                        std::uint32_t n_rows, std::uint32_t n_cols,
                                        ThreadPool& pool, const OnRead& on_read) {
  const PackedLayout layout = packed_layout(format);
  PackedMatrix matrix;
  matrix.format_ = format;
  matrix.n_rows_ = n_rows;
  matrix.n_cols_ = n_cols;
  if (is_float(format)) {
    matrix.tile_weight_bytes_ = std::size_t{n_cols} * kTileRows * layout.float_bytes;
  } else {
    matrix.tile_weight_bytes_ = std::size_t{n_cols} / kBlockCols * layout.quant_bytes();
    matrix.tile_scale_bytes_ = std::size_t{n_cols} / layout.scale_cols * layout.scale_bytes;
  }
  const std::size_t n_tiles = matrix.n_tiles();
  matrix.scales_offset_ = (n_tiles * matrix.tile_weight_bytes_ + 63) / 64 * 64;
  JARIP_TRY(matrix.buffer_,
            AlignedBuffer::allocate(matrix.scales_offset_ + n_tiles * matrix.tile_scale_bytes_));
  const std::size_t stored_tile_bytes = kTileRows * row_bytes(format, n_cols);
  const auto per_slab = static_cast<std::uint32_t>(kSlabBytes / stored_tile_bytes + 1);
  for (std::uint32_t first = 0; first < n_tiles; first += per_slab) {
    const std::uint32_t count = std::min(per_slab, matrix.n_tiles() - first);
    pool.run(count, [&](std::uint32_t i, unsigned) { matrix.pack_tile(bytes, first + i); });
    const auto read = bytes.subspan(first * stored_tile_bytes);
    if (on_read) on_read(read.first(std::min(count * stored_tile_bytes, read.size())));
  }
  return matrix;
}

void PackedMatrix::pack_tile(std::span<const std::byte> bytes, std::uint32_t tile) {
  const PackedLayout layout = packed_layout(format_);
  const std::size_t stored_row_bytes = row_bytes(format_, n_cols_);
  const TilePlace place{bytes.data() + std::size_t{tile} * kTileRows * stored_row_bytes,
                        stored_row_bytes,
                        std::min(kTileRows, n_rows_ - tile * kTileRows),
                        n_cols_,
                        const_cast<std::uint8_t*>(tile_weights(tile)),
                        const_cast<std::uint8_t*>(tile_scales(tile))};
  switch (format_) {
    case Format::kF32:
      return place_float_tile<std::uint32_t>(place);
    case Format::kF16:
    case Format::kBF16:
      return place_float_tile<std::uint16_t>(place);
    case Format::kQ8_0:
      return place_tile<BlockQ8_0, 32>(layout, place);
    case Format::kQ4_0:
      return place_tile<BlockQ4_0, 32>(layout, place);
    case Format::kQ4_1:
      return place_tile<BlockQ4_1, 32>(layout, place);
    case Format::kQ5_0:
      return place_tile<BlockQ5_0, 32>(layout, place);
    case Format::kQ5_1:
      return place_tile<BlockQ5_1, 32>(layout, place);
    case Format::kQ2_K:
      return place_tile<BlockQ2_K, 256>(layout, place);
    case Format::kQ3_K:
      return place_tile<BlockQ3_K, 256>(layout, place);
    case Format::kQ4_K:
      return place_tile<BlockQ4_K, 256>(layout, place);
    case Format::kQ5_K:
      return place_tile<BlockQ5_K, 256>(layout, place);
    case Format::kQ6_K:
      return place_tile<BlockQ6_K, 256>(layout, place);
    case Format::kIQ4_NL:
      return place_tile<BlockIQ4_NL, 32>(layout, place);
    case Format::kIQ4_XS:
      return place_tile<BlockIQ4_XS, 256>(layout, place);
    case Format::kMXFP4:
      return place_tile<BlockMXFP4, 32>(layout, place);
  }
}

void PackedMatrix::unpack_row(std::uint32_t row, std::span<float> out) const {
  const PackedLayout layout = packed_layout(format_);
  const std::uint32_t r = row % kTileRows;
  const std::uint8_t* weights = tile_weights(row / kTileRows);
  if (is_float(format_)) {
    for (std::size_t col = 0; col < n_cols_; ++col) {
      dequantize_row(format_,
                     std::as_bytes(std::span(weights + (col * kTileRows + r) * layout.float_bytes,
                                             layout.float_bytes)),
                     out.subspan(col, 1));
    }
    return;
  }
  for (std::uint32_t b = 0; b < n_blocks(); ++b) {
    const std::uint32_t sub = b * kBlockCols % layout.scale_cols / kBlockCols;
    unpack_block(weights + std::size_t{b} * layout.quant_bytes(),
                 tile_scales(row / kTileRows) +
                     std::size_t{b * kBlockCols / layout.scale_cols} * layout.scale_bytes,
                 r, sub, out.data() + std::size_t{b} * kBlockCols);
  }
}

// One row's 32 weights; sub: which block of 32 of the record of scales it is.
void PackedMatrix::unpack_block(const std::uint8_t* quants, const std::uint8_t* record,
                                std::uint32_t row, std::uint32_t sub, float* out) const {
  float numbers[kBlockCols];
  read_numbers(packed_layout(format_), quants, row, numbers);
  const RowScales scales{record, row};
  constexpr float kNothing = -0.0F;  // added to -0 it leaves -0, as +0 would not
  const auto some = [&](std::uint32_t begin, std::uint32_t end, float scale, float minimum) {
    for (std::uint32_t i = begin; i < end; ++i) out[i] = scale * numbers[i] + minimum;
  };
  const auto each = [&](float scale, float minimum = kNothing) {
    some(0, kBlockCols, scale, minimum);
  };
  switch (format_) {
    case Format::kQ8_0:
    case Format::kQ4_0:
    case Format::kQ5_0:
    case Format::kIQ4_NL:
      return each(scales.f16(0));
    case Format::kMXFP4:
      return each(bf16_to_f32(scales.half(0)));
    case Format::kQ4_1:
    case Format::kQ5_1:
      return each(scales.f16(0), scales.f16(1));
    case Format::kQ4_K:
    case Format::kQ5_K:
      return each(scales.f16(0) * scales.byte(64, sub), -(scales.f16(1) * scales.byte(192, sub)));
    case Format::kIQ4_XS:
      return each(scales.f16(0) * scales.signed_byte(sub));
    case Format::kQ3_K:
    case Format::kQ6_K:
      some(0, 16, scales.f16(0) * scales.signed_byte(2 * sub), kNothing);
      return some(16, 32, scales.f16(0) * scales.signed_byte(2 * sub + 1), kNothing);
    case Format::kQ2_K:
      for (std::uint32_t part = 0; part < 2; ++part) {
        const std::uint8_t packed = scales.byte(64, 2 * sub + part);
        some(16 * part, 16 * part + 16, scales.f16(0) * static_cast<float>(packed & 15),
             -(scales.f16(1) * static_cast<float>(packed >> 4)));
      }
      return;
    case Format::kF32:
    case Format::kF16:
    case Format::kBF16:
      return;
  }
}

}  // namespace jarip
