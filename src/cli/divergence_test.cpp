#include "cli/divergence.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace jarip {
namespace {

// Logits whose softmax is exactly these, shifted, which changes nothing.
std::array<float, 3> logits_of(double a, double b, double c, double shift = 0) {
  return {static_cast<float>(std::log(a) + shift), static_cast<float>(std::log(b) + shift),
          static_cast<float>(std::log(c) + shift)};
}

TEST(Divergence, IsWhatTheFormulaSays) {
  const auto base = logits_of(0.5, 0.25, 0.25);
  const auto other = logits_of(0.25, 0.5, 0.25, 3);
  const TokenDivergence at = diverge(base, other, 0);
  EXPECT_NEAR(at.kl, 0.5 * std::log(2) - 0.25 * std::log(2), 1e-6);
  EXPECT_NEAR(at.surprise, std::log(4), 1e-6);
  EXPECT_NEAR(at.base_surprise, std::log(2), 1e-6);
  EXPECT_FALSE(at.same_top);
}

TEST(Divergence, IsNothingBetweenEqualsAndFiniteWhereOneIsSure) {
  const auto base = logits_of(0.5, 0.25, 0.25);
  EXPECT_EQ(diverge(base, base, 1).kl, 0);
  const std::array<float, 3> sure = {1e4F, 0, 0};
  EXPECT_NEAR(diverge(sure, base, 0).kl, std::log(2), 1e-6);
  EXPECT_TRUE(std::isfinite(diverge(base, sure, 0).kl));
  EXPECT_GT(diverge(base, sure, 0).kl, 1000);
}

TEST(Divergence, PerplexityIsTheNumberOfEquallyLikelyTokens) {
  const std::array<float, 4> even = {7, 7, 7, 7};
  const std::array<double, 3> surprises = {surprise(even, 0), surprise(even, 1), surprise(even, 3)};
  EXPECT_NEAR(perplexity(surprises).value, 4, 1e-12);
  EXPECT_NEAR(perplexity(surprises).error, 0, 1e-12);
  const std::array<double, 2> two = {0, 2};  // mean 1, standard error 1
  EXPECT_NEAR(perplexity(two).value, std::exp(1), 1e-12);
  EXPECT_NEAR(perplexity(two).error, std::exp(1), 1e-12);
}

TEST(Divergence, SumsUpTokens) {
  std::vector<TokenDivergence> tokens(100);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = {.kl = static_cast<double>(99 - i), .surprise = 1, .same_top = i < 30};
  }
  const DivergenceSummary all = summarize(tokens);
  EXPECT_EQ(all.n_tokens, 100);
  EXPECT_NEAR(all.mean_kl, 49.5, 1e-12);
  EXPECT_EQ(all.median_kl, 49);
  EXPECT_EQ(all.p99_kl, 98);
  EXPECT_EQ(all.max_kl, 99);
  EXPECT_NEAR(all.same_top, 0.3, 1e-12);
  EXPECT_NEAR(all.rms_delta_p, 1 - std::exp(-1), 1e-12);
  EXPECT_NEAR(all.perplexity.value, std::exp(1), 1e-12);
  EXPECT_NEAR(all.base_perplexity.value, 1, 1e-12);
}

}  // namespace
}  // namespace jarip
