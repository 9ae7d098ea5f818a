#include "engine/scheduler.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <limits>
#include <optional>
#include <random>
#include <utility>

#include "engine/engine.h"
#include "engine/kv_pages.h"

namespace jarip {
namespace {

constexpr std::uint32_t kPage = kKvPageTokens;

SchedulerEntry waiting(std::uint32_t n_tokens) { return {.n_tokens = n_tokens}; }
SchedulerEntry running(std::uint32_t n_tokens, std::uint32_t n_computed) {
  return {.n_tokens = n_tokens,
          .n_computed = n_computed,
          .n_pages = pages_for(n_computed),
          .running = true};
}
SchedulerEntry decoding(std::uint32_t n_tokens) { return running(n_tokens, n_tokens - 1); }
SchedulerEntry of_user(std::uint32_t user, SchedulerEntry entry) {
  entry.user = user;
  return entry;
}
SchedulerEntry with_priority(std::int32_t priority, SchedulerEntry entry) {
  entry.priority = priority;
  return entry;
}
SchedulerEntry with_next_page(std::uint64_t next_page, SchedulerEntry entry) {
  entry.next_page = next_page;
  return entry;
}

// Pages of which nobody shares any, but for what a test says.
struct Pages : PageSource {
  explicit Pages(std::span<const SchedulerEntry> all) : entries(all) {}
  Cached find_cached(std::uint32_t entry) override {
    return entry < cached.size() ? cached[entry] : Cached{};
  }
  void count_further(std::span<const std::uint32_t> order,
                     std::span<std::uint32_t> counts) override {
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::uint32_t entry = order[i];
      counts[i] = entry < further.size() ? further[entry] : entries[entry].n_pages;
    }
  }
  std::span<const SchedulerEntry> entries;
  std::vector<Cached> cached = {};
  std::vector<std::uint32_t> further = {};
};

const std::vector<UserService> kOneUser = {{}};

StepPlan make_plan(const SchedulerLimits& limits, SchedulerInput input, Pages& pages) {
  input.n_pages = input.n_free_pages;
  for (const SchedulerEntry& entry : input.entries) input.n_pages += entry.n_pages;
  Scheduler scheduler(limits);
  StepPlan plan;
  scheduler.plan(input, pages, plan);
  return plan;
}

StepPlan make_plan(const SchedulerLimits& limits, const std::vector<SchedulerEntry>& entries,
                   std::uint32_t n_free_pages) {
  Pages pages(entries);
  return make_plan(limits, {entries, kOneUser, n_free_pages}, pages);
}

StepPlan make_plan(const SchedulerLimits& limits, const std::vector<SchedulerEntry>& entries,
                   const std::vector<double>& services, std::uint32_t n_free_pages,
                   bool quick = false) {
  Pages pages(entries);
  std::vector<UserService> users;
  for (const double service : services) users.push_back({service, 1});
  return make_plan(
      limits, {.entries = entries, .users = users, .n_free_pages = n_free_pages, .quick = quick},
      pages);
}

std::vector<std::pair<std::uint32_t, std::uint32_t>> chunks_of(const StepPlan& plan) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> chunks;
  chunks.reserve(plan.chunks.size());
  for (const PlannedChunk& chunk : plan.chunks) chunks.emplace_back(chunk.entry, chunk.n_tokens);
  return chunks;
}

using Chunks = std::vector<std::pair<std::uint32_t, std::uint32_t>>;
using Indices = std::vector<std::uint32_t>;

TEST(Scheduler, NothingToDoIsAnEmptyPlan) {
  const StepPlan plan = make_plan({4, 64}, {}, 10);
  EXPECT_TRUE(plan.chunks.empty());
  EXPECT_TRUE(plan.started.empty());
  EXPECT_TRUE(plan.parked.empty());
}

TEST(Scheduler, StartsInOrderOfArrivalUpToTheLimit) {
  const StepPlan plan = make_plan({2, 64}, {waiting(5), waiting(6), waiting(7)}, 100);
  EXPECT_EQ(plan.started, (Indices{0, 1}));
  EXPECT_EQ(chunks_of(plan), (Chunks{{0, 5}, {1, 6}}));
}

TEST(Scheduler, EveryDecodingSequenceFeedsItsTokenBesideALongPrompt) {
  const StepPlan plan = make_plan({8, 20}, {decoding(9), running(1000, 0), decoding(3)}, 100);
  EXPECT_EQ(chunks_of(plan), (Chunks{{0, 1}, {1, 18}, {2, 1}}));
}

TEST(Scheduler, AShortPromptDoesNotWaitBehindALongOne) {
  const StepPlan plan = make_plan({8, 64}, {running(1000, 100), running(500, 0), waiting(10)}, 100);
  EXPECT_EQ(plan.started, (Indices{2}));
  EXPECT_EQ(chunks_of(plan), (Chunks{{0, 16}, {1, 38}, {2, 10}}));
}

