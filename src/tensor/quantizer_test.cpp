#include "tensor/quantizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "tensor/dequantize.h"

namespace jarip {
namespace {

std::vector<float> weights_like_real_ones(std::size_t n, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0, 0.02F);
  std::vector<float> values(n);
  for (float& value : values) value = normal(engine) * (engine() % 64 == 0 ? 4.0F : 1.0F);
  return values;
}

std::vector<std::byte> quantized(const Kernels& kernels, Format format,
                                 const std::vector<float>& values,
                                 const std::vector<float>& importance = {},
                                 std::size_t first_column = 0) {
  const FormatRow& row = format_row(format);
  std::vector<std::byte> out(values.size() / row.block_size * row.block_bytes);
  quantize(kernels, {format, values, importance, first_column}, out);
  return out;
}

std::vector<float> read_back(Format format, const std::vector<std::byte>& bytes, std::size_t n) {
  std::vector<float> values(n);
  dequantize_row(format, bytes, values);
  return values;
}

// The root of the mean square error against that of the values.
double relative_error(const std::vector<float>& values, const std::vector<float>& back,
                      const std::vector<float>& importance = {}) {
  double error = 0;
  double size = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double weight =
        importance.empty() ? 1.0 : static_cast<double>(importance[i % importance.size()]);
    const double difference = static_cast<double>(values[i]) - static_cast<double>(back[i]);
    error += weight * difference * difference;
    size += weight * static_cast<double>(values[i]) * static_cast<double>(values[i]);
  }
  return std::sqrt(error / size);
}

class QuantizerTest : public testing::TestWithParam<FormatRow> {};

INSTANTIATE_TEST_SUITE_P(Formats, QuantizerTest, testing::ValuesIn(kFormats),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(QuantizerTest, EveryInstructionSetWritesTheSameBytes) {
  const auto values = weights_like_real_ones(std::size_t{256} * 7, 1);
  std::vector<float> importance(256);
  for (std::size_t i = 0; i < importance.size(); ++i) importance[i] = 1.0F + i % 9;
  const auto plain = quantized(scalar_kernels(), GetParam().format, values);
  const auto weighted = quantized(scalar_kernels(), GetParam().format, values, importance);
  for (const Kernels* kernels : available_kernels()) {
    EXPECT_EQ(quantized(*kernels, GetParam().format, values), plain) << kernels->name;
    EXPECT_EQ(quantized(*kernels, GetParam().format, values, importance), weighted)
        << kernels->name;
  }
}

TEST_P(QuantizerTest, PiecesGiveTheBytesOfTheWhole) {
  const auto values = weights_like_real_ones(std::size_t{256} * 32, 2);
  std::vector<float> importance(768);
  for (std::size_t i = 0; i < importance.size(); ++i) importance[i] = 0.5F + i % 5;
  const Kernels& kernels = *available_kernels().front();
  const auto whole = quantized(kernels, GetParam().format, values, importance);
  std::vector<std::byte> joined;
  for (std::size_t first = 0; first < values.size();) {
    const std::size_t n = std::min<std::size_t>(first == 0 ? 2560 : 4096, values.size() - first);
    const std::vector<float> piece(values.begin() + static_cast<std::ptrdiff_t>(first),
                                   values.begin() + static_cast<std::ptrdiff_t>(first + n));
    const auto bytes = quantized(kernels, GetParam().format, piece, importance, first);
    joined.insert(joined.end(), bytes.begin(), bytes.end());
    first += n;
  }
  EXPECT_EQ(joined, whole);
}

TEST_P(QuantizerTest, WhatAFormatHoldsComesBackNearlyWhole) {
  const auto values = weights_like_real_ones(std::size_t{256} * 8, 3);
  const Kernels& kernels = *available_kernels().front();
  const auto once =
      read_back(GetParam().format, quantized(kernels, GetParam().format, values), values.size());
  const auto twice =
      read_back(GetParam().format, quantized(kernels, GetParam().format, once), once.size());
  EXPECT_LE(relative_error(once, twice), 0.25 * relative_error(values, once));
}

TEST_P(QuantizerTest, ZerosStayZerosAndHugeWeightsStayFinite) {
  const Kernels& kernels = *available_kernels().front();
  const std::vector<float> zeros(512, 0.0F);
  for (const float value :
       read_back(GetParam().format, quantized(kernels, GetParam().format, zeros), 512)) {
    EXPECT_EQ(value, 0.0F);
  }
  std::vector<float> huge(512);
  for (std::size_t i = 0; i < huge.size(); ++i) huge[i] = i % 2 == 0 ? 1e30F : -3e37F;
  for (const float value :
       read_back(GetParam().format, quantized(kernels, GetParam().format, huge), 512)) {
    EXPECT_TRUE(std::isfinite(value));
  }
}

TEST(QuantizerQualityTest, ImportanceMovesTheErrorWhereItCostsLess) {
  const auto values = weights_like_real_ones(std::size_t{1024} * 64, 4);
  std::vector<float> importance(1024, 1.0F);
  for (std::size_t i = 0; i < importance.size(); i += 8) importance[i] = 100.0F;
  const Kernels& kernels = *available_kernels().front();
  for (const FormatRow& row : kFormats) {
    if (row.block_size == 1 || row.format == Format::kQ8_0) continue;
    const auto plain = read_back(row.format, quantized(kernels, row.format, values), values.size());
    const auto weighted =
        read_back(row.format, quantized(kernels, row.format, values, importance), values.size());
    EXPECT_LT(relative_error(values, weighted, importance),
              0.97 * relative_error(values, plain, importance))
        << row.name;
  }
}

}  // namespace
}  // namespace jarip
