#include "engine/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <mutex>
#include <random>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/bounded_queue.h"
#include "engine/fair_share.h"
#include "engine/kv_pages.h"
#include "engine/limits.h"
#include "engine/prefix_cache.h"
#include "engine/sampler.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"
#include "model/adapter.h"

namespace jarip {

namespace {

// A request with so few tokens to compute before its answer is one whose asker waits for it.
constexpr std::uint32_t kShortPrompt = 256;
// How long after such a request ran beside another, steps are kept short for the next one.
constexpr std::chrono::seconds kCompany{30};

constexpr double kMaxRetrySeconds = 60;
constexpr double kNewestPart = 0.1;  // of a mean, the latest value's

std::uint64_t draw_hash_key() {
  std::random_device device;
  return std::uint64_t{device()} << 32U | device();
}

// What one adapter makes of a text is nothing to another.
std::string domain_name(const GenerateRequest& request) {
  const std::uint64_t serial = request.adapter == nullptr ? 0 : request.adapter->serial();
  return fmt::format("{} {}", serial, request.cache_domain);
}

}  // namespace

struct Engine::State : PageSource {
  using Clock = Sequence::Clock;

  struct Submission {
    SequenceId id = 0;
    GenerateRequest request;
    EventSink sink;
    Clock::time_point at;
  };

  State(Model& model_in, const EngineLimits& limits_in, KvPages pages_in,
        Checkpoints checkpoints_in);

  // Under the lock: when a queue that is full now may be half empty.
  [[nodiscard]] std::uint32_t retry_seconds() const;

  // The engine's thread.
  void run();
  void collect();
  void accept(Submission submission);
  void step();
  void list_entries();
  [[nodiscard]] bool is_quick(Clock::time_point now);
  void carry_out(const StepPlan& plan);
  void compute();
  void sample();
  void sample(std::unique_ptr<Sequence>& sequence, const SequenceChunk& chunk,
              std::span<const float> rows);
  void satisfy(Sequence& sequence);
  // For the last n of the text's first `end` tokens.
  void charge(const Sequence& sequence, double factor, std::uint32_t end, std::uint32_t n);
  void settle(Sequence& sequence);
  [[nodiscard]] bool is_cancelled(SequenceId id);
  void finish(std::unique_ptr<Sequence>& sequence, FinishReason reason,
              std::optional<Error> error = {});

  // Takes the pages that others have computed of a sequence's tokens. True if there were some.
  bool adopt(Sequence& sequence);
  // Of models with recurrent layers.
  void give_states(std::span<const std::uint32_t> started);
  void plan_copies(Sequence& sequence, const SequenceChunk& chunk);
  void keep_copies(Sequence& sequence);
  void drop_states(Sequence& sequence);
  // Lets others have what is computed.
  void keep(Sequence& sequence);
  [[nodiscard]] Cached find_cached(std::uint32_t entry) override;
  void count_further(std::span<const std::uint32_t> order,
                     std::span<std::uint32_t> counts) override;

  Model& model;
  const EngineLimits limits;
  BoundedQueue<Submission> inbox;

  // Shared by all threads; the lock is never held while a sink runs.
  std::mutex mutex;
  bool stopping = false;
  SequenceId last_id = 0;
  std::unordered_map<SequenceId, bool> unfinished;  // true once cancelled
  std::vector<SequenceId> cancelled;                // each at most once: bounded by unfinished
  EngineStats counters;
  double mean_seconds = 0;  // from a request's first step to its end

  // The engine's thread alone.
  PrefixCache cache;
  FairShare fair;
  Scheduler scheduler;
  Sampler sampler;
  std::vector<std::unique_ptr<Sequence>> sequences;  // in order of arrival
  std::optional<Clock::time_point> last_company;
  std::vector<SequenceId> to_cancel;
  std::vector<SchedulerEntry> entries;
  std::vector<const PageTable*> tables;  // scratch of count_further()
  StepPlan plan;
  std::vector<SequenceChunk> chunks;
  std::vector<std::uint32_t> chunk_owners;  // index into sequences
  std::vector<float> logits;                // [rows of the step, n_vocab], as large as ever needed

