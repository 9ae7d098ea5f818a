// Decides what the next step computes: who starts, who is parked, how many tokens each sequence
// feeds. Pure: numbers of sequences, users and pages in, a plan out; the object only holds limits
// and scratch memory. Called by the engine's thread, and by simulations. The rules:
//   - Users come in order of the service they have had (fair_share.h). Of one user, what has the
//     lower priority number comes first, then what arrived first; but when seven have started that
//     passed one that arrived before them, the next is the one that arrived first.
//   - Who waits starts in that order, prompts that run being counted as service already, when a
//     slot is free and the free pages hold all its tokens, what running prompts still need, and one
//     page more for each running sequence. Nobody of the same user overtakes. While the first in
//     line waits for pages, others may pass it who have had less than someone who runs, as long as
//     it finds room once all that arrived before it have ended.
//   - Without a slot or pages, sequences of a user who is far ahead are parked for it: so far that
//     what is computed again is less than what the user had more.
//   - Sequences that decode feed one token each. The rest of the step goes to prompts, user after
//     user; of one user, a quarter to the oldest prompt, a quarter to the first, and then to those
//     with the fewest tokens left, so that a short one doesn't wait behind a long one, nor the long
//     one forever.
//   - Who would compute the same page as one before it waits for that page instead.
//   - A token costs the more the more tokens it looks back on, and a step has a limit of cost as
//     well as of tokens: whoever comes next waits for its end. In quick steps the limit is a
//     fifth of that, and a prompt that ends in the step doesn't wait for parts of those behind
//     it.
//   - When pages run short, the last in line loses its pages and waits; it is computed again later,
//     to the same bytes. The oldest is the first in that line and always gets its pages, so that
//     every sequence ends: one full context fits, by the engine's promise.
//   - Drafts, tokens guessed behind a sequence's last one, get what all this leaves of the step's
//     tokens and pages, and change nothing of it. One is fed where it promises more tokens for its
//     time than the step does without it: often when few sequences run, rarely when many do.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/fair_share.h"

namespace jarip {

// What the tokens [begin, end) of a text cost to compute, in tokens of a text's beginning. A depth
// of 0: what they look back on costs nothing.
constexpr double cost_of_tokens(std::uint32_t attention_depth, std::uint32_t begin,
                                std::uint32_t end) {
  const double n = end - begin;
  return attention_depth == 0 ? n : n * (1 + (0.5 * begin + 0.5 * end) / attention_depth);
}

struct SchedulerLimits {
  std::uint32_t max_sequences = 1;    // running at once; never more than max_step_tokens
  std::uint32_t max_step_tokens = 1;  // fed in one step
  // Tokens before a token that make it cost as much again as it costs without them; 0: they cost
  // nothing.
  std::uint32_t attention_depth = 0;
};

// One sequence as the scheduler sees it.
struct SchedulerEntry {
  std::uint32_t n_tokens = 0;    // known: prompt and answer so far; at least 1
  std::uint32_t n_computed = 0;  // of these, in pages; below n_tokens
  std::uint32_t n_pages = 0;
  bool running = false;
  std::uint32_t user = 0;     // index
  std::int32_t priority = 0;  // of the user's own, the lower goes first
  // Of what its next page will hold; 0 when that page is of no use to others, or others' to it.
  // Those who have the same number would compute the same.
  std::uint64_t next_page = 0;
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
  std::vector<PlannedChunk> chunks;    // never empty when there are entries
  std::vector<std::uint32_t> n_passing;  // of each user from now on
};

// What the scheduler asks about pages while it plans; entries are named by their index.
class PageSource {
 public:
  virtual ~PageSource() = default;

  // What a waiting entry has as soon as it starts, because others computed it.
  struct Cached {
    std::uint32_t n_pages = 0;       // full ones, of fewer tokens than the entry has
    std::uint32_t n_free_pages = 0;  // of these, pages that count as free until then
    std::uint64_t next_page = 0;     // as in SchedulerEntry
  };
  [[nodiscard]] virtual Cached find_cached(std::uint32_t entry) = 0;

  // For each of these running entries, how many of its pages none of those before it has: what
  // parking it, and all behind it, gives back.
  virtual void count_further(std::span<const std::uint32_t> order,
                             std::span<std::uint32_t> counts) = 0;
};

struct SchedulerInput {
  // All unfinished sequences, in order of arrival.
  std::span<const SchedulerEntry> entries;
  std::span<const UserService> users;
  std::uint32_t n_free_pages = 0;
  std::uint32_t n_pages = 0;  // in all
  bool quick = false;         // steps should be short: others are about to come
};

class Scheduler {
 public:
  explicit Scheduler(const SchedulerLimits& limits);

  // Replaces what plan holds.
  void plan(const SchedulerInput& input, PageSource& pages, StepPlan& plan);

 private:
  // What is left of a step for prompts.
  struct Budget {
    float cost = 0;
    std::uint32_t n_tokens = 0;
    bool is_quick = false;
    bool may_wait = false;  // for a page that another computes
    bool is_begun = false;  // some prompt is fed
    bool some_end = false;  // and some ends
  };

  void look_at(const SchedulerInput& input);

  void start_waiting(PageSource& pages, StepPlan& plan);
  [[nodiscard]] std::uint32_t next_waiting() const;
  [[nodiscard]] bool fits(const SchedulerEntry& next, const PageSource::Cached& cached) const;
  void start(std::uint32_t i, const PageSource::Cached& cached, StepPlan& plan);
  void displace_for(const SchedulerEntry& next, const PageSource::Cached& cached, PageSource& pages,
                    StepPlan& plan);
  void start_behind(std::uint32_t head, PageSource& pages, StepPlan& plan);
  [[nodiscard]] bool may_pass(const SchedulerEntry& entry, std::uint32_t head) const;
  void park(std::uint32_t i, std::uint32_t n_freed, StepPlan& plan);

  void share_tokens(bool quick);
  void share_among(std::span<const std::uint32_t> prompts, Budget& budget);
  void feed(std::uint32_t i, float cost, Budget& budget);
  [[nodiscard]] float cost_of(std::uint32_t i) const;
  [[nodiscard]] double pending_service(const SchedulerEntry& entry) const;

  void share_pages(PageSource& pages, StepPlan& plan);
  void share_drafts(StepPlan& plan);

  SchedulerLimits limits_;
  std::uint32_t n_free_pages_ = 0;
  std::uint32_t n_pages_ = 0;
  std::span<const UserService> users_;
  std::vector<SchedulerEntry> entries_;   // of the input; who starts has what it begins with
  std::vector<std::uint32_t> running_;    // indices in order; who starts or is parked changes sides
  std::vector<std::uint32_t> waiting_;    // the same
  std::vector<double> committed_;         // of each user: service, with what running prompts take
  std::vector<std::uint32_t> n_passing_;  // of each user
  std::vector<std::uint32_t> shares_;     // tokens to feed, one for each entry
  std::vector<std::uint32_t> prompts_;    // running entries with a prompt to compute, in line
  std::vector<std::uint64_t> claims_;     // pages that this step computes
  // Scratch.
  std::vector<std::uint32_t> by_left_;
  std::vector<std::uint32_t> line_;
  std::vector<std::uint32_t> counts_;  // for line_
};

}  // namespace jarip