TEST(Scheduler, TheOldestPromptAlwaysGetsAQuarterOfTheStep) {
  const SchedulerEntry shorter = running(60, 0);
  const StepPlan plan =
      make_plan({8, 64}, {decoding(2), running(1000, 100), shorter, shorter}, 100);
  EXPECT_EQ(chunks_of(plan), (Chunks{{0, 1}, {1, 15}, {2, 48}}));
}

TEST(Scheduler, OfOneUserTheLowestPriorityNumberStartsFirst) {
  const std::vector<SchedulerEntry> entries = {waiting(9), with_priority(-1, waiting(9)),
                                               with_priority(-1, waiting(9)),
                                               with_priority(1, waiting(9))};
  EXPECT_EQ(make_plan({2, 64}, entries, 99).started, (Indices{1, 2}));
}

TEST(Scheduler, AfterSevenThatPassedItTheOldestStartsWhateverItsPriority) {
  std::vector<SchedulerEntry> entries = {with_priority(9, waiting(9))};
  for (int i = 0; i < 12; ++i) entries.push_back(waiting(9));
  std::vector<UserService> users = kOneUser;
  Indices order;
  for (;;) {
    Pages pages(entries);
    const StepPlan plan =
        make_plan({1, 64}, {.entries = entries, .users = users, .n_free_pages = 99}, pages);
    ASSERT_EQ(plan.started.size(), 1U);
    order.push_back(plan.started[0]);
    if (plan.started[0] == 0) break;
    // It ends, and another comes.
    entries.erase(entries.begin() + plan.started[0]);
    entries.push_back(waiting(9));
    users[0].n_passing = plan.n_passing[0];
    ASSERT_LT(order.size(), 20U) << "it starves";
  }
  EXPECT_EQ(order, (Indices{1, 1, 1, 1, 1, 1, 1, 0}));
}

TEST(Scheduler, WhoPassesIsCountedWithinAStepAndForItsUserAlone) {
  const std::vector<SchedulerEntry> entries = {with_priority(1, waiting(9)),
                                               waiting(9),
                                               waiting(9),
                                               with_priority(1, waiting(9)),
                                               of_user(1, with_priority(1, waiting(9))),
                                               of_user(1, waiting(9))};
  const std::vector<UserService> users = {{.service = 0, .n_passing = 6}, {.service = 20}};
  Pages pages(entries);
  const StepPlan plan =
      make_plan({3, 64}, {.entries = entries, .users = users, .n_free_pages = 99}, pages);
  EXPECT_EQ(plan.started, (Indices{1, 0, 2}));
  EXPECT_EQ(plan.n_passing, (Indices{0, 0}));
}

TEST(Scheduler, TheOldestPromptGetsItsQuarterThoughOthersGoFirst) {
  const SchedulerEntry urgent = with_priority(-1, running(60, 0));
  EXPECT_EQ(chunks_of(make_plan({8, 64}, {running(1000, 100), urgent, urgent}, 100)),
            (Chunks{{0, 16}, {1, 48}}));
}

TEST(SchedulerUsers, WhoHasHadLeastStartsFirst) {
  const std::vector<SchedulerEntry> entries = {waiting(9), of_user(1, waiting(9))};
  EXPECT_EQ(make_plan({1, 64}, entries, {0, 0}, 99).started, (Indices{0}));
  EXPECT_EQ(make_plan({1, 64}, entries, {5, 4}, 99).started, (Indices{1}));
}

TEST(SchedulerUsers, RunningPromptsCountAsServiceWhenOthersWait) {
  const std::vector<SchedulerEntry> entries = {running(1000, 0), waiting(9), waiting(9),
                                               of_user(1, waiting(9)), of_user(1, waiting(9))};
  EXPECT_EQ(make_plan({3, 64}, entries, {0, 500}, 99).started, (Indices{3, 4}));
}

TEST(SchedulerUsers, APriorityDoesNotReachBeyondTheUser) {
  const std::vector<SchedulerEntry> entries = {waiting(9),
                                               of_user(1, with_priority(-9, waiting(9)))};
  EXPECT_EQ(make_plan({1, 64}, entries, {4, 5}, 99).started, (Indices{0}));
}

TEST(SchedulerUsers, ThePromptOfWhoHasHadLeastTakesTheStep) {
  const std::vector<SchedulerEntry> entries = {running(900, 100), of_user(1, running(50, 0))};
  EXPECT_EQ(chunks_of(make_plan({8, 64}, entries, {7, 6}, 99)), (Chunks{{0, 14}, {1, 50}}));
  EXPECT_EQ(chunks_of(make_plan({8, 64}, entries, {6, 7}, 99)), (Chunks{{0, 64}}));
}

TEST(SchedulerUsers, OneWhoIsFarAheadIsParkedForOneWhoWaits) {
  // Parking the second costs least; computing its 40 tokens again is less than what user 0 is
  // ahead.
  const std::vector<SchedulerEntry> entries = {decoding(900), decoding(41), of_user(1, waiting(9))};
  const StepPlan plan = make_plan({2, 64}, entries, {600, 0}, 99);
  EXPECT_EQ(plan.parked, (Indices{1}));
  EXPECT_TRUE(plan.started.empty()) << "its pages are free in the next step";
  EXPECT_EQ(chunks_of(plan), (Chunks{{0, 1}}));
  EXPECT_TRUE(make_plan({2, 64}, entries, {500, 0}, 99).parked.empty());
}

