#include "model/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace jarip {
namespace {

TEST(Rope, SinAndCosAreExactToTwelveDigits) {
  for (double x = 0; x < 1e7; x = x * 1.07 + 0.013) {
    const SinCos value = exact_sin_cos(x);
    EXPECT_NEAR(value.sin, std::sin(x), 1e-12) << x;
    EXPECT_NEAR(value.cos, std::cos(x), 1e-12) << x;
  }
}

TEST(Rope, RotatesPairsByThePositionTimesTheirFrequency) {
  ModelConfig config;
  config.rope_dim = 4;
  config.rope.base = 100.0F;
  const Rope interleaved(config, config.rope, {});
  std::vector<float> angles(interleaved.n_angles());
  interleaved.angles(3, angles);
  std::vector<float> head = {1, 0, 0, 2, 5};
  scalar_kernels().rotate(interleaved.rotation(angles, 5), 2.0F, head.data());
  EXPECT_NEAR(head[0], 2 * std::cos(3.0), 1e-6);
  EXPECT_NEAR(head[1], 2 * std::sin(3.0), 1e-6);
  EXPECT_NEAR(head[2], -4 * std::sin(0.3), 1e-6);
  EXPECT_NEAR(head[3], 4 * std::cos(0.3), 1e-6);
  EXPECT_EQ(head[4], 10);

  config.rope_neox = true;
  const std::vector<float> factors = {1.0F, 2.0F};
  const Rope halves(config, config.rope, factors);
  halves.angles(3, angles);
  head = {1, 0, 0, 2};
  scalar_kernels().rotate(halves.rotation(angles, 4), 1.0F, head.data());
  EXPECT_NEAR(head[0], std::cos(3.0), 1e-6);
  EXPECT_NEAR(head[2], std::sin(3.0), 1e-6);
  EXPECT_NEAR(head[1], -2 * std::sin(0.15), 1e-6);
  EXPECT_NEAR(head[3], 2 * std::cos(0.15), 1e-6);
}

}  // namespace
}  // namespace jarip
