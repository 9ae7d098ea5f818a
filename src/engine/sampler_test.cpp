#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "base/exact_math.h"
#include "base/random.h"

namespace jarip {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Samples with many seeds and counts what came out.
std::map<TokenId, int> draw_many(const std::vector<float>& logits, SamplingParams params,
                                 int n_draws = 4000, std::vector<TokenId> tokens = {0},
                                 std::uint32_t n_prompt = 1) {
  Sampler sampler(static_cast<std::uint32_t>(logits.size()));
  std::map<TokenId, int> counts;
  for (int seed = 0; seed < n_draws; ++seed) {
    params.seed = static_cast<std::uint64_t>(seed);
    const auto sampled =
        sampler.sample({.logits = logits, .tokens = tokens, .n_prompt = n_prompt}, params);
    EXPECT_TRUE(sampled.has_value());
    ++counts[sampled->token];
  }
  return counts;
}

std::set<TokenId> drawn(const std::vector<float>& logits, const SamplingParams& params) {
  std::set<TokenId> tokens;
  for (const auto& [token, count] : draw_many(logits, params)) tokens.insert(token);
  return tokens;
}

TokenId greedy(const std::vector<float>& logits, SamplingParams params = {},
               std::vector<TokenId> tokens = {0}, std::uint32_t n_prompt = 1) {
  params.temperature = 0;
  Sampler sampler(static_cast<std::uint32_t>(logits.size()));
  const auto sampled =
      sampler.sample({.logits = logits, .tokens = tokens, .n_prompt = n_prompt}, params);
  EXPECT_TRUE(sampled.has_value());
  return sampled->token;
}

std::vector<float> logs(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  logits.reserve(probabilities.size());
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

std::vector<float> random_logits(std::size_t n, float spread, std::uint64_t seed) {
  std::vector<float> logits(n);
  for (std::size_t i = 0; i < n; ++i) {
    // The sum of four uniform numbers is close enough to a normal one.
    double sum = 0;
    for (unsigned part = 0; part < 4; ++part) {
      sum += static_cast<double>(random_bits(seed, i) >> (16U * part) & 0xffffU) / 65536.0 - 0.5;
    }
    logits[i] = static_cast<float>(sum) * spread;
  }
  return logits;
}

// What sampler.h says, done plainly: a whole sort, no bounds, no blocks.
TokenId sample_plainly(const std::vector<float>& logits, const SamplingParams& params,
                       std::uint64_t position) {
  struct Ranked {
    std::uint64_t weight;
    TokenId id;
  };
  const float largest = *std::max_element(logits.begin(), logits.end());
  std::vector<Ranked> ranking;
  for (TokenId id = 0; id < logits.size(); ++id) {
    const float exponent = std::max((logits[id] - largest) / params.temperature, -40.0F);
    const auto weight = static_cast<double>(exact_exp_f32(exponent));
    ranking.push_back({static_cast<std::uint64_t>(std::nearbyint(weight * 0x1p40)), id});
  }
  std::ranges::sort(ranking, [](Ranked a, Ranked b) {
    return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
  });
  const auto total = [&] {
    return std::accumulate(ranking.begin(), ranking.end(), std::uint64_t{0},
                           [](std::uint64_t sum, Ranked r) { return sum + r.weight; });
  };
  if (params.top_k > 0 && params.top_k < ranking.size()) ranking.resize(params.top_k);
  if (params.top_p < 1) {
    const double target =
        std::max(1.0, std::ceil(static_cast<double>(params.top_p) * static_cast<double>(total())));
    std::size_t n = 0;
    double sum = 0;
    while (n < ranking.size() && sum < target) sum += static_cast<double>(ranking[n++].weight);
    ranking.resize(n);
  }
  std::erase_if(ranking, [&](Ranked r) {
    return static_cast<double>(r.weight) < static_cast<double>(params.min_p) * 0x1p40;
  });
  std::ranges::sort(ranking, {}, &Ranked::id);
  __extension__ using Wide = unsigned __int128;
  auto target = static_cast<std::uint64_t>(
      static_cast<Wide>(random_bits(params.seed, position)) * total() >> 64U);
  for (const Ranked& r : ranking) {
    if (r.weight > target) return r.id;
    target -= r.weight;
  }
  ADD_FAILURE() << "the draw fell past the end";
  return 0;
}

TEST(Sampler, GreedyTakesTheLargestAndTheLowerIdAmongEquals) {
  EXPECT_EQ(greedy({1, 5, 3}), 1U);
  EXPECT_EQ(greedy({1, 5, 3, 5, 5}), 1U);
  EXPECT_EQ(greedy({-7}), 0U);
  EXPECT_EQ(greedy({-3, -2, -1}), 2U);
  std::vector<float> many(1000, 0.5F);
  EXPECT_EQ(greedy(many), 0U);
  many[999] = many[313] = 0.75F;  // the last, partial group of lanes counts too
  EXPECT_EQ(greedy(many), 313U);
}

TEST(Sampler, TopKOneIsGreedyWhateverTheSeed) {
  const std::vector<float> logits = {0.1F, 2.0F, 2.0F, -1.0F};
  EXPECT_EQ(drawn(logits, {.top_k = 1}), (std::set<TokenId>{1}));
  EXPECT_EQ(drawn(logits, {.top_p = 0.0F}), (std::set<TokenId>{1}));
}

// Chi-square against the softmax; 61.1 is the value that 30 degrees of freedom pass with
// probability 0.001. Seeds are fixed, so this never flickers.
TEST(Sampler, DrawsFollowTheSoftmax) {
  constexpr int kDraws = 60000;
  for (const float temperature : {0.5F, 1.0F, 1.7F}) {
    const std::vector<float> logits = random_logits(31, 3, 5);
    std::vector<double> expected;
    expected.reserve(logits.size());
    for (const float logit : logits) {
      expected.push_back(std::exp(static_cast<double>(logit) / static_cast<double>(temperature)));
    }
    const double total = std::accumulate(expected.begin(), expected.end(), 0.0);
    auto counts = draw_many(logits, {.temperature = temperature}, kDraws);
    double chi_square = 0;
    for (TokenId id = 0; id < logits.size(); ++id) {
      const double want = expected[id] / total * kDraws;
      chi_square += (counts[id] - want) * (counts[id] - want) / want;
    }
    EXPECT_LT(chi_square, 61.1) << temperature;
  }
}

TEST(Sampler, DrawsAtNeighbouringPositionsAreIndependent) {
  const std::vector<float> logits(8, 0.0F);
  Sampler sampler(8);
  std::vector<TokenId> tokens = {0};
  std::map<std::pair<TokenId, TokenId>, int> pairs;
  constexpr int kDraws = 16384;
  for (int i = 0; i < kDraws; ++i) {
    tokens.push_back(
        sampler.sample({.logits = logits, .tokens = tokens, .n_prompt = 1}, {.seed = 9})->token);
    ++pairs[{tokens[tokens.size() - 2], tokens.back()}];
  }
  double chi_square = 0;
  for (TokenId a = 0; a < 8; ++a) {
    for (TokenId b = 0; b < 8; ++b) {
      const double want = kDraws / 64.0;
      chi_square += (pairs[{a, b}] - want) * (pairs[{a, b}] - want) / want;
    }
  }
  EXPECT_LT(chi_square, 103.4);  // 63 degrees of freedom, probability 0.001
}

TEST(Sampler, TopKKeepsTheFirstOfTheRanking) {
  const std::vector<float> logits = {1.0F, 0.5F, 1.2F, 0.9F, 0.9F};
  EXPECT_EQ(drawn(logits, {.top_k = 2}), (std::set<TokenId>{0, 2}));
  EXPECT_EQ(drawn(logits, {.top_k = 3}), (std::set<TokenId>{0, 2, 3}));  // 4 ties with 3, higher id
  EXPECT_EQ(drawn(logits, {.top_k = 5}).size(), 5U);
  EXPECT_EQ(drawn(logits, {.top_k = 500}).size(), 5U);
}

TEST(Sampler, TopPKeepsTheShortestPrefixThatReachesIt) {
  const std::vector<float> logits = logs({0.2, 0.4, 0.1, 0.3});
  EXPECT_EQ(drawn(logits, {.top_p = 0.39F}), (std::set<TokenId>{1}));
  EXPECT_EQ(drawn(logits, {.top_p = 0.41F}), (std::set<TokenId>{1, 3}));
  EXPECT_EQ(drawn(logits, {.top_p = 0.69F}), (std::set<TokenId>{1, 3}));
  EXPECT_EQ(drawn(logits, {.top_p = 0.71F}), (std::set<TokenId>{0, 1, 3}));
  EXPECT_EQ(drawn(logits, {.top_p = 0.91F}).size(), 4U);
}

TEST(Sampler, TopPCountsOnlyWhatTopKLeft) {
  // Of the first two, the first has 4/7 = 0.571 of the weight.
  const std::vector<float> logits = logs({0.2, 0.4, 0.1, 0.3});
  EXPECT_EQ(drawn(logits, {.top_k = 2, .top_p = 0.55F}), (std::set<TokenId>{1}));
  EXPECT_EQ(drawn(logits, {.top_k = 2, .top_p = 0.6F}), (std::set<TokenId>{1, 3}));
}

TEST(Sampler, TemperatureComesBeforeTopP) {
  // At temperature 0.5 probabilities square: 0.16 0.09 0.04 0.01, of 0.30.
  const std::vector<float> logits = logs({0.2, 0.4, 0.1, 0.3});
  EXPECT_EQ(drawn(logits, {.temperature = 0.5F, .top_p = 0.52F}), (std::set<TokenId>{1}));
  EXPECT_EQ(drawn(logits, {.temperature = 0.5F, .top_p = 0.82F}), (std::set<TokenId>{1, 3}));
}

TEST(Sampler, MinPKeepsWhatIsCloseEnoughToTheFirst) {
  const std::vector<float> logits = logs({0.2, 0.4, 0.1, 0.3});
  EXPECT_EQ(drawn(logits, {.min_p = 0.76F}), (std::set<TokenId>{1}));
  EXPECT_EQ(drawn(logits, {.min_p = 0.74F}), (std::set<TokenId>{1, 3}));
  EXPECT_EQ(drawn(logits, {.min_p = 0.49F}), (std::set<TokenId>{0, 1, 3}));
  EXPECT_EQ(drawn(logits, {.min_p = 0.24F}).size(), 4U);
  EXPECT_EQ(drawn({1.0F, 1.0F, 0.9F}, {.min_p = 1.0F}), (std::set<TokenId>{0, 1}));
}

TEST(Sampler, EveryCombinationOfFiltersGivesWhatThePlainWayGives) {
  const std::uint32_t ks[] = {0, 1, 2, 40, 700, 1500, 5000};
  const float ps[] = {1.0F, 0.99F, 0.9F, 0.5F, 0.01F};
  const float mins[] = {0.0F, 0.001F, 0.05F, 0.6F};
  const float temperatures[] = {0.1F, 0.8F, 1.0F, 2.5F};
  Sampler sampler(3001);
  std::uint64_t n = 0;
  for (const float spread : {0.0F, 2.0F, 12.0F, 60.0F}) {
    const std::vector<float> logits = random_logits(3001, spread, 77 + n);
    for (const std::uint32_t top_k : ks) {
      for (const float top_p : ps) {
        for (const float min_p : mins) {
          const SamplingParams params = {.temperature = temperatures[n % 4],
                                         .top_k = top_k,
                                         .top_p = top_p,
                                         .min_p = min_p,
                                         .seed = n++};
          const std::vector<TokenId> tokens(1 + n % 5, 0);
          const auto sampled =
              sampler.sample({.logits = logits, .tokens = tokens, .n_prompt = 1}, params);
          ASSERT_TRUE(sampled.has_value());
          ASSERT_EQ(sampled->token, sample_plainly(logits, params, tokens.size()))
              << "spread " << spread << " top_k " << top_k << " top_p " << top_p << " min_p "
              << min_p << " temperature " << params.temperature;
        }
      }
    }
  }
}

TEST(Sampler, RepetitionPenaltyWorksOnceOnPromptAndAnswer) {
  // Halved if positive, doubled if negative; token 0 occurs three times and is halved once.
  EXPECT_EQ(greedy({4.0F, 1.9F}, {.repetition_penalty = 2}, {0, 0, 0}, 2), 0U);
  EXPECT_EQ(greedy({4.0F, 2.1F}, {.repetition_penalty = 2}, {0, 0, 0}, 2), 1U);
  EXPECT_EQ(greedy({4.0F, 2.1F}, {.repetition_penalty = 2}, {1, 0}, 2), 0U);
  EXPECT_EQ(greedy({-1.0F, -1.9F}, {.repetition_penalty = 2}, {0}, 1), 1U);
  EXPECT_EQ(greedy({-1.0F, -2.1F}, {.repetition_penalty = 2}, {0}, 1), 0U);
}

TEST(Sampler, PresenceAndFrequencyPenaltiesCountTheAnswerOnly) {
  EXPECT_EQ(greedy({2.0F, 1.5F}, {.presence_penalty = 1}, {0, 0}, 2), 0U);
  EXPECT_EQ(greedy({2.0F, 1.5F}, {.presence_penalty = 1}, {1, 0}, 1), 1U);
  EXPECT_EQ(greedy({2.0F, 0.9F}, {.presence_penalty = 1}, {1, 0, 0, 0}, 1), 0U);
  EXPECT_EQ(greedy({2.0F, 0.9F}, {.frequency_penalty = 0.5F}, {1, 0, 0, 0}, 1), 1U);
  EXPECT_EQ(greedy({2.0F, 0.9F}, {.frequency_penalty = 0.5F}, {1, 0, 0}, 1), 0U);
  EXPECT_EQ(greedy({1.0F, 1.5F}, {.presence_penalty = -1}, {1, 0}, 1), 0U);
}

TEST(Sampler, PenaltiesLeaveNothingBehindForTheNextCall) {
  Sampler sampler(2);
  const std::vector<float> logits = {2.0F, 1.5F};
  const SamplingParams penalized = {
      .temperature = 0, .repetition_penalty = 1.1F, .presence_penalty = 1, .frequency_penalty = 1};
  const std::vector<TokenId> zeros = {0, 0, 0};
  const std::vector<TokenId> one = {1};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(sampler.sample({.logits = logits, .tokens = zeros, .n_prompt = 1}, penalized)->token,
              1U);
    EXPECT_EQ(sampler.sample({.logits = logits, .tokens = one, .n_prompt = 1}, penalized)->token,
              0U);
  }
}

TEST(Sampler, LogitBiasIsAddedAfterPenalties) {
  EXPECT_EQ(greedy({1.0F, 0.0F, 0.5F}, {.logit_bias = {{1, 1.5F}}}), 1U);
  EXPECT_EQ(greedy({1.0F, 0.0F, 0.5F}, {.logit_bias = {{0, -100.0F}}}), 2U);
  EXPECT_EQ(greedy({1.0F, 0.0F}, {.logit_bias = {{1, 0.6F}, {1, 0.6F}}}), 1U);  // they add up
  // (1 / 2) + 1 > 1.4; were the bias penalized too, (1 + 1) / 2 = 1 would lose.
  EXPECT_EQ(greedy({1.0F, 1.4F}, {.repetition_penalty = 2, .logit_bias = {{0, 1.0F}}}), 0U);
}

TEST(Sampler, SameArgumentsGiveTheSameTokenAndSeedAndPositionMatter) {
  const std::vector<float> logits = random_logits(5000, 4, 1);
  Sampler a(5000);
  Sampler b(5000);
  const std::vector<TokenId> tokens(7, 3);
  std::set<TokenId> by_seed;
  std::set<TokenId> by_position;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const SampleRequest request = {.logits = logits, .tokens = tokens, .n_prompt = 3};
    const TokenId token = a.sample(request, {.seed = seed})->token;
    EXPECT_EQ(b.sample(request, {.seed = seed})->token, token);
    by_seed.insert(token);
    const std::vector<TokenId> longer(7 + seed, 3);
    by_position.insert(
        a.sample({.logits = logits, .tokens = longer, .n_prompt = 3}, {.seed = 4})->token);
  }
  EXPECT_GT(by_seed.size(), 15U);
  EXPECT_GT(by_position.size(), 15U);
}