TEST(SchedulerUsers, NobodyIsParkedWhereThatDoesNotMakeRoom) {
  const std::vector<SchedulerEntry> entries = {of_user(1, decoding(20 * kPage)), decoding(41),
                                               of_user(1, waiting(9 * kPage))};
  EXPECT_TRUE(make_plan({3, 64}, entries, {9000, 0}, 2).parked.empty());
  EXPECT_EQ(make_plan({3, 64}, entries, {9000, 0}, 9).parked, (Indices{1}));
}

TEST(SchedulerUsers, WhileTheFirstInLineWaitsForPagesAnotherUsersShortOneStarts) {
  // User 0 has 16 pages and will have 20, user 1 wants 18, user 2 wants one.
  const SchedulerEntry busy = running(20 * kPage, 16 * kPage);
  const SchedulerEntry blocked = of_user(1, waiting(18 * kPage));
  const SchedulerEntry brief = of_user(2, waiting(9));
  EXPECT_EQ(make_plan({8, 64}, {busy, blocked, brief}, {0, 0, 1}, 14).started, (Indices{2}));
  EXPECT_EQ(make_plan({2, 64}, {busy, blocked, brief}, {0, 0, 1}, 14).started, (Indices{2}));
  EXPECT_TRUE(make_plan({1, 64}, {busy, blocked, brief}, {0, 0, 1}, 14).started.empty());
  EXPECT_TRUE(
      make_plan({8, 64}, {busy, blocked, of_user(1, waiting(9))}, {0, 0}, 14).started.empty())
      << "of the same user";
  EXPECT_TRUE(make_plan({8, 64}, {busy, blocked, brief}, {0, 0, 999}, 14).started.empty())
      << "has had more than the one who runs";
  EXPECT_TRUE(make_plan({8, 64}, {busy, blocked, brief}, {0, 0, 1}, 5).started.empty())
      << "doesn't fit either";
}

TEST(SchedulerUsers, ThoseWhoPassTheFirstInLineLeaveItRoom) {
  const SchedulerEntry busy = running(20 * kPage, 16 * kPage);
  const SchedulerEntry blocked = of_user(1, waiting(22 * kPage));
  const SchedulerEntry passed = of_user(2, decoding(3 * kPage));
  const SchedulerEntry brief = of_user(3, waiting(3 * kPage));
  // The second wants 22; the third has 3 and may soon have 4.
  const std::vector<double> services = {300, 0, 1, 1};
  EXPECT_EQ(make_plan({8, 64}, {busy, blocked, passed, brief}, services, 11).started, (Indices{3}));
  const SchedulerEntry longer = of_user(3, waiting(6 * kPage));
  EXPECT_TRUE(make_plan({8, 64}, {busy, blocked, passed, longer}, services, 13).started.empty());
  EXPECT_EQ(make_plan({8, 64}, {busy, passed, longer}, services, 13).started, (Indices{2}))
      << "with nobody before it it starts";
}

TEST(SchedulerUsers, WithoutPagesThoseOfWhoHasHadMostAreParkedButNotTheOldest) {
  const std::vector<SchedulerEntry> entries = {decoding(5), of_user(1, decoding(kPage + 1)),
                                               decoding(6)};
  const StepPlan plan = make_plan({8, 64}, entries, {50, 40}, 0);
  EXPECT_EQ(plan.parked, (Indices{2}));
  EXPECT_EQ(chunks_of(plan), (Chunks{{0, 1}, {1, 1}}));
}

TEST(SchedulerSteps, LookingBackOnManyTokensCosts) {
  const SchedulerLimits limits{8, 64, 1000};
  EXPECT_EQ(chunks_of(make_plan(limits, {running(9000, 0)}, 999)), (Chunks{{0, 64}}));
  EXPECT_EQ(chunks_of(make_plan(limits, {running(9000, 1000)}, 999)), (Chunks{{0, 48}}));
  EXPECT_EQ(chunks_of(make_plan(limits, {running(9000, 3000)}, 999)), (Chunks{{0, 24}}));
}

TEST(SchedulerSteps, TokensCountTheMoreTheMoreTheyLookBackOn) {
  EXPECT_EQ(cost_of_tokens(0, 1000, 1100), 100);
  EXPECT_EQ(cost_of_tokens(1000, 0, 1000), 1500);
  EXPECT_EQ(cost_of_tokens(1000, 1000, 2000), 2500);
  EXPECT_EQ(cost_of_tokens(1000, 700, 700), 0);
  // Of two prompts that have as many tokens left, the one far into its text takes more.
  const std::vector<SchedulerEntry> entries = {running(1100, 1000), of_user(1, running(100, 0)),
                                               waiting(9), of_user(1, waiting(9))};
  EXPECT_EQ(make_plan({3, 64, 1000}, entries, {0, 0}, 99).started, (Indices{3}));
}

