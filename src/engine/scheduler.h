// Decides what the next step computes: who starts, who is parked, how many tokens each sequence
// feeds. Pure: the sequences' numbers in, a plan out; the object only holds limits and scratch
// memory. Called by the engine's thread, and by simulations.
//
// Running sequences are always older than waiting ones: sequences start in order of arrival, and
// the youngest is parked first. The rules:
//   - Sequences that decode feed one token each, first.
//   - The rest of the step's tokens goes to prefill: at least half of it to the oldest prompt, so
//     that none waits forever; what remains to the prompts with the fewest tokens left, so that a
//     short one doesn't wait behind a long one.
//   - The next waiting sequence starts when a slot is free and the free pages hold all its tokens,
//     what running prompts still need, and one page more for each running sequence.
//   - When pages run short, the youngest sequence loses its pages to an older one and waits; it is
//     computed again later, to the same bytes. The oldest always gets its pages, so that every
//     sequence ends: one full context fits, by the engine's promise.
//   - Drafts, tokens guessed behind a sequence's last one, get what all this leaves of the step's
//     tokens and pages, and change nothing of it. One is fed where it promises more tokens for its
//     time than the step does without it: often when few sequences run, rarely when many do.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace jarip {

struct SchedulerLimits {
  std::uint32_t max_sequences = 1;    // running at once; never more than max_step_tokens
  std::uint32_t max_step_tokens = 1;  // fed in one step
};

// One sequence as the scheduler sees it.
struct SchedulerEntry {
  std::uint32_t n_tokens = 0;    // known: prompt and answer so far; at least 1
  std::uint32_t n_computed = 0;  // of these, in pages; below n_tokens
  std::uint32_t n_pages = 0;
  bool running = false;
  // For drafts 1, 2, …: how likely it and all before it are right. Empty unless one token is left
  // to compute.
  std::span<const float> draft_chances = {};
};

struct PlannedChunk {
  std::uint32_t entry = 0;  // index
  std::uint32_t n_tokens = 0;
  std::uint32_t n_drafts = 0;  // fed behind them
};

// Carried out in this order.
struct StepPlan {
  std::vector<std::uint32_t> parked;   // indices: give all pages back, compute from the start later
  std::vector<std::uint32_t> started;  // indices
  std::vector<PlannedChunk> chunks;    // in order of age; never empty when there are entries
};

class Scheduler {
 public:
  explicit Scheduler(const SchedulerLimits& limits);

  // entries: all unfinished sequences in order of arrival, running ones first. Replaces what plan
  // holds.
  void plan(std::span<const SchedulerEntry> entries, std::uint32_t n_free_pages, StepPlan& plan);

 private:
  void start_waiting(std::uint32_t n_free_pages, StepPlan& plan);
  void share_tokens();
  // The number of pages still free.
  [[nodiscard]] std::uint32_t share_pages(std::uint32_t n_free_pages, StepPlan& plan);
  void share_drafts(std::uint32_t n_free_pages, StepPlan& plan);

  SchedulerLimits limits_;
  std::span<const SchedulerEntry> entries_;
  std::uint32_t n_running_ = 0;          // the first n_running_ entries run
  std::vector<std::uint32_t> shares_;    // tokens to feed, one for each running entry
  std::vector<std::uint32_t> prefills_;  // indices of running entries with a prompt to compute
};

}  // namespace jarip