TEST(Sampler, WhatIsPromptAndWhatIsAnswerDoesNotMoveTheDraw) {
  const std::vector<float> logits = random_logits(500, 4, 1);
  Sampler sampler(500);
  const std::vector<TokenId> tokens(7, 3);
  const TokenId token =
      sampler.sample({.logits = logits, .tokens = tokens, .n_prompt = 3}, {.seed = 8})->token;
  EXPECT_EQ(sampler.sample({.logits = logits, .tokens = tokens, .n_prompt = 6}, {.seed = 8})->token,
            token);
}

TEST(Sampler, ExtremeTemperaturesStayWellDefined) {
  const std::vector<float> logits = {1.0F, 3e38F, -3e38F, 2.0F};
  EXPECT_EQ(drawn(logits, {.temperature = std::numeric_limits<float>::denorm_min()}),
            (std::set<TokenId>{1}));
  EXPECT_EQ(drawn(logits, {.temperature = 100}), (std::set<TokenId>{1}));
  EXPECT_EQ(drawn({1.0F, 1.1F, 0.9F}, {.temperature = 100}).size(), 3U);
}

TEST(Sampler, LogitsThatAreNotFiniteAreAnError) {
  for (const float bad : {kInfinity, -kInfinity, std::nanf("")}) {
    for (const std::size_t place : {0U, 50U, 98U, 99U, 100U}) {
      std::vector<float> logits(101, 1.0F);
      logits[place] = bad;
      Sampler sampler(101);
      const std::vector<TokenId> tokens = {0};
      for (const float temperature : {0.0F, 1.0F}) {
        const auto sampled = sampler.sample({.logits = logits, .tokens = tokens, .n_prompt = 1},
                                            {.temperature = temperature});
        ASSERT_FALSE(sampled.has_value()) << bad << " at " << place;
        EXPECT_EQ(sampled.error().code, ErrorCode::kInternal);
      }
    }
  }
}

