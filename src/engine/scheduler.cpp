#include "engine/scheduler.h"

#include <algorithm>
#include <functional>
#include <tuple>

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

// The cost of a step, for each token it may have: what it takes when others are about to come, and
// when not. What prompts always get of it. In tokens of a prompt's beginning.
constexpr float kQuickCost = 0.3125F;
constexpr float kPatientCost = 1.5F;
constexpr float kPromptsPart = 0.25F;
// A prompt's part of a step; fewer tokens would take hardly less time.
constexpr std::uint32_t kLeastChunk = 8;
// The oldest of a user's prompts gets this part of what the user gets, and the first as well.
constexpr float kFirstPart = 0.25F;

// Service that a user is ahead of another, beyond what parking costs, before it is parked.
constexpr double kPatience = 512;

// A user's requests that may start in a row before one of its own that has waited longer.
constexpr std::uint32_t kMostPassing = 7;

// Of how many users behind the first in line one request is looked at in a step, at most.
constexpr int kMostLookedAt = 8;

std::uint32_t n_pending(const SchedulerEntry& entry) { return entry.n_tokens - entry.n_computed; }

// Pages that an entry lacks to have its first n_tokens computed.
std::uint32_t missing_pages(const SchedulerEntry& entry, std::uint32_t n_tokens) {
  const std::uint32_t wanted = pages_for(n_tokens);
  return wanted > entry.n_pages ? wanted - entry.n_pages : 0;
}

// Pages that an entry may need before another starts.
std::uint32_t promised_pages(const SchedulerEntry& entry) {
  return missing_pages(entry, entry.n_tokens) + 1;
}

}  // namespace

Scheduler::Scheduler(const SchedulerLimits& limits) : limits_(limits) {
  // With a token for every running sequence, decoding can't take all of a step from prompts.
  limits_.max_sequences = std::min(limits_.max_sequences, limits_.max_step_tokens);
}

void Scheduler::plan(const SchedulerInput& input, PageSource& pages, StepPlan& plan) {
  plan.parked.clear();
  plan.started.clear();
  plan.chunks.clear();
  look_at(input);
  start_waiting(pages, plan);
  share_tokens(input.quick);
  share_pages(pages, plan);
  share_drafts(plan);
  plan.n_passing = n_passing_;
}

void Scheduler::look_at(const SchedulerInput& input) {
  entries_.assign(input.entries.begin(), input.entries.end());
  users_ = input.users;
  n_free_pages_ = input.n_free_pages;
  n_pages_ = input.n_pages;
  committed_.clear();
  n_passing_.clear();
  for (const UserService& user : users_) {
    committed_.push_back(user.service);
    n_passing_.push_back(user.n_passing);
  }
  running_.clear();
  waiting_.clear();
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    const SchedulerEntry& entry = entries_[i];
    (entry.running ? running_ : waiting_).push_back(i);
    if (entry.running) {
      committed_[entry.user] += pending_service(entry);
    }
  }
}

// What its user will have been charged when its prompt is computed.
double Scheduler::pending_service(const SchedulerEntry& entry) const {
  return cost_of_tokens(limits_.attention_depth, entry.n_computed, entry.n_tokens) /
         static_cast<double>(users_[entry.user].weight);
}

void Scheduler::start_waiting(PageSource& pages, StepPlan& plan) {
  while (!waiting_.empty()) {
    const std::uint32_t at = next_waiting();
    const std::uint32_t i = waiting_[at];
    const PageSource::Cached cached = pages.find_cached(i);
    if (running_.size() >= limits_.max_sequences || !fits(entries_[i], cached)) {
      // What was parked for it is free in the next step only.
      if (plan.started.empty()) displace_for(entries_[i], cached, pages, plan);
      if (plan.parked.empty()) start_behind(i, pages, plan);
      return;
    }
    waiting_.erase(waiting_.begin() + at);
    start(i, cached, plan);
  }
}

// Of every user but the first in line's, who comes first stands for all.
void Scheduler::start_behind(std::uint32_t head, PageSource& pages, StepPlan& plan) {
  const auto leave_out = [this](std::uint32_t user) {
    std::erase_if(waiting_, [&](std::uint32_t i) { return entries_[i].user == user; });
  };
  leave_out(entries_[head].user);
  int n_looked_at = 0;
  while (!waiting_.empty() && running_.size() < limits_.max_sequences) {
    const std::uint32_t at = next_waiting();
    const std::uint32_t i = waiting_[at];
    if (may_pass(entries_[i], head)) {
      if (++n_looked_at > kMostLookedAt) return;
      const PageSource::Cached cached = pages.find_cached(i);
      if (fits(entries_[i], cached)) {
        waiting_.erase(waiting_.begin() + at);
        start(i, cached, plan);
        continue;
      }
    }
    leave_out(entries_[i].user);
  }
}