  std::jthread thread;  // last: it starts when all else is there
};

Engine::State::State(Model& model_in, const EngineLimits& limits_in, KvPages pages_in,
                     Checkpoints checkpoints_in)
    : model(model_in),
      limits(limits_in),
      inbox(limits_in.max_unfinished),
      cache(std::move(pages_in), draw_hash_key(), std::move(checkpoints_in)),
      scheduler({limits_in.max_sequences, limits_in.max_step_tokens, limits_in.attention_depth}),
      sampler(limits_in.n_vocab) {
  counters.n_pages = cache.n_pages();
}

// Stopping closes the inbox; the loop then cancels all it has and ends once the inbox is empty.
void Engine::State::run() {
  for (;;) {
    if (sequences.empty()) {
      std::optional<Submission> submission = inbox.pop();
      if (!submission) return;
      accept(*std::move(submission));
    }
    collect();
    if (!sequences.empty()) step();
  }
}

// Takes in what other threads asked for since the last step, and ends what took too long.
void Engine::State::collect() {
  // Cancellations are read first: whatever they name is then in the inbox or already here.
  bool stop = false;
  to_cancel.clear();
  {
    const std::lock_guard lock(mutex);
    std::swap(to_cancel, cancelled);
    stop = stopping;
  }
  while (std::optional<Submission> submission = inbox.try_pop()) accept(*std::move(submission));
  const auto now = Clock::now();
  for (std::unique_ptr<Sequence>& sequence : sequences) {
    if (stop || std::ranges::find(to_cancel, sequence->id()) != to_cancel.end()) {
      finish(sequence, FinishReason::kCancelled);
    } else if (std::optional<Error> error = sequence->overdue(now)) {
      finish(sequence, FinishReason::kFailed, std::move(error));
    }
  }
  std::erase(sequences, nullptr);
}

void Engine::State::accept(Submission submission) {
  const CacheDomain domain = cache.open_domain(domain_name(submission.request));
  const std::uint32_t user = fair.join(submission.request.user, submission.request.user_weight);
  auto& sequence = sequences.emplace_back(std::make_unique<Sequence>(
      submission.id, std::move(submission.request), std::move(submission.sink), submission.at,
      limits.n_ctx, limits.max_draft_tokens));
  sequence->domain = domain;
  sequence->user = user;
}

void Engine::State::step() {
  list_entries();
  scheduler.plan({.entries = entries,
                  .users = fair.users(),
                  .n_free_pages = cache.n_available(),
                  .n_pages = cache.n_pages(),
                  .quick = is_quick(Clock::now())},
                 *this, plan);
  fair.set_passing(plan.n_passing);
  carry_out(plan);
  compute();
  sample();
  std::erase(sequences, nullptr);
}

void Engine::State::list_entries() {
  entries.clear();
  for (const std::unique_ptr<Sequence>& sequence : sequences) {
    std::uint64_t next_page = 0;
    if (sequence->running && limits.prefix_cache) {
      if (adopt(*sequence) && sequence->state) {
        cache.checkpoints().copy(sequence->pages[sequence->n_kept - 1], *sequence->state);
      }
      next_page = cache.next_hash(sequence->domain, sequence->tokens_but_last(), sequence->pages,
                                  sequence->n_computed());
    }
    entries.push_back({.n_tokens = sequence->n_tokens(),
                       .n_computed = sequence->n_computed(),
                       .n_pages = static_cast<std::uint32_t>(sequence->pages.size()),
                       .running = sequence->running,
                       .user = sequence->user,
                       .priority = sequence->priority(),
                       .next_page = next_page,
                       .draft_chances = sequence->draft_chances()});
  }
}

// Long steps compute long prompts with the least work, and whoever comes next waits for their end.
bool Engine::State::is_quick(Clock::time_point now) {
  const auto is_short = [](const std::unique_ptr<Sequence>& sequence) {
    return sequence->n_prompt() - sequence->n_cached() <= kShortPrompt;
  };
  if (sequences.size() > 1 && std::ranges::any_of(sequences, is_short)) last_company = now;
  return last_company && now - *last_company < kCompany;
}

bool Engine::State::adopt(Sequence& sequence) {
  const auto first = sequence.next_whole_page();
  if (!limits.prefix_cache || !first) return false;
  const std::uint32_t n_pages =
      cache.reach(sequence.domain, sequence.tokens_but_last(), sequence.pages, *first);
  for (std::uint32_t page = *first; page < n_pages; ++page) {
    if (!cache.adopt(sequence.domain, sequence.page_tokens(page), sequence.pages, page)) break;
    sequence.skip_page(page);
  }
  return n_pages > *first;
}

void Engine::State::keep(Sequence& sequence) {
  if (!limits.prefix_cache) return;
  for (; (sequence.n_kept + 1) * kKvPageTokens <= sequence.n_computed(); ++sequence.n_kept) {
    cache.keep(sequence.domain, sequence.page_tokens(sequence.n_kept), sequence.pages,
               sequence.n_kept);
  }
  keep_copies(sequence);
}

// States for those who start, and in them what the pages they adopted were computed with. Of these
// checkpoints none may be lost before it is copied: who finds no other state takes its own source,
// which then is nobody else's, for there are as many states as sequences.
void Engine::State::give_states(std::span<const std::uint32_t> started) {
  Checkpoints& checkpoints = cache.checkpoints();
  if (!checkpoints.in_use()) return;
  const auto source = [](const Sequence& sequence) { return sequence.pages[sequence.n_kept - 1]; };
  for (const std::uint32_t i : started) {
    if (sequences[i]->n_kept > 0) checkpoints.pin(source(*sequences[i]));
  }
  for (const std::uint32_t i : started) {
    Sequence& sequence = *sequences[i];
    sequence.state = checkpoints.take();
    if (sequence.n_kept == 0) continue;
    if (sequence.state) {
      checkpoints.copy(source(sequence), *sequence.state);
      checkpoints.unpin(source(sequence));
    } else {
      sequence.state = checkpoints.detach(source(sequence));
    }
  }
}

// Checkpoints lie where all texts have them, where this one and an earlier one part, at the end of
// a prompt, and at that of an answer: the last moves on with it.
void Engine::State::plan_copies(Sequence& sequence, const SequenceChunk& chunk) {
  if (!limits.prefix_cache) return;
  Checkpoints& checkpoints = cache.checkpoints();
  sequence.copies_from = chunk.position;
  const auto end = chunk.position + static_cast<std::uint32_t>(chunk.tokens.size());
  const auto add = [&](std::uint32_t at, bool moves = false) {
    if (at <= chunk.position || at > end) return;
    const std::uint32_t n_tokens = at - chunk.position;
    const auto next = std::ranges::lower_bound(sequence.copies, n_tokens, {}, &StateCopy::n_tokens);
    if (next != sequence.copies.end() && next->n_tokens == n_tokens) return;
    std::optional<StateId> to;
    if (moves && sequence.moving_checkpoint) to = checkpoints.detach(*sequence.moving_checkpoint);
    if (!to) to = checkpoints.take();
    if (to) sequence.copies.insert(next, {.n_tokens = n_tokens, .to = *to});
  };
  std::uint32_t at = (chunk.position / kCheckpointTokens + 1) * kCheckpointTokens;
  for (; at <= end; at += kCheckpointTokens) add(at);
  add(sequence.n_known * kKvPageTokens);
  // The same prompt again goes on before its last token.
  const bool answers = sequence.n_new() > 0;
  add((sequence.n_tokens() - (answers ? 0 : 1)) / kKvPageTokens * kKvPageTokens, answers);
}

// Their pages are kept by now.
void Engine::State::keep_copies(Sequence& sequence) {
  for (const StateCopy& copy : sequence.copies) {
    const std::uint32_t end = sequence.copies_from + copy.n_tokens;
    const PageId page = sequence.pages[end / kKvPageTokens - 1];
    cache.checkpoints().attach(page, copy.to);
    if (end > sequence.n_prompt() && end % kCheckpointTokens != 0) {
      sequence.moving_checkpoint = page;
    }
  }
  sequence.copies.clear();
}

void Engine::State::drop_states(Sequence& sequence) {
  for (const StateCopy& copy : sequence.copies) cache.checkpoints().give_back(copy.to);
  sequence.copies.clear();
  sequence.moving_checkpoint.reset();
  if (sequence.state) cache.checkpoints().give_back(*sequence.state);
  sequence.state.reset();
}

PageSource::Cached Engine::State::find_cached(std::uint32_t entry) {
  Sequence& sequence = *sequences[entry];
  if (!limits.prefix_cache) return {};
  const PrefixCache::Prefix prefix = cache.find(sequence.domain, sequence.tokens_but_last());
  sequence.n_known = prefix.n_known;
  return {prefix.n_pages, prefix.n_idle, prefix.next_hash};
}

void Engine::State::count_further(std::span<const std::uint32_t> order,
                                  std::span<std::uint32_t> counts) {
  tables.clear();
  for (const std::uint32_t i : order) tables.push_back(&sequences[i]->pages);
  cache.count_further(tables, counts);
}

void Engine::State::carry_out(const StepPlan& step_plan) {
  const auto now = Clock::now();
  for (const std::uint32_t i : step_plan.parked) {
    cache.release(sequences[i]->pages);
    drop_states(*sequences[i]);
    sequences[i]->rewind();
    sequences[i]->running = false;
    if (!std::exchange(sequences[i]->wanting, true)) fair.want_again(sequences[i]->user);
  }
  for (const std::uint32_t i : step_plan.started) {
    sequences[i]->running = true;
    sequences[i]->start(now);
    adopt(*sequences[i]);
  }
  give_states(step_plan.started);
  {
    const auto started = static_cast<std::uint32_t>(step_plan.started.size());
    const auto parked = static_cast<std::uint32_t>(step_plan.parked.size());
    const std::lock_guard lock(mutex);
    counters.n_running = counters.n_running + started - parked;
    counters.parked += parked;
  }
  chunks.clear();
  chunk_owners.clear();
  for (const auto& [i, n_tokens, n_drafts] : step_plan.chunks) {
    Sequence& sequence = *sequences[i];
    if (!cache.grow(sequence.pages, sequence.n_computed() + n_tokens + n_drafts)) {
      finish(sequences[i], FinishReason::kFailed,
             Error{ErrorCode::kInternal, "the engine planned more KV pages than there are", {}});
      continue;
    }
    chunks.push_back(sequence.next_chunk(n_tokens, n_drafts));
    chunk_owners.push_back(i);
    if (sequence.state) {
      chunks.back().state = *sequence.state;
      plan_copies(sequence, chunks.back());
      chunks.back().copies = sequence.copies;
    }
  }
}

void Engine::State::compute() {
  if (chunks.empty()) return;
  std::size_t n_rows = 0;
  std::size_t n_prompt_tokens = 0;
  std::size_t n_cached = 0;
  std::size_t n_drafts = 0;
  for (std::size_t c = 0; c < chunks.size(); ++c) {
    n_rows += chunks[c].n_logits;
    if (chunks[c].n_logits > 1) n_drafts += chunks[c].n_logits - 1;
    const Sequence& sequence = *sequences[chunk_owners[c]];
    if (chunks[c].n_logits == 0 || sequence.n_new() > 0) continue;
    n_prompt_tokens += sequence.n_prompt();
    n_cached += sequence.n_cached();
  }
  if (logits.size() < n_rows * limits.n_vocab) logits.resize(n_rows * limits.n_vocab);
  model.step(chunks, cache.memory(), std::span(logits).first(n_rows * limits.n_vocab));
  for (std::size_t c = 0; c < chunks.size(); ++c) {
    Sequence& sequence = *sequences[chunk_owners[c]];
    const auto n_new = sequence.advance(static_cast<std::uint32_t>(chunks[c].tokens.size()));
    charge(sequence, 1, std::min(sequence.n_computed(), sequence.n_prompt()), n_new);
    if (chunks[c].n_logits > 0) satisfy(sequence);
  }
  const auto size = std::ranges::lower_bound(kStepSizes, chunks.size());
  const std::lock_guard lock(mutex);
  ++counters.n_steps;
  ++counters.steps_by_size[static_cast<std::size_t>(size - kStepSizes.begin())];
  counters.sequence_steps += chunks.size();
  counters.prompt_tokens += n_prompt_tokens;
  counters.draft_tokens += n_drafts;
  if (limits.prefix_cache) counters.prefix_queries += n_prompt_tokens;
  counters.prefix_hits += n_cached;
}

void Engine::State::charge(const Sequence& sequence, double factor, std::uint32_t end,
                           std::uint32_t n) {
  fair.charge(sequence.user, factor * cost_of_tokens(limits.attention_depth, end - n, end));
}

void Engine::State::satisfy(Sequence& sequence) {
  if (std::exchange(sequence.wanting, false)) fair.satisfy(sequence.user);
}

void Engine::State::sample() {
  std::span<const float> rows(logits);
  for (std::size_t c = 0; c < chunks.size(); ++c) {
    std::unique_ptr<Sequence>& sequence = sequences[chunk_owners[c]];
    const std::size_t n_floats = std::size_t{chunks[c].n_logits} * limits.n_vocab;
    if (n_floats > 0) {
      sample(sequence, chunks[c], rows.first(n_floats));
    } else {
      keep(*sequence);
    }
    rows = rows.subspan(n_floats);
  }
  const std::lock_guard lock(mutex);
  counters.n_pages_used = cache.n_held();
  counters.n_pages_cached = cache.n_kept();
}

// Each row gives the token that would have come without drafts (laws of model.h and sampler.h); the
// next row is of use only if that token is the draft which the row was computed with.
void Engine::State::sample(std::unique_ptr<Sequence>& sequence, const SequenceChunk& chunk,
                           std::span<const float> rows) {
  const std::span<const TokenId> drafts = chunk.tokens.last(chunk.n_logits - 1);
  for (std::size_t row = 0;; ++row) {
    const auto row_logits = rows.subspan(row * limits.n_vocab, limits.n_vocab);
    if (sequence->is_complete()) {
      settle(*sequence);
      finish(sequence, FinishReason::kEndToken);
      return;
    }
    const Result<SampleRequest> request = sequence->sample_request(row_logits);
    Result<SampledToken> sampled =
        request ? sampler.sample(*request, sequence->sampling()) : std::unexpected(request.error());
    if (!sampled) {
      finish(sequence, FinishReason::kFailed, std::move(sampled).error());
      return;
    }
    const bool right = row < drafts.size() && drafts[row] == sampled->token;
    {
      const std::lock_guard lock(mutex);
      if (!sequence->is_end_token(sampled->token)) ++counters.new_tokens;
      if (right) ++counters.accepted_draft_tokens;
    }
    charge(*sequence, FairShare::kOutputTokens, sequence->n_tokens(), 1);
    Result<std::optional<FinishReason>> reason = sequence->take(*std::move(sampled), Clock::now());
    if (!reason) {
      finish(sequence, FinishReason::kFailed, std::move(reason).error());
      return;
    }
    if (*reason) {
      settle(*sequence);
      finish(sequence, **reason);
      return;
    }
    if (!right || is_cancelled(sequence->id())) break;
  }
  settle(*sequence);
}

// What the next step finds, and others, is what they would find without drafts: no page more.
void Engine::State::settle(Sequence& sequence) {
  sequence.drop_drafts();
  keep(sequence);
  cache.shrink(sequence.pages, sequence.n_computed());
}

bool Engine::State::is_cancelled(SequenceId id) {
  const std::lock_guard lock(mutex);
  const auto found = unfinished.find(id);
  return stopping || (found != unfinished.end() && found->second);
}

// Everything is given back and counted before the last event goes out: who receives it may look at
// stats() or submit the next request at once.
void Engine::State::finish(std::unique_ptr<Sequence>& sequence, FinishReason reason,
                           std::optional<Error> error) {
  const auto now = Clock::now();
  cache.release(sequence->pages);
  drop_states(*sequence);
  cache.close_domain(sequence->domain);
  satisfy(*sequence);
  fair.leave(sequence->user);
  {
    const std::lock_guard lock(mutex);
    unfinished.erase(sequence->id());
    counters.n_pages_used = cache.n_held();
    counters.n_pages_cached = cache.n_kept();
    if (sequence->running) --counters.n_running;
    switch (reason) {
      case FinishReason::kEndToken:
        ++counters.finished_end;
        break;
      case FinishReason::kLength:
        ++counters.finished_length;
        break;
      case FinishReason::kCancelled:
        ++counters.finished_cancelled;
        break;
      case FinishReason::kFailed:
        ++counters.finished_failed;
        break;
    }
    if (reason == FinishReason::kEndToken || reason == FinishReason::kLength) {
      const double seconds = sequence->seconds_computed(now);
      mean_seconds += (mean_seconds == 0 ? 1 : kNewestPart) * (seconds - mean_seconds);
    }
  }
  sequence->end(reason, std::move(error), now);
  sequence.reset();
}

std::uint32_t Engine::State::retry_seconds() const {
  const auto n_waiting = static_cast<double>(unfinished.size() - counters.n_running);
  const double seconds = mean_seconds * n_waiting / 2 / std::max(counters.n_running, 1U);
  return static_cast<std::uint32_t>(std::clamp(std::ceil(seconds), 1.0, kMaxRetrySeconds));
}

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {
  state_->thread = std::jthread([state_pointer = state_.get()] { state_pointer->run(); });
}

Engine::~Engine() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->inbox.close();
  state_->thread.join();
}