TEST(Sampler, LogprobsAreOfTheRawDistribution) {
  const std::vector<double> probabilities = {0.2, 0.4, 0.1, 0.3};
  const std::vector<float> logits = logs(probabilities);
  Sampler sampler(4);
  const std::vector<TokenId> tokens = {1, 1};
  const auto sampled =
      sampler.sample({.logits = logits, .tokens = tokens, .n_prompt = 1, .n_logprobs = 3},
                     {.temperature = 0, .presence_penalty = 5, .logit_bias = {{0, 50.0F}}});
  ASSERT_TRUE(sampled.has_value());
  EXPECT_EQ(sampled->token, 0U);
  EXPECT_NEAR(sampled->logprob.value_or(1.0F), std::log(0.2), 1e-6);
  ASSERT_EQ(sampled->alternatives.size(), 3U);
  const TokenId order[] = {1, 3, 0};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(sampled->alternatives[i].token, order[i]);
    EXPECT_NEAR(sampled->alternatives[i].logprob, std::log(probabilities[order[i]]), 1e-6);
  }
}

TEST(Sampler, AlternativesAreSortedTiesByIdAndAtMostTheVocabulary) {
  const std::vector<float> logits = {1, 2, 2, 0, 2, -50};
  Sampler sampler(6);
  const std::vector<TokenId> tokens = {0};
  const auto alternatives = [&](std::uint32_t n) {
    std::vector<TokenId> ids;
    for (const TokenLogprob& a :
         sampler.sample({.logits = logits, .tokens = tokens, .n_prompt = 1, .n_logprobs = n}, {})
             ->alternatives) {
      ids.push_back(a.token);
    }
    return ids;
  };
  EXPECT_EQ(alternatives(0), (std::vector<TokenId>{}));
  EXPECT_EQ(alternatives(2), (std::vector<TokenId>{1, 2}));
  EXPECT_EQ(alternatives(4), (std::vector<TokenId>{1, 2, 4, 0}));
  EXPECT_EQ(alternatives(20), (std::vector<TokenId>{1, 2, 4, 0, 3, 5}));
}

