#include "engine/engine.h"

#include <algorithm>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "base/bounded_queue.h"
#include "engine/kv_pages.h"
#include "engine/limits.h"
#include "engine/sampler.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"

namespace jarip {

struct Engine::State {
  struct Submission {
    SequenceId id = 0;
    GenerateRequest request;
    EventSink sink;
  };

  State(Model& model_in, const EngineLimits& limits_in, KvPages pages_in);

  // The engine's thread.
  void run();
  void collect();
  void accept(Submission submission);
  void cancel_all();
  void step();
  void carry_out(const StepPlan& plan);
  void compute();
  void sample();
  void sample(std::unique_ptr<Sequence>& sequence, const SequenceChunk& chunk,
              std::span<const float> rows);
  [[nodiscard]] bool is_cancelled(SequenceId id);
  void finish(std::unique_ptr<Sequence>& sequence, FinishReason reason,
              std::optional<Error> error = {});

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

  // The engine's thread alone.
  KvPages pages;
  Scheduler scheduler;
  Sampler sampler;
  std::vector<std::unique_ptr<Sequence>> sequences;  // in order of arrival; running ones first
  std::vector<SequenceId> to_cancel;
  std::vector<SchedulerEntry> entries;
  StepPlan plan;
  std::vector<SequenceChunk> chunks;
  std::vector<std::uint32_t> chunk_owners;  // index into sequences
  std::vector<float> logits;                // [rows of the step, n_vocab], as large as ever needed