Result<std::unique_ptr<Engine>> Engine::create(Model& model, const EngineOptions& options) {
  const std::size_t page_bytes = model.kv_page_bytes();
  const std::size_t state_bytes = model.state_bytes();
  JARIP_TRY(const EngineLimits limits,
            work_out_limits(options, model.config(), page_bytes, state_bytes));
  JARIP_TRY(KvPages pages, KvPages::create(page_bytes, limits.n_pages));
  Checkpoints checkpoints;
  if (limits.n_states != 0) {
    JARIP_TRY(checkpoints, Checkpoints::create(state_bytes, limits.n_states, limits.n_pages));
  }
  auto state = std::make_unique<State>(model, limits, std::move(pages), std::move(checkpoints));
  return std::unique_ptr<Engine>(new Engine(std::move(state)));
}

Result<SequenceId> Engine::submit(GenerateRequest request, EventSink sink) {
  JARIP_CHECK(check_request(request, state_->limits));
  const std::lock_guard lock(state_->mutex);
  if (state_->stopping) return fail(ErrorCode::kUnavailable, "the engine is stopping");
  if (state_->unfinished.size() >= state_->limits.max_unfinished) {
    return std::unexpected(Error{.code = ErrorCode::kUnavailable,
                                 .message = "too many requests are waiting; try again later",
                                 .where = {},
                                 .retry_after_s = state_->retry_seconds()});
  }
  // Under the lock, so that ids enter the inbox in order and no cancellation overtakes its request.
  const SequenceId id = ++state_->last_id;
  state_->unfinished.emplace(id, false);
  if (!state_->inbox.try_push({id, std::move(request), std::move(sink), State::Clock::now()})) {
    state_->unfinished.erase(id);
    return fail(ErrorCode::kInternal, "the engine's inbox is smaller than its queue");
  }
  return id;
}

void Engine::cancel(SequenceId id) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->unfinished.find(id);
  if (found == state_->unfinished.end() || found->second) return;
  found->second = true;
  state_->cancelled.push_back(id);
}

EngineStats Engine::stats() const {
  const std::lock_guard lock(state_->mutex);
  EngineStats stats = state_->counters;
  stats.n_waiting = static_cast<std::uint32_t>(state_->unfinished.size()) - stats.n_running;
  return stats;
}

std::uint32_t Engine::n_ctx() const { return state_->limits.n_ctx; }

}  // namespace jarip