TEST(Sampler, LogprobsAreExactOverALargeVocabulary) {
  const std::vector<float> logits = random_logits(20000, 15, 3);
  double total = 0;
  for (const float logit : logits) total += std::exp(static_cast<double>(logit));
  Sampler sampler(20000);
  const std::vector<TokenId> tokens = {0};
  for (TokenId id = 0; id < 20000; id += 1000) {
    const auto sampled =
        sampler.sample({.logits = logits, .tokens = tokens, .n_prompt = 1, .n_logprobs = 0},
                       {.temperature = 0, .logit_bias = {{id, 1000.0F}}});  // forces this token
    EXPECT_EQ(sampled->token, id);
    EXPECT_NEAR(sampled->logprob.value_or(1.0F), static_cast<double>(logits[id]) - std::log(total),
                2e-6);
    EXPECT_TRUE(sampled->alternatives.empty());
  }
}

TEST(Sampler, AVocabularyOfOneToken) {
  EXPECT_EQ(drawn({3.0F}, {.top_k = 1, .top_p = 0.5F, .min_p = 0.5F}), (std::set<TokenId>{0}));
  EXPECT_EQ(drawn({3.0F}, {}), (std::set<TokenId>{0}));
}

TEST(Sampler, WhatTheMaskShutsOutIsNeverDrawn) {
  constexpr std::size_t kTokens = 200;
  const std::vector<float> logits = random_logits(kTokens, 4, 3);
  std::vector<std::uint64_t> allowed((kTokens + 63) / 64, 0);
  std::set<TokenId> left;
  for (TokenId id = 0; id < kTokens; id += 7) {
    allowed[id / 64] |= std::uint64_t{1} << (id % 64);
    left.insert(id);
  }
  const SamplingParams filters[] = {{.temperature = 0},
                                    {.temperature = 2},
                                    {.temperature = 2, .top_k = 40},
                                    {.temperature = 2, .top_p = 0.9F},
                                    {.temperature = 2, .min_p = 0.01F},
                                    {.temperature = 1, .logit_bias = {{1, 100.0F}}}};
  Sampler sampler(kTokens);
  const std::vector<TokenId> tokens = {0};
  for (SamplingParams params : filters) {
    std::set<TokenId> seen;
    for (params.seed = 0; params.seed < 2000; ++params.seed) {
      const auto sampled = sampler.sample(
          {.logits = logits, .tokens = tokens, .n_prompt = 1, .allowed = allowed}, params);
      ASSERT_TRUE(sampled.has_value());
      ASSERT_TRUE(left.contains(sampled->token));
      seen.insert(sampled->token);
    }
    const TokenId best =
        *std::ranges::max_element(left, {}, [&](TokenId id) { return logits[id]; });
    EXPECT_TRUE(seen.contains(best));
    if (params.temperature > 1 && params.top_k == 0) EXPECT_GT(seen.size(), 5U);
  }
}

TEST(Sampler, AMaskOfAllTokensChangesNothing) {
  const std::vector<float> logits = random_logits(130, 8, 4);
  const std::vector<std::uint64_t> all(3, ~std::uint64_t{0});
  Sampler sampler(130);
  const std::vector<TokenId> tokens = {0};
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const SampleRequest plain = {.logits = logits, .tokens = tokens, .n_prompt = 1};
    SampleRequest masked = plain;
    masked.allowed = all;
    const SamplingParams params = {.temperature = 1, .top_p = 0.9F, .seed = seed};
    EXPECT_EQ(sampler.sample(plain, params)->token, sampler.sample(masked, params)->token);
  }
}

}  // namespace
}  // namespace jarip