TEST(SchedulerSteps, QuickStepsAreShorter) {
  const SchedulerLimits limits{8, 64, 1000};
  const auto n_fed = [&](std::uint32_t n_computed) {
    return make_plan(limits, {running(9000, n_computed)}, {0}, 999, true).chunks[0].n_tokens;
  };
  EXPECT_EQ(n_fed(0), 20U);
  EXPECT_EQ(n_fed(1000), 10U);
  EXPECT_EQ(n_fed(8000), 8U) << "fewer would not be quicker";
}

TEST(SchedulerSteps, APromptThatEndsInAQuickStepWaitsForNoPartOfAnother) {
  const std::vector<SchedulerEntry> entries = {running(900, 0), of_user(1, running(10, 0)),
                                               of_user(1, running(9, 0))};
  EXPECT_EQ(chunks_of(make_plan({8, 256}, entries, {8, 8}, 99, true)), (Chunks{{1, 10}, {2, 9}}));
  EXPECT_EQ(chunks_of(make_plan({8, 256}, entries, {8, 8}, 99, false)),
            (Chunks{{0, 237}, {1, 10}, {2, 9}}));
  EXPECT_EQ(chunks_of(make_plan({8, 256}, entries, {7, 8}, 99, true)), (Chunks{{0, 80}}));
}

TEST(SchedulerSteps, WhateverDecodesPromptsGetAQuarterOfTheCost) {
  std::vector<SchedulerEntry> entries(40, decoding(2000));
  entries.push_back(running(900, 0));
  const StepPlan plan = make_plan({64, 256, 1000}, entries, {0}, 999, true);
  EXPECT_EQ(plan.chunks.size(), 41U);
  EXPECT_EQ(plan.chunks.back().n_tokens, 20U);
}

TEST(SchedulerPrefixes, WhoStartsBeginsWithWhatIsCached) {
  const std::vector<SchedulerEntry> entries = {waiting(3 * kPage + 5)};
  Pages pages(entries);
  pages.cached = {{.n_pages = 3, .n_free_pages = 3}};
  const StepPlan plan = make_plan({8, 64}, {entries, kOneUser, 4}, pages);
  EXPECT_EQ(chunks_of(plan), (Chunks{{0, 5}}));
}

TEST(SchedulerPrefixes, CachedPagesCostFreeOnesOnlyIfNobodyHasThem) {
  const std::vector<SchedulerEntry> entries = {decoding(4), waiting(3 * kPage + 5)};
  Pages pages(entries);
  pages.cached = {{}, {.n_pages = 3, .n_free_pages = 0}};
  EXPECT_EQ(make_plan({8, 64}, {entries, kOneUser, 2}, pages).started, (Indices{1}));
  EXPECT_EQ(make_plan({8, 64}, {entries, kOneUser, 1}, pages).started, (Indices{}));
  pages.cached[1].n_free_pages = 2;
  EXPECT_EQ(make_plan({8, 64}, {entries, kOneUser, 3}, pages).started, (Indices{}));
  EXPECT_EQ(make_plan({8, 64}, {entries, kOneUser, 4}, pages).started, (Indices{1}));
}

TEST(SchedulerPrefixes, WhoWouldComputeTheSamePageWaitsForIt) {
  const std::vector<SchedulerEntry> entries = {
      with_next_page(7, running(300, 0)), with_next_page(7, running(200, 0)),
      with_next_page(8, running(100, 0)), with_next_page(0, running(20, 0))};
  EXPECT_EQ(chunks_of(make_plan({8, 200}, entries, 999)), (Chunks{{0, 80}, {2, 100}, {3, 20}}));
}

TEST(SchedulerPrefixes, NobodyWaitsForAPageWhilePagesMayRunShort) {
  const std::vector<SchedulerEntry> entries = {with_next_page(7, running(30, 0)),
                                               with_next_page(7, running(20, 0))};
  EXPECT_EQ(chunks_of(make_plan({8, 64}, entries, 4)), (Chunks{{0, 30}, {1, 20}}));
}

TEST(SchedulerPrefixes, SharedPagesAreNotCountedAsGivenBack) {
  const std::vector<SchedulerEntry> entries = {decoding(kPage + 1), decoding(5), decoding(6)};
  Pages pages(entries);
  pages.further = {1, 1, 0};
  const StepPlan plan = make_plan({8, 64}, {entries, kOneUser, 0}, pages);
  EXPECT_EQ(plan.parked, (Indices{2, 1}));
  EXPECT_EQ(chunks_of(plan), (Chunks{{0, 1}}));
}

TEST(Scheduler, NeverRunsMoreThanAStepHasTokens) {
  const StepPlan plan = make_plan({100, 3}, {decoding(4), decoding(4), waiting(9), waiting(9)}, 99);
  EXPECT_EQ(plan.started, (Indices{2}));
  EXPECT_EQ(chunks_of(plan), (Chunks{{0, 1}, {1, 1}, {2, 1}}));
}

