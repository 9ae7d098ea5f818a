#include "engine/embedder.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_set>
#include <utility>

#include "base/bounded_queue.h"
#include "engine/fair_share.h"

namespace jarip {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

Result<void> check(const EmbedRequest& request, const EmbeddingFacts& facts) {
  if (request.texts.empty()) return fail(ErrorCode::kInvalidArgument, "there is no text", "input");
  for (std::size_t i = 0; i < request.texts.size(); ++i) {
    const std::vector<TokenId>& tokens = request.texts[i].tokens;
    if (tokens.empty()) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("text {} has no tokens", i), "input");
    }
    if (tokens.size() > facts.n_ctx) {
      return fail(
          ErrorCode::kContextOverflow,
          fmt::format("text {} has {} tokens (n_prompt_tokens), but the model reads at most "
                      "{} (n_ctx)",
                      i, tokens.size(), facts.n_ctx),
          "input");
    }
    if (std::ranges::any_of(tokens, [&](TokenId id) { return id >= facts.n_vocab; })) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("text {} has a token past the vocabulary of {}", i, facts.n_vocab),
                  "input");
    }
  }
  return {};
}

}  // namespace

struct Embedder::State {
  struct Request {
    EmbedId id = 0;
    EmbedRequest request;
    EmbedSink sink;
    Clock::time_point submitted;
    Clock::time_point begun;
    std::uint32_t user = 0;
    std::size_t n_planned = 0;  // texts of this step and earlier ones
    EmbedResult result;
  };
  struct Planned {
    std::size_t request;  // index into requests
    std::size_t text;
  };

  State(EmbeddingModel& model_in, const EmbedderOptions& options_in)
      : model(model_in), options(options_in), inbox(options_in.max_queued) {}

  void run();
  void accept(Request request);
  void collect();
  void step();
  [[nodiscard]] std::optional<std::size_t> next_request() const;
  void plan();
  void finish(Request& request, std::optional<Error> error);

  EmbeddingModel& model;
  const EmbedderOptions options;
  BoundedQueue<Request> inbox;

  std::mutex mutex;  // never held while a sink runs
  bool stopping = false;
  EmbedId last_id = 0;
  std::unordered_set<EmbedId> unfinished;
  std::size_t n_unfinished_texts = 0;
  std::vector<EmbedId> cancelled;  // bounded: each is unfinished and here once
  EngineStats counters;

  // The embedder's thread alone.
  FairShare fair;
  std::vector<Request> requests;  // in order of arrival
  std::vector<Planned> planned;
  std::vector<EmbeddingText> texts;
  std::vector<float> rows;

  std::jthread thread;  // last: it starts when all else is there
};

// Stopping closes the inbox; the loop then ends all it has and returns once the inbox is empty.
void Embedder::State::run() {
  for (;;) {
    if (requests.empty()) {
      std::optional<Request> request = inbox.pop();
      if (!request) return;
      accept(*std::move(request));
    }
    collect();
    if (!requests.empty()) step();
  }
}

void Embedder::State::accept(Request request) {
  request.user = fair.join(request.request.user, request.request.user_weight);
  request.result.rows.resize(request.request.texts.size() * model.facts().n_outputs);
  requests.push_back(std::move(request));
}

void Embedder::State::collect() {
  // Cancellations are read first: whatever they name is then in the inbox or already here.
  bool stop = false;
  std::vector<EmbedId> to_cancel;
  {
    const std::lock_guard lock(mutex);
    std::swap(to_cancel, cancelled);
    stop = stopping;
  }
  while (std::optional<Request> request = inbox.try_pop()) accept(*std::move(request));
  for (Request& request : requests) {
    if (stop) {
      finish(request, Error{ErrorCode::kUnavailable, "the server is stopping", {}});
    } else if (std::ranges::find(to_cancel, request.id) != to_cancel.end()) {
      finish(request, Error{ErrorCode::kCancelled, "the request was given up", {}});
    }
  }
  std::erase_if(requests, [](const Request& request) { return !request.sink; });
}

// Of the users with texts left the one who has had the least, and of its requests the oldest.
std::optional<std::size_t> Embedder::State::next_request() const {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (requests[i].n_planned == requests[i].request.texts.size()) continue;
    const auto service = [&](std::size_t at) { return fair.users()[requests[at].user].service; };
    if (!best || service(i) < service(*best)) best = i;
  }
  return best;
}