  std::jthread thread;  // last: it starts when all else is there
};

Engine::State::State(Model& model_in, const EngineLimits& limits_in, KvPages pages_in)
    : model(model_in),
      limits(limits_in),
      inbox(limits_in.max_unfinished),
      pages(std::move(pages_in)),
      scheduler({limits_in.max_sequences, limits_in.max_step_tokens}),
      sampler(limits_in.n_vocab) {
  counters.n_pages = pages.n_pages();
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

// Takes in what other threads asked for since the last step.
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
  for (std::unique_ptr<Sequence>& sequence : sequences) {
    if (stop || std::ranges::find(to_cancel, sequence->id()) != to_cancel.end()) {
      finish(sequence, FinishReason::kCancelled);
    }
  }
  std::erase(sequences, nullptr);
}

void Engine::State::accept(Submission submission) {
  sequences.push_back(std::make_unique<Sequence>(submission.id, std::move(submission.request),
                                                 std::move(submission.sink), limits.n_ctx,
                                                 limits.max_draft_tokens));
}

void Engine::State::step() {
  entries.clear();
  for (const std::unique_ptr<Sequence>& sequence : sequences) {
    entries.push_back({.n_tokens = sequence->n_tokens(),
                       .n_computed = sequence->n_computed(),
                       .n_pages = static_cast<std::uint32_t>(sequence->pages.size()),
                       .running = sequence->running,
                       .draft_chances = sequence->draft_chances()});
  }
  scheduler.plan(entries, pages.n_free(), plan);
  carry_out(plan);
  compute();
  sample();
  std::erase(sequences, nullptr);
}

void Engine::State::carry_out(const StepPlan& step_plan) {
  const auto now = Sequence::Clock::now();
  for (const std::uint32_t i : step_plan.parked) {
    pages.release(sequences[i]->pages);
    sequences[i]->rewind();
    sequences[i]->running = false;
  }
  for (const std::uint32_t i : step_plan.started) {
    sequences[i]->running = true;
    sequences[i]->start(now);
  }
  {
    const auto started = static_cast<std::uint32_t>(step_plan.started.size());
    const auto parked = static_cast<std::uint32_t>(step_plan.parked.size());
    const std::lock_guard lock(mutex);
    counters.n_running = counters.n_running + started - parked;
  }
  chunks.clear();
  chunk_owners.clear();
  for (const auto& [i, n_tokens, n_drafts] : step_plan.chunks) {
    Sequence& sequence = *sequences[i];
    if (!pages.grow(sequence.pages, sequence.n_computed() + n_tokens + n_drafts)) {
      finish(sequences[i], FinishReason::kFailed,
             Error{ErrorCode::kInternal, "the engine planned more KV pages than there are", {}});
      continue;
    }
    chunks.push_back(sequence.next_chunk(n_tokens, n_drafts));
    chunk_owners.push_back(i);
  }
}

void Engine::State::compute() {
  std::size_t n_rows = 0;
  std::size_t n_prompt_tokens = 0;
  std::size_t n_drafts = 0;
  for (std::size_t c = 0; c < chunks.size(); ++c) {
    n_rows += chunks[c].n_logits;
    if (chunks[c].n_logits > 1) n_drafts += chunks[c].n_logits - 1;
    const Sequence& sequence = *sequences[chunk_owners[c]];
    if (chunks[c].n_logits > 0 && sequence.n_new() == 0) n_prompt_tokens += sequence.n_prompt();
  }
  if (logits.size() < n_rows * limits.n_vocab) logits.resize(n_rows * limits.n_vocab);
  if (!chunks.empty()) {
    model.step(chunks, pages.memory(), std::span(logits).first(n_rows * limits.n_vocab));
  }
  for (std::size_t c = 0; c < chunks.size(); ++c) {
    sequences[chunk_owners[c]]->advance(static_cast<std::uint32_t>(chunks[c].tokens.size()));
  }
  const std::lock_guard lock(mutex);
  ++counters.n_steps;
  counters.prompt_tokens += n_prompt_tokens;
  counters.draft_tokens += n_drafts;
  counters.n_pages_used = pages.n_used();
}

void Engine::State::sample() {
  std::span<const float> rows(logits);
  for (std::size_t c = 0; c < chunks.size(); ++c) {
    const std::size_t n_floats = std::size_t{chunks[c].n_logits} * limits.n_vocab;
    if (n_floats > 0) sample(sequences[chunk_owners[c]], chunks[c], rows.first(n_floats));
    rows = rows.subspan(n_floats);
  }
  const std::lock_guard lock(mutex);
  counters.n_pages_used = pages.n_used();
}

// Each row gives the token that would have come without drafts (laws of model.h and sampler.h); the
// next row is of use only if that token is the draft which the row was computed with.
void Engine::State::sample(std::unique_ptr<Sequence>& sequence, const SequenceChunk& chunk,
                           std::span<const float> rows) {
  const std::span<const TokenId> drafts = chunk.tokens.last(chunk.n_logits - 1);
  for (std::size_t row = 0;; ++row) {
    const auto row_logits = rows.subspan(row * limits.n_vocab, limits.n_vocab);
    if (sequence->is_complete()) {
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
    Result<std::optional<FinishReason>> reason =
        sequence->take(*std::move(sampled), Sequence::Clock::now());
    if (!reason) {
      finish(sequence, FinishReason::kFailed, std::move(reason).error());
      return;
    }
    if (*reason) {
      finish(sequence, **reason);
      return;
    }
    if (!right || is_cancelled(sequence->id())) break;
  }
  // What the next step finds is what it would find without drafts: no page more.
  sequence->drop_drafts();
  pages.shrink(sequence->pages, sequence->n_computed());
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
  pages.release(sequence->pages);
  {
    const std::lock_guard lock(mutex);
    unfinished.erase(sequence->id());
    counters.n_pages_used = pages.n_used();
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
  }
  sequence->end(reason, std::move(error), Sequence::Clock::now());
  sequence.reset();
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
  JARIP_TRY(const EngineLimits limits,
            work_out_limits(options, model.config(), model.kv_page_bytes()));
  JARIP_TRY(KvPages pages, KvPages::create(model.kv_page_bytes(), limits.n_pages));
  auto state = std::make_unique<State>(model, limits, std::move(pages));
  return std::unique_ptr<Engine>(new Engine(std::move(state)));
}

Result<SequenceId> Engine::submit(GenerateRequest request, EventSink sink) {
  JARIP_CHECK(check_request(request, state_->limits));
  const std::lock_guard lock(state_->mutex);
  if (state_->stopping) return fail(ErrorCode::kUnavailable, "the engine is stopping");
  if (state_->unfinished.size() >= state_->limits.max_unfinished) {
    return fail(ErrorCode::kUnavailable, "too many requests are waiting; try again later");
  }
  // Under the lock, so that ids enter the inbox in order and no cancellation overtakes its request.
  const SequenceId id = ++state_->last_id;
  state_->unfinished.emplace(id, false);
  if (!state_->inbox.try_push({id, std::move(request), std::move(sink)})) {
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