TEST(Scheduler, AWaitingSequenceStartsOnlyWhenItsPagesAndASpareOneForEachAreFree) {
  // The decoding one may soon need a page, the new one needs two.
  const std::vector<SchedulerEntry> entries = {decoding(20), waiting(2 * kPage)};
  EXPECT_EQ(make_plan({8, 64}, entries, 2).started, (Indices{}));
  EXPECT_EQ(make_plan({8, 64}, entries, 3).started, (Indices{1}));
}

TEST(Scheduler, PagesPromisedToRunningPromptsAreNotGivenAway) {
  const std::vector<SchedulerEntry> entries = {running(10 * kPage, kPage), waiting(1)};
  EXPECT_EQ(make_plan({8, 64}, entries, 10).started, (Indices{}));
  EXPECT_EQ(make_plan({8, 64}, entries, 11).started, (Indices{1}));
}

TEST(Scheduler, AYoungerSequenceDoesNotOvertakeOneThatWaitsForPages) {
  const StepPlan plan = make_plan({8, 64}, {decoding(9), waiting(9 * kPage), waiting(1)}, 5);
  EXPECT_TRUE(plan.started.empty());
}

TEST(Scheduler, AloneASequenceStartsEvenInTheLastPage) {
  EXPECT_EQ(make_plan({8, 64}, {waiting(2 * kPage)}, 2).started, (Indices{0}));
}

TEST(Scheduler, WithoutPagesTheYoungestIsParkedForAnOlderOne) {
  // The first needs its next page and none is free.
  const StepPlan plan =
      make_plan({8, 64}, {decoding(kPage + 1), decoding(5), decoding(2 * kPage + 8)}, 0);
  EXPECT_EQ(plan.parked, (Indices{2}));
  EXPECT_EQ(chunks_of(plan), (Chunks{{0, 1}, {1, 1}}));
}

TEST(Scheduler, AsManyAreParkedAsTheOlderOneNeeds) {
  const StepPlan plan =
      make_plan({8, 256}, {running(3 * kPage, kPage), decoding(5), decoding(6)}, 0);
  EXPECT_EQ(plan.parked, (Indices{2, 1}));
  EXPECT_EQ(chunks_of(plan), (Chunks{{0, 2 * kPage}}));
}

TEST(Scheduler, TheYoungestItselfWaitsInPlaceWithItsPages) {
  const StepPlan plan = make_plan({8, 64}, {decoding(5), decoding(kPage + 1)}, 0);
  EXPECT_TRUE(plan.parked.empty());
  EXPECT_EQ(chunks_of(plan), (Chunks{{0, 1}}));
}

TEST(Scheduler, TheYoungestPromptFeedsWhatStillFits) {
  const StepPlan plan = make_plan({8, 200}, {decoding(5), running(4 * kPage, kPage / 2)}, 1);
  EXPECT_EQ(chunks_of(plan), (Chunks{{0, 1}, {1, kPage + kPage / 2}}));
}

// The same chance for every further draft, if those before it are right.
std::vector<float> chances_of(float each, std::uint32_t n) {
  std::vector<float> chances(n, each);
  for (std::uint32_t i = 1; i < n; ++i) chances[i] = chances[i - 1] * each;
  return chances;
}

std::vector<std::uint32_t> drafts_of(const StepPlan& plan) {
  std::vector<std::uint32_t> drafts;
  drafts.reserve(plan.chunks.size());
  for (const PlannedChunk& chunk : plan.chunks) drafts.push_back(chunk.n_drafts);
  return drafts;
}

SchedulerEntry guessing(std::uint32_t n_tokens, const std::vector<float>& chances) {
  SchedulerEntry entry = decoding(n_tokens);
  entry.draft_chances = chances;
  return entry;
}

TEST(SchedulerDrafts, TheLikelierTheyAreRightTheMoreAreFed) {
  std::uint32_t last = 0;
  for (const float each : {0.3F, 0.6F, 0.9F, 0.99F}) {
    const std::vector<float> chances = chances_of(each, kMaxDraftTokens);
    const StepPlan plan = make_plan({8, 64}, {guessing(9, chances)}, 100);
    EXPECT_GT(plan.chunks[0].n_drafts, last) << each;
    EXPECT_EQ(plan.chunks[0].n_tokens, 1U);
    last = plan.chunks[0].n_drafts;
  }
  EXPECT_EQ(last, kMaxDraftTokens);
}

TEST(SchedulerDrafts, UnlikelyOnesAreNotWorthTheirTime) {
  const std::vector<float> chances = chances_of(0.1F, 8);
  EXPECT_EQ(drafts_of(make_plan({8, 64}, {guessing(9, chances)}, 100)), (Indices{0}));
}

TEST(SchedulerDrafts, NeverMoreThanThereAre) {
  const std::vector<float> chances = chances_of(1.0F, 3);
  EXPECT_EQ(drafts_of(make_plan({8, 64}, {guessing(9, chances), decoding(9)}, 100)),
            (Indices{3, 0}));
}

