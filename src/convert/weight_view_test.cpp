#include "convert/weight_view.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <numeric>

#include "tensor/dequantize.h"

namespace jarip {
namespace {

// A tensor whose data begins at an odd address, as it may in a file.
struct Unaligned {
  std::vector<std::byte> bytes;
  SafeTensor tensor;

  Unaligned(std::span<const std::byte> data, std::vector<std::uint64_t> shape,
            std::optional<Format> format) {
    bytes.resize(data.size() + 1);
    std::ranges::copy(data, bytes.begin() + 1);
    tensor.shape = std::move(shape);
    tensor.format = format;
    tensor.n_elements = 1;
    for (const std::uint64_t n : tensor.shape) tensor.n_elements *= n;
    tensor.data = std::span<const std::byte>(bytes).subspan(1);
  }
};

Unaligned counting(std::vector<std::uint64_t> shape) {
  std::uint64_t n = 1;
  for (const std::uint64_t dimension : shape) n *= dimension;
  std::vector<float> values(n);
  std::iota(values.begin(), values.end(), 0.0F);
  return Unaligned(std::as_bytes(std::span(values)), std::move(shape), Format::kF32);
}

// All weights, read whole and in stretches of every length up to 7: the same.
std::vector<float> read_all(const WeightView& view) {
  std::vector<float> whole(view.n_elements());
  read_weights(view, 0, whole.size(), std::as_writable_bytes(std::span(whole)));
  for (std::uint64_t length = 1; length < 8; ++length) {
    for (std::uint64_t first = 0; first < whole.size(); first += length) {
      const std::uint64_t n = std::min<std::uint64_t>(length, whole.size() - first);
      std::vector<float> part(n);
      read_weights(view, first, n, std::as_writable_bytes(std::span(part)));
      for (std::uint64_t i = 0; i < n; ++i) EXPECT_EQ(part[i], whole[first + i]);
    }
  }
  return whole;
}

TEST(WeightView, TurnsTheHalvesOfHeadsIntoNeighbours) {
  const Unaligned source = counting({8, 2});  // two heads of four rows
  const WeightView view{.name = "q",
                        .shape = {2, 8},
                        .parts = {&source.tensor},
                        .own = {},
                        .strides = {.matrix = 16, .row = 2},
                        .rope_half = 2};
  EXPECT_EQ(read_all(view),
            (std::vector<float>{0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15}));
}

TEST(WeightView, TurnsBiasesAlike) {
  const Unaligned source = counting({8});
  const WeightView view{.name = "q",
                        .shape = {8},
                        .parts = {&source.tensor},
                        .own = {},
                        .strides = {.row = 8},
                        .rope_half = 2};
  EXPECT_EQ(read_all(view), (std::vector<float>{0, 2, 1, 3, 4, 6, 5, 7}));
}

TEST(WeightView, PutsExpertsTogether) {
  const Unaligned one = counting({2, 3});
  const Unaligned other = counting({2, 3});
  const WeightView view{.name = "up",
                        .shape = {3, 2, 2},
                        .parts = {&one.tensor, &other.tensor},
                        .own = {},
                        .strides = {.matrix = 6, .row = 3}};
  EXPECT_EQ(read_all(view), (std::vector<float>{0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5}));
}

TEST(WeightView, ReadsMatricesThatLieOnTheirSide) {
  const Unaligned source = counting({2, 2, 4});  // [experts, columns, two matrices' rows in turn]
  const WeightView view{.name = "up",
                        .shape = {2, 2, 2},
                        .parts = {&source.tensor},
                        .own = {},
                        .strides = {.matrix = 8, .row = 2, .column = 4, .first = 1}};
  EXPECT_EQ(read_all(view), (std::vector<float>{1, 5, 3, 7, 9, 13, 11, 15}));
}

// Heads 0 to 5, of which three share one, as 0, 3, 1, 4, 2, 5.
TEST(WeightView, LetsHeadsTakeTurns) {
  const Unaligned rows = counting({14, 1});  // two rows before the heads
  const WeightView by_rows{.name = "qkv",
                           .shape = {1, 14},
                           .parts = {&rows.tensor},
                           .own = {},
                           .strides = {.matrix = 14, .row = 1},
                           .tiles = {.first = 2, .size = 2, .n_shared = 2, .n_each = 3}};
  EXPECT_EQ(read_all(by_rows), (std::vector<float>{0, 1, 2, 3, 8, 9, 4, 5, 10, 11, 6, 7, 12, 13}));
  const Unaligned columns = counting({2, 6});
  const WeightView by_columns{.name = "out",
                              .shape = {6, 2},
                              .parts = {&columns.tensor},
                              .own = {},
                              .strides = {.matrix = 12, .row = 6},
                              .tiles = {.size = 1, .n_shared = 2, .n_each = 3, .columns = true}};
  EXPECT_EQ(read_all(by_columns), (std::vector<float>{0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11}));
}

TEST(WeightView, WidensAndAddsOne) {
  const std::uint16_t halves[] = {0x3F80, 0x4000, 0xBF80};  // 1, 2 and -1 in BF16
  const Unaligned source(std::as_bytes(std::span(halves)), {3}, Format::kBF16);
  const WeightView view{.name = "norm",
                        .shape = {3},
                        .parts = {&source.tensor},
                        .own = {},
                        .strides = {.row = 3},
                        .plus_one = true};
  EXPECT_EQ(read_all(view), (std::vector<float>{2, 3, 0}));
}

TEST(WeightView, SortsNibblesAsGgufHasThem) {
  std::vector<std::uint8_t> nibbles(32);  // two rows of one block, in turn for two matrices
  for (std::size_t i = 0; i < 16; ++i) {
    nibbles[16 + i] = static_cast<std::uint8_t>((2 * i) % 16 | ((2 * i + 1) % 16) << 4U);
  }
  const std::uint8_t scales[] = {120, 127};
  const Unaligned blocks(std::as_bytes(std::span(nibbles)), {1, 2, 1, 16}, std::nullopt);
  const Unaligned exponents(std::as_bytes(std::span(scales)), {1, 2, 1}, std::nullopt);
  const WeightView view{.name = "up",
                        .format = Format::kMXFP4,
                        .shape = {32, 1, 1},
                        .parts = {&blocks.tensor},
                        .own = {},
                        .strides = {.matrix = 64, .row = 64, .first = 32},
                        .scales = &exponents.tensor};
  std::vector<std::byte> out(17);
  read_weights(view, 0, 32, out);
  EXPECT_EQ(out[0], static_cast<std::byte>(127));
  std::vector<float> values(32);
  dequantize_row(Format::kMXFP4, out, values);
  constexpr float kValues[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6};
  for (std::size_t i = 0; i < 32; ++i) EXPECT_EQ(values[i], kValues[i % 16]) << i;
}

}  // namespace
}  // namespace jarip