void Embedder::State::plan() {
  planned.clear();
  texts.clear();
  std::size_t n_tokens = 0;
  const auto now = Clock::now();
  while (const auto index = next_request()) {
    Request& request = requests[*index];
    const EmbedText& text = request.request.texts[request.n_planned];
    if (!planned.empty() && n_tokens + text.tokens.size() > options.max_step_tokens) return;
    n_tokens += text.tokens.size();
    if (request.n_planned == 0) request.begun = now;
    planned.push_back({*index, request.n_planned++});
    texts.push_back({.tokens = text.tokens, .second = text.second});
    fair.charge(request.user, static_cast<double>(text.tokens.size()));
  }
}

void Embedder::State::step() {
  plan();
  const std::size_t n = model.facts().n_outputs;
  rows.resize(texts.size() * n);
  const Result<void> done = model.embed(texts, rows);
  {
    const std::lock_guard lock(mutex);
    const auto size = std::ranges::lower_bound(kStepSizes, texts.size());
    ++counters.n_steps;
    ++counters.steps_by_size[static_cast<std::size_t>(size - kStepSizes.begin())];
    counters.sequence_steps += texts.size();
    for (const EmbeddingText& text : texts) counters.prompt_tokens += text.tokens.size();
  }
  for (std::size_t i = 0; i < planned.size(); ++i) {
    Request& request = requests[planned[i].request];
    if (!request.sink) continue;  // ended by another of its texts
    if (!done) {
      finish(request, done.error());
      continue;
    }
    std::copy_n(rows.data() + i * n, n, request.result.rows.data() + planned[i].text * n);
    request.result.n_tokens += static_cast<std::uint32_t>(texts[i].tokens.size());
    if (planned[i].text + 1 == request.request.texts.size()) finish(request, std::nullopt);
  }
  std::erase_if(requests, [](const Request& request) { return !request.sink; });
}

// All is given back and counted before the sink hears of it.
void Embedder::State::finish(Request& request, std::optional<Error> error) {
  fair.satisfy(request.user);
  fair.leave(request.user);
  const auto now = Clock::now();
  const bool has_begun = request.n_planned > 0;
  request.result.queue_ms = milliseconds((has_begun ? request.begun : now) - request.submitted);
  request.result.compute_ms = has_begun ? milliseconds(now - request.begun) : 0;
  {
    const std::lock_guard lock(mutex);
    unfinished.erase(request.id);
    n_unfinished_texts -= request.request.texts.size();
    ++(!error                                 ? counters.finished_end
       : error->code == ErrorCode::kCancelled ? counters.finished_cancelled
                                              : counters.finished_failed);
  }
  EmbedSink sink = std::exchange(request.sink, nullptr);
  if (error) {
    sink(std::unexpected(*std::move(error)));
  } else {
    sink(std::move(request.result));
  }
}

Embedder::Embedder(EmbeddingModel& model, const EmbedderOptions& options)
    : state_(std::make_unique<State>(model, options)) {
  state_->thread = std::jthread([state = state_.get()] { state->run(); });
}

Embedder::~Embedder() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->inbox.close();
  state_->thread.join();
}

Result<EmbedId> Embedder::submit(EmbedRequest request, EmbedSink sink) {
  JARIP_CHECK(check(request, state_->model.facts()));
  const std::lock_guard lock(state_->mutex);
  if (state_->stopping) return fail(ErrorCode::kUnavailable, "the server is stopping");
  const std::size_t n_texts = request.texts.size();
  const bool fits = state_->unfinished.empty() ||
                    state_->n_unfinished_texts + n_texts <= state_->options.max_queued_texts;
  if (!fits || state_->unfinished.size() >= state_->options.max_queued) {
    return std::unexpected(Error{.code = ErrorCode::kUnavailable,
                                 .message = "too many requests are waiting; try again later",
                                 .where = {},
                                 .retry_after_s = 1});
  }
  // Under the lock, so that no cancellation overtakes its request.
  const EmbedId id = ++state_->last_id;
  State::Request entry;
  entry.id = id;
  entry.request = std::move(request);
  entry.sink = std::move(sink);
  entry.submitted = Clock::now();
  if (!state_->inbox.try_push(std::move(entry))) {
    return fail(ErrorCode::kInternal, "the embedder's inbox is smaller than its queue");
  }
  state_->unfinished.insert(id);
  state_->n_unfinished_texts += n_texts;
  return id;
}

void Embedder::cancel(EmbedId id) {
  const std::lock_guard lock(state_->mutex);
  if (!state_->unfinished.contains(id)) return;
  if (std::ranges::find(state_->cancelled, id) != state_->cancelled.end()) return;
  state_->cancelled.push_back(id);
}

EngineStats Embedder::stats() const {
  const std::lock_guard lock(state_->mutex);
  EngineStats stats = state_->counters;
  stats.n_waiting = static_cast<std::uint32_t>(state_->unfinished.size());
  return stats;
}

}  // namespace jarip
