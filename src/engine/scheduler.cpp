#include "engine/scheduler.h"

#include <algorithm>

#include "engine/engine.h"
#include "engine/kv_pages.h"

namespace jarip {
namespace {

// A step's time grows by this part of a one-row step's with each further row. On two cores the
// default model takes 0.05 up to 8 rows and 0.12 up to 16, a 1.2B Q4_K_M 0.13 and 0.15 (jarip bench
// --prefill 0 --batch N).
constexpr float kRowCost = 1.0F / 8;

// A step of more rows than this gets no drafts: others should not wait long for its end.
constexpr std::uint32_t kMostRowsWithDrafts = kMaxDraftTokens + 1;

std::uint32_t n_pending(const SchedulerEntry& entry) { return entry.n_tokens - entry.n_computed; }

// Pages that an entry lacks to have its first n_tokens computed.
std::uint32_t missing_pages(const SchedulerEntry& entry, std::uint32_t n_tokens) {
  const std::uint32_t wanted = pages_for(n_tokens);
  return wanted > entry.n_pages ? wanted - entry.n_pages : 0;
}

}  // namespace

Scheduler::Scheduler(const SchedulerLimits& limits) : limits_(limits) {
  // With a token for every running sequence, decoding can't take all of a step from prefill.
  limits_.max_sequences = std::min(limits_.max_sequences, limits_.max_step_tokens);
}

void Scheduler::plan(std::span<const SchedulerEntry> entries, std::uint32_t n_free_pages,
                     StepPlan& plan) {
  plan.parked.clear();
  plan.started.clear();
  plan.chunks.clear();
  entries_ = entries;
  n_running_ = static_cast<std::uint32_t>(std::count_if(
      entries.begin(), entries.end(), [](const SchedulerEntry& entry) { return entry.running; }));
  start_waiting(n_free_pages, plan);
  share_tokens();
  share_drafts(share_pages(n_free_pages, plan), plan);
}

void Scheduler::start_waiting(std::uint32_t n_free_pages, StepPlan& plan) {
  std::uint64_t promised = 0;
  for (std::uint32_t i = 0; i < n_running_; ++i) {
    promised += missing_pages(entries_[i], entries_[i].n_tokens) + 1;
  }
  while (n_running_ < entries_.size() && n_running_ < limits_.max_sequences) {
    const SchedulerEntry& next = entries_[n_running_];
    promised += missing_pages(next, next.n_tokens);
    if (n_running_ > 0 && promised > n_free_pages) return;
    promised += 1;
    plan.started.push_back(n_running_++);
  }
}

void Scheduler::share_tokens() {
  shares_.assign(n_running_, 0);
  prefills_.clear();
  std::uint32_t budget = limits_.max_step_tokens;
  for (std::uint32_t i = 0; i < n_running_; ++i) {
    if (n_pending(entries_[i]) == 1) {
      shares_[i] = 1;
      --budget;
    } else {
      prefills_.push_back(i);
    }
  }
  if (prefills_.empty()) return;

  const std::uint32_t oldest = prefills_.front();
  shares_[oldest] = std::min(n_pending(entries_[oldest]), budget - budget / 2);
  budget -= shares_[oldest];
  const auto left = [this](std::uint32_t i) { return n_pending(entries_[i]) - shares_[i]; };
  std::sort(prefills_.begin(), prefills_.end(), [&](std::uint32_t a, std::uint32_t b) {
    return left(a) != left(b) ? left(a) < left(b) : a < b;
  });
  for (const std::uint32_t i : prefills_) {
    const std::uint32_t more = std::min(left(i), budget);
    shares_[i] += more;
    budget -= more;
  }
}

// Oldest first, so that those who lose their pages were not given any in this step.
std::uint32_t Scheduler::share_pages(std::uint32_t n_free_pages, StepPlan& plan) {
  std::uint32_t n_free = n_free_pages;
  for (std::uint32_t i = 0; i < n_running_; ++i) {
    if (shares_[i] == 0) continue;
    const SchedulerEntry& entry = entries_[i];
    std::uint32_t missing = missing_pages(entry, entry.n_computed + shares_[i]);
    while (missing > n_free && n_running_ > i + 1) {
      n_free += entries_[--n_running_].n_pages;
      plan.parked.push_back(n_running_);
    }
    if (missing > n_free) {
      // The youngest feeds what still fits, or waits in place with the pages it has.
      const std::uint32_t room = (entry.n_pages + n_free) * kKvPageTokens - entry.n_computed;
      shares_[i] = std::min(shares_[i], room);
      missing = missing_pages(entry, entry.n_computed + shares_[i]);
    }
    if (shares_[i] == 0) continue;
    n_free -= missing;
    plan.chunks.push_back({.entry = i, .n_tokens = shares_[i]});
  }
  return n_free;
}

// One draft after the other to whom it promises most, while it promises more for its cost than the
// step does so far.
void Scheduler::share_drafts(std::uint32_t n_free_pages, StepPlan& plan) {
  std::uint32_t n_rows = 0;
  for (const PlannedChunk& chunk : plan.chunks) n_rows += chunk.n_tokens;
  auto promised = static_cast<float>(n_rows);
  float cost = 1 + (promised - 1) * kRowCost;
  const auto pages_for_next = [this](const PlannedChunk& chunk) {
    const SchedulerEntry& entry = entries_[chunk.entry];
    const std::uint32_t n_fed = entry.n_computed + chunk.n_tokens + chunk.n_drafts;
    return missing_pages(entry, n_fed + 1) - missing_pages(entry, n_fed);
  };
  for (; n_rows < std::min(kMostRowsWithDrafts, limits_.max_step_tokens); ++n_rows) {
    PlannedChunk* best = nullptr;
    float best_chance = kRowCost * promised / cost;
    for (PlannedChunk& chunk : plan.chunks) {
      const std::span<const float> chances = entries_[chunk.entry].draft_chances;
      if (chunk.n_drafts == chances.size() || chances[chunk.n_drafts] <= best_chance) continue;
      if (pages_for_next(chunk) > n_free_pages) continue;
      best = &chunk;
      best_chance = chances[chunk.n_drafts];
    }
    if (best == nullptr) return;
    n_free_pages -= pages_for_next(*best);
    ++best->n_drafts;
    promised += best_chance;
    cost += kRowCost;
  }
}

}  // namespace jarip
