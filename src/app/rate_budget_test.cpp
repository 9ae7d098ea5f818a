#include "app/rate_budget.h"

#include <gtest/gtest.h>

namespace jarip {
namespace {

using namespace std::chrono_literals;

TEST(RateBudget, RefillsEvenlyAndNeverBeyondAMinutesWorth) {
  const RateBudget::Time start{};
  RateBudget budget(60, start);
  EXPECT_DOUBLE_EQ(budget.left(start + 1h), 60);
  budget.spend(60, start + 1h);
  EXPECT_DOUBLE_EQ(budget.left(start + 1h), 0);
  EXPECT_DOUBLE_EQ(budget.until(1, start + 1h).count(), 1);
  EXPECT_DOUBLE_EQ(budget.left(start + 1h + 500ms), 0.5);
  EXPECT_DOUBLE_EQ(budget.left(start + 1h + 1s), 1);
  EXPECT_DOUBLE_EQ(budget.until(1, start + 1h + 1s).count(), 0);
  EXPECT_DOUBLE_EQ(budget.until_full(start + 1h + 1s).count(), 59);
}

TEST(RateBudget, WhatWasOverspentIsPaidBackFirst) {
  const RateBudget::Time start{};
  RateBudget budget(600, start);
  budget.spend(1600, start);
  EXPECT_DOUBLE_EQ(budget.left(start), -1000);
  EXPECT_DOUBLE_EQ(budget.until(1, start).count(), 100.1);
  EXPECT_DOUBLE_EQ(budget.left(start + 100s), 0);
}

TEST(RateBudget, AClockThatStandsStillOrGoesBackGivesNothing) {
  const RateBudget::Time start = RateBudget::Time{} + 1h;
  RateBudget budget(60, start);
  budget.spend(10, start);
  EXPECT_DOUBLE_EQ(budget.left(start - 1min), 50);
  EXPECT_DOUBLE_EQ(budget.left(start), 50);
}

}  // namespace
}  // namespace jarip