bool Scheduler::may_pass(const SchedulerEntry& entry, std::uint32_t head) const {
  double most = 0;
  std::uint64_t promised =
      std::uint64_t{pages_for(entries_[head].n_tokens)} + pages_for(entry.n_tokens) + 1;
  for (const std::uint32_t i : running_) {
    most = std::max(most, committed_[entries_[i].user]);
    if (i > head) promised += entries_[i].n_pages + promised_pages(entries_[i]);
  }
  const double service = committed_[entry.user] + pending_service(entry);
  return service < most && promised <= n_pages_;
}

// The place in waiting_ of who is next.
std::uint32_t Scheduler::next_waiting() const {
  const auto rank = [this](std::uint32_t i) {
    const SchedulerEntry& entry = entries_[i];
    const bool is_oldest_next = n_passing_[entry.user] >= kMostPassing;
    return std::tuple(committed_[entry.user], entry.user, is_oldest_next ? 0 : entry.priority, i);
  };
  const auto next = std::ranges::min_element(waiting_, {}, rank);
  return static_cast<std::uint32_t>(next - waiting_.begin());
}

bool Scheduler::fits(const SchedulerEntry& next, const PageSource::Cached& cached) const {
  if (running_.empty()) return true;
  std::uint64_t promised = pages_for(next.n_tokens) - cached.n_pages + cached.n_free_pages;
  for (const std::uint32_t i : running_) promised += promised_pages(entries_[i]);
  return promised <= n_free_pages_;
}

void Scheduler::start(std::uint32_t i, const PageSource::Cached& cached, StepPlan& plan) {
  SchedulerEntry& entry = entries_[i];
  entry.n_pages = cached.n_pages;
  entry.n_computed = cached.n_pages * kKvPageTokens;
  entry.next_page = cached.next_page;
  n_free_pages_ -= cached.n_free_pages;
  committed_[entry.user] += pending_service(entry);
  running_.insert(std::ranges::lower_bound(running_, i), i);
  const bool passes = std::ranges::any_of(waiting_, [&](std::uint32_t other) {
    return other < i && entries_[other].user == entry.user;
  });
  n_passing_[entry.user] = passes ? n_passing_[entry.user] + 1 : 0;
  plan.started.push_back(i);
}

void Scheduler::park(std::uint32_t i, std::uint32_t n_freed, StepPlan& plan) {
  n_free_pages_ += n_freed;
  running_.erase(std::ranges::find(running_, i));
  plan.parked.push_back(i);
}

// All or nothing: parking that doesn't let the next one start helps nobody.
void Scheduler::displace_for(const SchedulerEntry& next, const PageSource::Cached& cached,
                             PageSource& pages, StepPlan& plan) {
  const auto service = [this](std::uint32_t i) { return users_[entries_[i].user].service; };
  const auto is_far_ahead = [&](std::uint32_t i) {
    const SchedulerEntry& entry = entries_[i];
    const double cost = cost_of_tokens(limits_.attention_depth, 0, entry.n_computed) /
                        static_cast<double>(users_[entry.user].weight);
    return entry.user != next.user && service(i) > users_[next.user].service + kPatience + cost;
  };
  line_.assign(running_.begin(), running_.end());
  const auto ahead = std::ranges::partition(line_, std::not_fn(is_far_ahead));
  std::ranges::sort(ahead, {}, [&](std::uint32_t i) { return std::tuple(service(i), i); });
  if (ahead.empty()) return;
  counts_.resize(line_.size());
  pages.count_further(line_, counts_);

  std::uint64_t promised = pages_for(next.n_tokens) - cached.n_pages + cached.n_free_pages;
  for (const std::uint32_t i : line_) promised += promised_pages(entries_[i]);
  std::uint64_t n_free = n_free_pages_;
  std::size_t n_left = line_.size();
  const auto is_enough = [&] {
    return n_left == 0 || (n_left < limits_.max_sequences && promised <= n_free);
  };
  const std::size_t n_least = line_.size() - ahead.size();
  while (!is_enough() && n_left > n_least) {
    promised -= promised_pages(entries_[line_[--n_left]]);
    n_free += counts_[n_left];
  }
  if (!is_enough()) return;
  for (std::size_t at = line_.size(); at > n_left; --at) {
    park(line_[at - 1], counts_[at - 1], plan);
  }
}

void Scheduler::share_tokens(bool quick) {
  shares_.assign(entries_.size(), 0);
  claims_.clear();
  prompts_.clear();
  Budget budget{.n_tokens = limits_.max_step_tokens, .is_quick = quick};
  const auto n_most = static_cast<float>(limits_.max_step_tokens);
  const float most = n_most * (quick ? kQuickCost : kPatientCost);
  budget.cost = most;
  for (const std::uint32_t i : running_) {
    if (n_pending(entries_[i]) > 1) {
      prompts_.push_back(i);
      continue;
    }
    shares_[i] = 1;
    --budget.n_tokens;
    budget.cost -= cost_of(i);
  }
  budget.cost = std::max(budget.cost, most * kPromptsPart);
  // When pages may run short, who waits for another's page could wait for one who gets none.
  budget.may_wait = n_free_pages_ > running_.size() + pages_for(limits_.max_step_tokens);

  std::ranges::sort(prompts_, {}, [this](std::uint32_t i) {
    const SchedulerEntry& entry = entries_[i];
    const std::uint32_t user = entry.user;
    return std::tuple(users_[user].service, committed_[user], user, entry.priority, i);
  });
  for (std::span<const std::uint32_t> rest(prompts_); !rest.empty();) {
    const std::uint32_t user = entries_[rest.front()].user;
    const auto end =
        std::ranges::find_if(rest, [&](std::uint32_t i) { return entries_[i].user != user; });
    const auto n = static_cast<std::size_t>(end - rest.begin());
    share_among(rest.first(n), budget);
    rest = rest.subspan(n);
  }
}

