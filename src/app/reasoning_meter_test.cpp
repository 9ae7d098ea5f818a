#include "app/reasoning_meter.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace jarip {
namespace {

constexpr ReasoningShape kThink{"<think>", "</think>"};

ReasoningMeter after(std::initializer_list<std::string_view> tokens, bool begun = false) {
  ReasoningMeter meter(kThink, begun);
  for (const std::string_view token : tokens) meter.take(token);
  return meter;
}

TEST(ReasoningMeter, CountsTheTokensBetweenTheMarks) {
  EXPECT_EQ(after({"<think>", "a", " b", "</think>", "c"}).n_tokens(), 2U);
  EXPECT_EQ(after({"a", "</think>", "c"}, true).n_tokens(), 1U);
  EXPECT_EQ(after({"\n", " <think>", "</think>", "c"}).n_tokens(), 0U);
  EXPECT_EQ(after({"No", "<think>", "a"}).n_tokens(), 0U);
  EXPECT_EQ(after({"<think>", "a", "b"}).n_tokens(), 2U);
  EXPECT_TRUE(after({"<think>"}).is_open());
  EXPECT_FALSE(after({"<think>", "</think>", "<think>"}).is_open());
}

TEST(ReasoningMeter, AMarkMayBeSpreadOverTokens) {
  EXPECT_EQ(after({"<", "th", "ink", ">", "a", "</", "think", ">", "b"}).n_tokens(), 1U);
  EXPECT_EQ(after({"<think>x", "y</th", "ink>z", "w"}).n_tokens(), 2U);
  EXPECT_EQ(after({"a", "</", "th", "at", "</think>"}, true).n_tokens(), 4U);
  EXPECT_EQ(after({"a<", "</think>"}, true).n_tokens(), 1U);
}

TEST(ReasoningMeter, WhatMayBecomeTheMarkCountsUntilItHas) {
  const ReasoningMeter meter = after({"a", "</", "thi"}, true);
  EXPECT_EQ(meter.n_tokens(), 3U);
  EXPECT_EQ(meter.rest_of_close(), "nk>");
  EXPECT_EQ(after({"a"}, true).rest_of_close(), "</think>");
}

TEST(ReasoningMeter, ReasoningThatRepeatsIsCountedAgain) {
  for (const bool repeats : {false, true}) {
    ReasoningMeter meter({"<a>", "</a>", repeats}, false);
    for (const std::string_view token : {"<a>", "x", "</a>", "y <", "<a>", "x", "x"}) {
      meter.take(token);
    }
    EXPECT_EQ(meter.n_tokens(), repeats ? 3U : 1U);
    EXPECT_EQ(meter.is_open(), repeats);
  }
}

TEST(ReasoningMeter, TokensWithoutTextCountWhereTheyStand) {
  EXPECT_EQ(after({"<think>", "a", "", "</think>", ""}).n_tokens(), 2U);
}

TEST(ReasoningMeter, KnowsWhereCharactersEnd) {
  EXPECT_TRUE(after({"한"}, true).is_between_characters());
  EXPECT_FALSE(after({"\xED\x95"}, true).is_between_characters());
  EXPECT_FALSE(after({"\xED", "\x95"}, true).is_between_characters());
  EXPECT_TRUE(after({"\xED", "\x95", "\x9C"}, true).is_between_characters());
  EXPECT_FALSE(after({"\xF0\x9F", "\x98"}, true).is_between_characters());
  EXPECT_TRUE(after({"\xF0\x9F", "\x98", "\x80"}, true).is_between_characters());
  EXPECT_TRUE(after({}, true).is_between_characters());
}

}  // namespace
}  // namespace jarip