TEST(SchedulerDrafts, TheOneMoreLikelyToBeRightGetsMore) {
  const std::vector<float> likely = chances_of(0.95F, 8);
  const std::vector<float> unlikely = chances_of(0.6F, 8);
  const Indices drafts =
      drafts_of(make_plan({8, 64}, {guessing(9, unlikely), guessing(9, likely)}, 100));
  EXPECT_GT(drafts[0], 0U);
  EXPECT_GT(drafts[1], drafts[0]);
}

TEST(SchedulerDrafts, TheMoreSequencesRunTheFewerDraftsPay) {
  const std::vector<float> chances = chances_of(0.7F, 8);
  std::uint32_t last = 8;
  for (const std::size_t n : {1U, 4U, 12U}) {
    const std::vector<SchedulerEntry> entries(n, guessing(9, chances));
    const Indices drafts = drafts_of(make_plan({64, 256}, entries, 100));
    EXPECT_LT(drafts.back(), last) << n;
    last = drafts.back();
  }
  EXPECT_EQ(last, 0U);
}

TEST(SchedulerDrafts, AStepKeepsToItsRowsAndItsTokens) {
  const std::vector<float> chances = chances_of(1.0F, kMaxDraftTokens);
  const std::vector<SchedulerEntry> entries(4, guessing(9, chances));
  const auto n_rows = [&](const SchedulerLimits& limits) {
    std::uint32_t n = 0;
    for (const PlannedChunk& chunk : make_plan(limits, entries, 100).chunks) {
      n += chunk.n_tokens + chunk.n_drafts;
    }
    return n;
  };
  EXPECT_EQ(n_rows({8, 256}), 16U);
  EXPECT_EQ(n_rows({8, 7}), 7U);
  EXPECT_EQ(n_rows({4, 4}), 4U);
}

TEST(SchedulerDrafts, APromptGoesBeforeThem) {
  const std::vector<float> chances = chances_of(0.9F, 8);
  const StepPlan plan = make_plan({8, 20}, {guessing(9, chances), running(100, 0)}, 100);
  EXPECT_EQ(chunks_of(plan), (Chunks{{0, 1}, {1, 19}}));
  EXPECT_EQ(drafts_of(plan), (Indices{0, 0}));
}

TEST(SchedulerDrafts, TheyTakeOnlyPagesThatNobodyElseTakes) {
  const std::vector<float> chances = chances_of(1.0F, 8);
  // The draft after the last slot of the first page needs a second one.
  const std::vector<SchedulerEntry> entries = {guessing(kPage - 2, chances), decoding(kPage + 1)};
  EXPECT_EQ(drafts_of(make_plan({8, 64}, entries, 1)), (Indices{2, 0}));
  EXPECT_EQ(drafts_of(make_plan({8, 64}, entries, 2)), (Indices{8, 0}));
  EXPECT_TRUE(make_plan({8, 64}, entries, 1).parked.empty());
}

// Random loads against the promises of scheduler.h, step by step.
struct Simulated {
  SchedulerEntry entry;
  std::uint32_t n_final = 0;  // tokens at which it ends
  std::vector<float> chances = {};
};

class Simulation {
 public:
  Simulation(std::uint64_t seed, const SchedulerLimits& limits, std::uint32_t n_pages,
             std::uint32_t n_ctx)
      : random_(seed), limits_(limits), n_pages_(n_pages), n_ctx_(n_ctx), scheduler_(limits) {}

  void arrive() {
    const std::uint32_t n_prompt = draw(1, n_ctx_ - 1);
    sequences_.push_back({waiting(n_prompt), draw(n_prompt + 1, n_ctx_)});
  }

  void step() {
    std::vector<SchedulerEntry> entries;
    entries.reserve(sequences_.size());
    for (const Simulated& s : sequences_) entries.push_back(s.entry);
    const StepPlan without = make_plan(limits_, entries, n_pages_ - n_used());
    for (std::size_t i = 0; i < entries.size(); ++i) draft(sequences_[i], entries[i]);
    Pages pages(entries);
    scheduler_.plan({entries, kOneUser, n_pages_ - n_used(), n_pages_}, pages, plan_);
    EXPECT_EQ(plan_.parked, without.parked) << "drafts change nothing else";
    EXPECT_EQ(plan_.started, without.started);
    EXPECT_EQ(chunks_of(plan_), chunks_of(without));
    check_starts_and_parks();
    feed();
    std::erase_if(sequences_, [](const Simulated& s) { return s.entry.n_tokens == s.n_final; });
  }

  [[nodiscard]] bool done() const { return sequences_.empty(); }
  [[nodiscard]] std::uint32_t draw(std::uint32_t least, std::uint32_t most) {
    return std::uniform_int_distribution<std::uint32_t>(least, most)(random_);
  }
  std::uint64_t n_parked = 0;
  std::uint64_t n_drafts = 0;

 private:
  // As the engine does: only behind the last token, and never beyond the answer's end.
  void draft(Simulated& s, SchedulerEntry& entry) {
    if (entry.n_computed + 1 != entry.n_tokens) return;
    s.chances = chances_of(static_cast<float>(draw(0, 100)) * 0.01F,
                           std::min(draw(0, kMaxDraftTokens), s.n_final - entry.n_tokens - 1));
    entry.draft_chances = s.chances;
  }