// prompts: of one user, the first in line first.
void Scheduler::share_among(std::span<const std::uint32_t> prompts, Budget& budget) {
  const std::uint32_t first = prompts.front();
  const float most = std::min(budget.cost, static_cast<float>(budget.n_tokens) * cost_of(first));
  const std::uint32_t oldest = std::ranges::min(prompts);
  feed(oldest, most * kFirstPart, budget);
  if (first != oldest) feed(first, most * kFirstPart, budget);
  by_left_.assign(prompts.begin(), prompts.end());
  std::ranges::sort(by_left_, {}, [this](std::uint32_t i) {
    return std::tuple(n_pending(entries_[i]) - shares_[i], i);
  });
  for (const std::uint32_t i : by_left_) feed(i, budget.cost, budget);
}

// As many tokens more as the cost allows.
void Scheduler::feed(std::uint32_t i, float cost, Budget& budget) {
  const SchedulerEntry& entry = entries_[i];
  const bool is_claimed = std::ranges::find(claims_, entry.next_page) != claims_.end();
  if (shares_[i] == 0 && budget.may_wait && is_claimed) return;
  const std::uint32_t left = n_pending(entry) - shares_[i];
  auto n = static_cast<std::uint32_t>(std::max(cost, 0.0F) / cost_of(i));
  if (!budget.is_begun) n = std::max(n, kLeastChunk);
  n = std::min({n, left, budget.n_tokens});
  if (n == 0 || (n < left && budget.is_quick && budget.some_end)) return;
  if (shares_[i] == 0 && entry.next_page != 0) claims_.push_back(entry.next_page);
  shares_[i] += n;
  budget.n_tokens -= n;
  budget.cost -= static_cast<float>(n) * cost_of(i);
  budget.is_begun = true;
  budget.some_end = budget.some_end || n == left;
}

float Scheduler::cost_of(std::uint32_t i) const {
  if (limits_.attention_depth == 0) return 1;
  return 1 +
         static_cast<float>(entries_[i].n_computed) / static_cast<float>(limits_.attention_depth);
}

// In line, so that those who lose their pages were not given any in this step.
void Scheduler::share_pages(PageSource& pages, StepPlan& plan) {
  line_.assign(running_.begin(), running_.end());
  if (line_.size() > 1) {
    std::sort(line_.begin() + 1, line_.end(), [this](std::uint32_t a, std::uint32_t b) {
      const auto rank = [this](std::uint32_t i) {
        const SchedulerEntry& entry = entries_[i];
        return std::tuple(users_[entry.user].service, entry.user, entry.priority, i);
      };
      return rank(a) < rank(b);
    });
  }
  bool is_counted = false;
  std::size_t end = line_.size();
  for (std::size_t at = 0; at < end; ++at) {
    const std::uint32_t i = line_[at];
    if (shares_[i] == 0) continue;
    const SchedulerEntry& entry = entries_[i];
    std::uint32_t missing = missing_pages(entry, entry.n_computed + shares_[i]);
    while (missing > n_free_pages_ && end > at + 1) {
      if (!is_counted) {
        counts_.resize(line_.size());
        pages.count_further(line_, counts_);
        is_counted = true;
      }
      --end;
      park(line_[end], counts_[end], plan);
    }
    if (missing > n_free_pages_) {
      // The last in line feeds what still fits, or waits in place with the pages it has.
      const std::uint32_t room = (entry.n_pages + n_free_pages_) * kKvPageTokens - entry.n_computed;
      shares_[i] = std::min(shares_[i], room);
      missing = missing_pages(entry, entry.n_computed + shares_[i]);
    }
    if (shares_[i] == 0) continue;
    n_free_pages_ -= missing;
    plan.chunks.push_back({.entry = i, .n_tokens = shares_[i]});
  }
}

// One draft after the other to whom it promises most, while it promises more for its cost than the
// step does so far.
void Scheduler::share_drafts(StepPlan& plan) {
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
      if (pages_for_next(chunk) > n_free_pages_) continue;
      best = &chunk;
      best_chance = chances[chunk.n_drafts];
    }
    if (best == nullptr) return;
    n_free_pages_ -= pages_for_next(*best);
    ++best->n_drafts;
    promised += best_chance;
    cost += kRowCost;
  }
}

}  // namespace jarip
