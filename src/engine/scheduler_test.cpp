#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <random>

#include "engine/engine.h"
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
    scheduler_.plan(entries, n_pages_ - n_used(), plan_);
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

}  // namespace
}  // namespace jarip
