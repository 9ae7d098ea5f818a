#include "base/exact_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace jarip {
namespace {

double relative_error(double got, double want) {
  return want == 0 ? std::abs(got) : std::abs(got - want) / std::abs(want);
}

TEST(ExactMath, ExpIsWithinItsErrorOverTheWholeRange) {
  double worst = 0;
  for (double x = -707.9; x < 709; x += 0.00731) {
    worst = std::max(worst, relative_error(exact_exp(x), std::exp(x)));
  }
  EXPECT_LT(worst, 1e-15);
}

TEST(ExactMath, ExpOfSmallArgumentsIsExactToTheLastBits) {
  EXPECT_EQ(exact_exp(0.0), 1.0);
  EXPECT_EQ(exact_exp(-0.0), 1.0);
  for (double x = 1e-300; x < 1; x *= 1.7) {
    EXPECT_LT(relative_error(exact_exp(x), std::exp(x)), 3e-16) << x;
    EXPECT_LT(relative_error(exact_exp(-x), std::exp(-x)), 3e-16) << x;
  }
}

TEST(ExactMath, ExpSaturatesOutsideItsRange) {
  EXPECT_EQ(exact_exp(-708.5), 0.0);
  EXPECT_EQ(exact_exp(-1e300), 0.0);
  EXPECT_EQ(exact_exp(-INFINITY), 0.0);
  EXPECT_EQ(exact_exp(709.5), INFINITY);
  EXPECT_EQ(exact_exp(1e300), INFINITY);
  EXPECT_EQ(exact_exp(INFINITY), INFINITY);
  EXPECT_TRUE(std::isnan(exact_exp(NAN)));
}

// A loop that the compiler turns into vector code, against one that it can't.
TEST(ExactMath, ExpGivesTheSameBitsInVectorAndScalarCode) {
  std::vector<double> x(1031);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = -30.0 + 0.0571 * static_cast<double>(i);
  std::vector<double> y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = exact_exp(x[i]);
  for (std::size_t i = 0; i < x.size(); ++i) {
    volatile double argument = x[i];
    EXPECT_EQ(std::bit_cast<std::uint64_t>(y[i]),
              std::bit_cast<std::uint64_t>(exact_exp(argument)));
  }
}

TEST(ExactMath, SinglePrecisionExpIsWithinItsErrorOverItsRange) {
  double worst = 0;
  for (float x = -87; x <= 88; x += 0.00137F) {
    const double want = std::exp(static_cast<double>(x));
    worst = std::max(worst, relative_error(static_cast<double>(exact_exp_f32(x)), want));
  }
  EXPECT_LT(worst, 2e-7);
  EXPECT_EQ(exact_exp_f32(0.0F), 1.0F);
}

// Fixed once and for all: a change here changes answers.
TEST(ExactMath, KnownBits) {
  EXPECT_EQ(std::bit_cast<std::uint64_t>(exact_exp(1.0)), 0x4005bf0a8b14576aU);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(exact_exp(-20.125)), 0x3e1f3fe0cb68b20cU);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(exact_exp_f32(1.0F)), 0x402df854U);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(exact_exp_f32(-20.125F)), 0x30f9ff06U);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(exact_log(3.0)), 0x3ff193ea7aad030bU);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(exact_log(1e-9)), 0xc034b927f32bffb8U);
}

TEST(ExactMath, LogIsWithinItsErrorOverTheWholeRange) {
  double worst = 0;
  for (double x = 1e-307; x < 1e307; x *= 1.0731) {
    worst = std::max(worst, relative_error(exact_log(x), std::log(x)));
  }
  for (double x = 0.5; x < 2; x += 0.000137) {
    worst = std::max(worst, relative_error(exact_log(x), std::log(x)));
  }
  EXPECT_LT(worst, 1e-15);
  EXPECT_EQ(exact_log(1.0), 0.0);
}

TEST(ExactMath, LogOfTheEdges) {
  EXPECT_EQ(exact_log(0.0), -INFINITY);
  EXPECT_EQ(exact_log(INFINITY), INFINITY);
  EXPECT_TRUE(std::isnan(exact_log(-1.0)));
  EXPECT_TRUE(std::isnan(exact_log(NAN)));
}

}  // namespace
}  // namespace jarip
