#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <random>

#include "engine/kv_pages.h"

namespace jarip {
namespace {

constexpr std::uint32_t kPage = kKvPageTokens;

SchedulerEntry waiting(std::uint32_t n_tokens) { return {.n_tokens = n_tokens}; }
SchedulerEntry running(std::uint32_t n_tokens, std::uint32_t n_computed) {
  return {n_tokens, n_computed, pages_for(n_computed), true};
}
SchedulerEntry decoding(std::uint32_t n_tokens) { return running(n_tokens, n_tokens - 1); }

StepPlan make_plan(const SchedulerLimits& limits, const std::vector<SchedulerEntry>& entries,
                   std::uint32_t n_free_pages) {
  Scheduler scheduler(limits);
  StepPlan plan;
  scheduler.plan(entries, n_free_pages, plan);
  return plan;
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
  EXPECT_EQ(chunks_of(plan), (Chunks{{0, 32}, {1, 22}, {2, 10}}));
}

TEST(Scheduler, TheOldestPromptAlwaysGetsHalfOfWhatDecodingLeaves) {
  const StepPlan plan =
      make_plan({8, 65}, {decoding(2), running(1000, 100), running(40, 0), running(40, 0)}, 100);
  EXPECT_EQ(chunks_of(plan), (Chunks{{0, 1}, {1, 32}, {2, 32}}));
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

// Random loads against the promises of scheduler.h, step by step.
struct Simulated {
  SchedulerEntry entry;
  std::uint32_t n_final = 0;  // tokens at which it ends
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
    scheduler_.plan(entries, n_pages_ - n_used(), plan_);
    check_starts_and_parks();
    feed();
    std::erase_if(sequences_, [](const Simulated& s) { return s.entry.n_tokens == s.n_final; });
  }

  [[nodiscard]] bool done() const { return sequences_.empty(); }
  [[nodiscard]] std::uint32_t draw(std::uint32_t least, std::uint32_t most) {
    return std::uniform_int_distribution<std::uint32_t>(least, most)(random_);
  }
  std::uint64_t n_parked = 0;

 private:
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
    for (const auto& [i, n] : plan_.chunks) {
      SchedulerEntry& entry = sequences_[i].entry;
      EXPECT_TRUE(entry.running);
      EXPECT_GT(n, 0U);
      EXPECT_LE(entry.n_computed + n, entry.n_tokens);
      EXPECT_TRUE(!last || *last < i) << "in order of age, each once";
      last = i;
      n_tokens += n;
      entry.n_computed += n;
      entry.n_pages = std::max(entry.n_pages, pages_for(entry.n_computed));
      if (entry.n_computed == entry.n_tokens) ++entry.n_tokens;
    }
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
  }
  EXPECT_GT(n_parked, 100U) << "the loads no longer reach the case of scarce pages";
}

}  // namespace
}  // namespace jarip