  [[nodiscard]] std::uint32_t n_used() const {
    std::uint32_t n = 0;
    for (const Simulated& s : sequences_) n += s.entry.n_pages;
    return n;
  }

  void check_starts_and_parks() {
    for (const std::uint32_t i : plan_.parked) {
      EXPECT_GT(i, 0U) << "the oldest is never parked";
      EXPECT_TRUE(sequences_[i].entry.running);
      EXPECT_TRUE(plan_.started.empty()) << "nothing starts while something is parked";
      sequences_[i].entry.running = false;
      sequences_[i].entry.n_pages = sequences_[i].entry.n_computed = 0;
    }
    for (const std::uint32_t i : plan_.started) sequences_[i].entry.running = true;
    std::uint32_t n_running = 0;
    while (n_running < sequences_.size() && sequences_[n_running].entry.running) ++n_running;
    for (std::size_t i = n_running; i < sequences_.size(); ++i) {
      EXPECT_FALSE(sequences_[i].entry.running) << "running sequences are the oldest";
    }
    EXPECT_LE(n_running, std::min(limits_.max_sequences, limits_.max_step_tokens));
    n_parked += plan_.parked.size();
  }

  void feed() {
    std::uint32_t n_tokens = 0;
    std::optional<std::uint32_t> last;
    ASSERT_FALSE(plan_.chunks.empty());
    std::uint32_t n_peak = n_used();
    for (const auto& [i, n, n_drafted] : plan_.chunks) {
      SchedulerEntry& entry = sequences_[i].entry;
      EXPECT_TRUE(entry.running);
      EXPECT_GT(n, 0U);
      EXPECT_LE(entry.n_computed + n, entry.n_tokens);
      EXPECT_TRUE(!last || *last < i) << "in order of age, each once";
      last = i;
      EXPECT_LE(n_drafted, sequences_[i].chances.size());
      n_tokens += n + n_drafted;
      n_drafts += n_drafted;
      n_peak += pages_for(entry.n_computed + n + n_drafted) - entry.n_pages;
      const std::uint32_t n_right = draw(0, n_drafted);
      entry.n_computed += n + n_right;
      entry.n_pages = pages_for(entry.n_computed);
      if (n_drafted > 0) entry.n_tokens += n_right;
      if (entry.n_computed == entry.n_tokens) ++entry.n_tokens;
      sequences_[i].chances.clear();
    }
    EXPECT_LE(n_peak, n_pages_);
    EXPECT_EQ(plan_.chunks[0].entry, 0U) << "the oldest goes on in every step";
    EXPECT_LE(n_tokens, limits_.max_step_tokens);
    EXPECT_LE(n_used(), n_pages_);
  }

  std::mt19937_64 random_;
  SchedulerLimits limits_;
  std::uint32_t n_pages_;
  std::uint32_t n_ctx_;
  Scheduler scheduler_;
  StepPlan plan_;
  std::deque<Simulated> sequences_;
};

TEST(Scheduler, UnderRandomLoadsEverySequenceEndsAndTheOldestAlwaysGoesOn) {
  std::uint64_t n_parked = 0;
  std::uint64_t n_drafts = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const std::uint32_t n_ctx = 20 + static_cast<std::uint32_t>(seed) * 7;
    const SchedulerLimits limits = {1 + static_cast<std::uint32_t>(seed) % 9,
                                    1 + static_cast<std::uint32_t>(seed * seed) % 50};
    Simulation simulation(seed, limits, pages_for(n_ctx) + static_cast<std::uint32_t>(seed % 7),
                          n_ctx);
    for (int i = 0; i < 40; ++i) {
      if (simulation.draw(0, 2) > 0) simulation.arrive();
      if (!simulation.done()) simulation.step();
      if (HasFatalFailure()) return;
    }
    int n_steps = 0;
    while (!simulation.done()) {
      ASSERT_LT(++n_steps, 40 * 440) << "seed " << seed << " doesn't come to an end";
      simulation.step();
      if (HasFatalFailure()) return;
    }
    n_parked += simulation.n_parked;
    n_drafts += simulation.n_drafts;
  }
  EXPECT_GT(n_drafts, 1000U);
  EXPECT_GT(n_parked, 100U) << "the loads no longer reach the case of scarce pages";
}

// Users who always have requests, of all sizes, on a machine with too few slots and pages.
class Competition {
 public:
  Competition(std::uint64_t seed, std::uint32_t n_users) : random_(seed) {
    for (std::uint32_t user = 0; user < n_users; ++user) {
      styles_.push_back({draw(1, kContext / 2), draw(1, kContext / 2), draw(1, 3), draw(1, 12)});
    }
  }

