#include "base/random.h"

#include <gtest/gtest.h>

#include <bit>
#include <set>

namespace jarip {
namespace {

using Words = std::array<std::uint32_t, 4>;

// The known answers that Random123 publishes for philox4x32 with 10 rounds.
TEST(Random, PhiloxGivesThePublishedVectors) {
  constexpr std::uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, BitsAreTheFirstTwoWordsLowFirst) {
  EXPECT_EQ(random_bits(0, 0), 0xe169c58d6627e8d5U);
  EXPECT_EQ(random_bits(0x299f31d0a4093822U, 0x85a308d3243f6a88U, 0x0370734413198a2eU),
            0x94fdccebd16cfe09U);
}

TEST(Random, SeedPositionAndStreamEachChangeTheBits) {
  std::set<std::uint64_t> seen;
  for (std::uint64_t i = 0; i < 64; ++i) {
    const std::uint64_t bit = std::uint64_t{1} << i;
    seen.insert(random_bits(bit, 0));
    seen.insert(random_bits(0, bit));
    seen.insert(random_bits(0, 0, bit));
  }
  EXPECT_EQ(seen.size(), 3U * 64U);
}

TEST(Random, EveryBitIsSetHalfOfTheTime) {
  constexpr int kDraws = 20000;
  std::array<int, 64> ones{};
  for (int position = 0; position < kDraws; ++position) {
    const std::uint64_t bits = random_bits(42, static_cast<std::uint64_t>(position));
    for (unsigned i = 0; i < 64; ++i) ones[i] += static_cast<int>((bits >> i) & 1U);
  }
  // Five standard deviations: sqrt(20000) / 2 = 70.7.
  for (int count : ones) EXPECT_NEAR(count, kDraws / 2, 354);
}

}  // namespace
}  // namespace jarip
