#include "tensor/packed_matrix.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "tensor/blocks.h"
#include "tensor/dequantize.h"
#include "tensor/half.h"

namespace jarip {
namespace {

TEST(PackedMatrix, UnpacksEveryRowToTheStoredNumbers) {
  ThreadPool pool(2);
  for (const FormatRow& row : kFormats) {
    const std::uint32_t n_rows = 37;
    const std::uint32_t n_cols = 512;
    std::mt19937 generator(5);
    std::vector<std::byte> bytes(n_rows * row_bytes(row.format, n_cols));
    for (auto& byte : bytes) byte = static_cast<std::byte>(generator() % 120);
    const auto packed = PackedMatrix::pack(row.format, bytes, n_rows, n_cols, pool);
    ASSERT_TRUE(packed.has_value());
    std::vector<float> expected(n_cols);
    std::vector<float> actual(n_cols);
    for (std::uint32_t i = 0; i < n_rows; ++i) {
      dequantize_row(row.format, std::span(bytes).subspan(i * row_bytes(row.format, n_cols)),
                     expected);
      packed->unpack_row(i, actual);
      EXPECT_EQ(0, std::memcmp(expected.data(), actual.data(), n_cols * 4))
          << row.name << " row " << i;
    }
  }
}

TEST(PackedMatrix, TakesLittleMoreThanTheFile) {
  ThreadPool pool(1);
  for (const FormatRow& row : kFormats) {
    const std::vector<std::byte> bytes(std::size_t{64} * row_bytes(row.format, 1024));
    const auto packed = PackedMatrix::pack(row.format, bytes, 64, 1024, pool);
    ASSERT_TRUE(packed.has_value());
    const double ratio =
        static_cast<double>(packed->memory_bytes()) / static_cast<double>(bytes.size());
    EXPECT_GE(ratio, 1.0) << row.name;
    EXPECT_LT(ratio, 1.06) << row.name;
  }
}

TEST(Dequantize, FollowsTheFormatsDefinitions) {
  BlockQ4_1 q4_1{f32_to_f16(0.5F), f32_to_f16(-2.0F), {}};
  q4_1.nibbles[3] = 0x9C;
  std::vector<float> out(32);
  dequantize_row(Format::kQ4_1, std::as_bytes(std::span(&q4_1, 1)), out);
  EXPECT_EQ(out[3], 0.5F * 12 - 2);
  EXPECT_EQ(out[19], 0.5F * 9 - 2);

  BlockQ6_K q6{};
  q6.scale = f32_to_f16(0.25F);
  q6.scales[2] = -3;
  q6.low[32 + 1] = 0x0B;  // weight 33: second quarter, low nibble
  q6.high[1] = 0x08;      // its top bits: 2
  out.resize(256);
  dequantize_row(Format::kQ6_K, std::as_bytes(std::span(&q6, 1)), out);
  EXPECT_EQ(out[33], 0.25F * -3 * ((2 * 16 + 11) - 32));

  BlockQ4_K q4k{};
  q4k.scale = f32_to_f16(1.0F);
  q4k.minimum_scale = f32_to_f16(0.5F);
  q4k.packed[1] = 0xC0;        // top bits of scale 5
  q4k.packed[5] = 0x80;        // top bits of minimum 5
  q4k.packed[9] = 0x7A;        // low bits: scale 10, minimum 7
  q4k.nibbles[64 + 2] = 0x60;  // weight 2 of sub-block 5
  dequantize_row(Format::kQ4_K, std::as_bytes(std::span(&q4k, 1)), out);
  EXPECT_EQ(out[5 * 32 + 2], 1.0F * 58 * 6 - 0.5F * 39);
}

TEST(Half, ConvertsEveryValueThereAndBack) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    if ((half & 0x7C00U) == 0x7C00U && (half & 0x3FFU) != 0) continue;  // NaN
    EXPECT_EQ(f32_to_f16(f16_to_f32(half)), half);
  }
  EXPECT_EQ(f32_to_f16(65520.0F), 0x7C00U);
  EXPECT_EQ(f32_to_f16(65519.9F), 0x7BFFU);
  EXPECT_EQ(f32_to_f16(1.0F + 0x1p-11F), 0x3C00U);             // a tie goes to even
  EXPECT_EQ(f32_to_f16(1.0F + 0x1p-10F + 0x1p-11F), 0x3C02U);  // so does this one
}

}  // namespace
}  // namespace jarip