  void step() {
    for (std::uint32_t user = 0; user < styles_.size(); ++user) fill(user);
    std::vector<SchedulerEntry> entries;
    entries.reserve(sequences_.size());
    for (const Running& sequence : sequences_) entries.push_back(sequence.entry);
    Pages pages(entries);
    const bool quick = draw(0, 1) == 0;
    scheduler_.plan({entries, fair_.users(), kPages - n_used(), kPages, quick}, pages, plan_);
    for (const std::uint32_t i : plan_.parked) {
      SchedulerEntry& entry = sequences_[i].entry;
      entry.running = false;
      entry.n_pages = entry.n_computed = 0;
      if (!std::exchange(sequences_[i].wanting, true)) fair_.want_again(entry.user);
      ++n_parked;
    }
    for (const std::uint32_t i : plan_.started) sequences_[i].entry.running = true;
    EXPECT_TRUE(!plan_.chunks.empty() || !plan_.parked.empty()) << "an idle step";
    for (const PlannedChunk& chunk : plan_.chunks) feed(sequences_[chunk.entry], chunk.n_tokens);
    EXPECT_LE(n_used(), kPages);
    std::erase_if(sequences_, [this](const Running& s) {
      if (s.entry.n_tokens < s.n_final) return false;
      fair_.leave(s.entry.user);
      return true;
    });
    for (Running& sequence : sequences_) ++sequence.age;
    for (const Running& sequence : sequences_) oldest = std::max(oldest, sequence.age);
  }

  // How far the services of those lie apart who want more.
  [[nodiscard]] double spread() const {
    double least = std::numeric_limits<double>::infinity();
    double most = 0;
    for (const Running& sequence : sequences_) {
      if (!sequence.wanting) continue;
      least = std::min(least, fair_.users()[sequence.entry.user].service);
      most = std::max(most, fair_.users()[sequence.entry.user].service);
    }
    return std::max(most - least, 0.0);
  }

  static constexpr std::uint32_t kContext = 400;
  static constexpr std::uint32_t kStepTokens = 64;
  std::uint64_t n_parked = 0;
  int oldest = 0;

 private:
  static constexpr std::uint32_t kPages = 20;
  struct Style {
    std::uint32_t n_prompt, n_answer, weight, n_waiting;
  };
  struct Running {
    SchedulerEntry entry;
    std::uint32_t n_final = 0;
    std::uint32_t competitor = 0;
    std::uint32_t n_charged = 0;
    int age = 0;
    bool wanting = true;
  };

  [[nodiscard]] float weight_of(std::uint32_t user) const {
    return static_cast<float>(styles_[user].weight);
  }

  void fill(std::uint32_t user) {
    const Style& style = styles_[user];
    auto n =
        std::ranges::count_if(sequences_, [&](const Running& s) { return s.competitor == user; });
    for (; n < style.n_waiting; ++n) {
      const std::uint32_t n_prompt = draw(1, style.n_prompt);
      const std::uint32_t place = fair_.join(fmt::format("user {}", user), weight_of(user));
      sequences_.push_back(
          {of_user(place, waiting(n_prompt)), n_prompt + draw(1, style.n_answer), user});
    }
  }

  void feed(Running& sequence, std::uint32_t n) {
    SchedulerEntry& entry = sequence.entry;
    entry.n_computed += n;
    entry.n_pages = pages_for(entry.n_computed);
    const bool is_prompt = n > 1 || entry.n_computed < entry.n_tokens;
    if (entry.n_computed > sequence.n_charged) {
      fair_.charge(entry.user, (entry.n_computed - sequence.n_charged) * (is_prompt ? 1.0 : 2.0));
      sequence.n_charged = entry.n_computed;
    }
    if (entry.n_computed < entry.n_tokens) return;
    ++entry.n_tokens;
    if (std::exchange(sequence.wanting, false)) fair_.satisfy(entry.user);
  }

  [[nodiscard]] std::uint32_t n_used() const {
    std::uint32_t n = 0;
    for (const Running& s : sequences_) n += s.entry.n_pages;
    return n;
  }
  std::uint32_t draw(std::uint32_t least, std::uint32_t most) {
    return std::uniform_int_distribution<std::uint32_t>(least, most)(random_);
  }

  std::mt19937_64 random_;
  std::vector<Style> styles_;
  FairShare fair_;
  Scheduler scheduler_{{.max_sequences = 6, .max_step_tokens = kStepTokens}};
  StepPlan plan_;
  std::deque<Running> sequences_;
};

TEST(SchedulerUsers, UnderRandomLoadsNobodyFallsFarBehindAndNobodyStarves) {
  std::uint64_t n_parked = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Competition competition(seed, 2 + static_cast<std::uint32_t>(seed) % 3);
    for (int step = 0; step < 3000; ++step) {
      competition.step();
      // Who is parked is ahead by 512 and what is computed again, at most a context.
      ASSERT_LT(competition.spread(), 512 + Competition::kContext + Competition::kStepTokens)
          << "seed " << seed << ", step " << step;
      if (HasFailure()) return;
    }
    EXPECT_LT(competition.oldest, 2500) << "seed " << seed;
    n_parked += competition.n_parked;
  }
  EXPECT_GT(n_parked, 100U);
}

}  // namespace
}  // namespace jarip
