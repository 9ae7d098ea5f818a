#include "api/answering.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "api/error_reply.h"
#include "api/model_wait.h"
#include "api/models.h"
#include "app/seed.h"
#include "net/sse.h"

namespace jarip {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kMaxWriteBytes = 64U << 10U;  // put together for one write
constexpr auto kForever = std::chrono::hours(24);

// However the handler is left, what still runs for it is cancelled.
class RunningTurns {
 public:
  RunningTurns(Answerer& answerer, const std::vector<TurnId>& ids)
      : answerer_(answerer), ids_(ids) {}
  ~RunningTurns() {
    for (const TurnId id : ids_) answerer_.cancel(id);
  }
  RunningTurns(const RunningTurns&) = delete;
  RunningTurns& operator=(const RunningTurns&) = delete;

 private:
  Answerer& answerer_;
  std::vector<TurnId> ids_;
};

// With it the same answer can be asked for again. As JSON's readers take it: signed.
HttpField seed_header(std::uint64_t seed) {
  return {"x-jarip-seed", fmt::format("{}", static_cast<std::int64_t>(seed))};
}

Response stream_head(std::uint64_t seed) {
  return {200,
          {{"content-type", std::string(kSseContentType)},
           {"cache-control", "no-cache"},
           {"x-accel-buffering", "no"},
           seed_header(seed)},
          {}};
}

// An answer to the plan's turn for each of its choices, numbered from first on.
Result<StartedTurn> start_choices(const AnswerPlan& plan, Turn turn, std::uint32_t first,
                                  RequestRecord& record, Answerer& answerer,
                                  const std::shared_ptr<AnswerChannel>& channel) {
  std::vector<TurnSink> sinks;
  for (std::uint32_t i = 0; i < plan.n_choices; ++i) {
    const std::uint32_t choice = first + i;
    sinks.push_back(record.meter(
        [channel, choice](TurnEvent event) { channel->push(choice, std::move(event)); },
        /*counts_prompt=*/i == 0));
  }
  return answerer.start(std::move(turn), std::move(sinks));
}

// The answers to all prompts of a request, or none.
Result<StartedTurn> start_prompts(AnswerPlan& plan, RequestRecord& record, Answerer& answerer,
                                  const std::shared_ptr<AnswerChannel>& channel) {
  StartedTurn all;
  for (std::size_t i = 0; i <= plan.more_prompts.size(); ++i) {
    Turn turn = plan.turn;
    if (i > 0) turn.input = std::move(plan.more_prompts[i - 1]);
    auto started = start_choices(plan, std::move(turn), static_cast<std::uint32_t>(all.ids.size()),
                                 record, answerer, channel);
    if (!started) {
      for (const TurnId id : all.ids) answerer.cancel(id);
      return started;
    }
    if (i > 0) {
      all.ids.insert(all.ids.end(), started->ids.begin(), started->ids.end());
    } else {
      all = *std::move(started);
    }
  }
  return all;
}

// The event, unless it is the answer's end.
void add_to(WholeAnswer& answer, TurnEvent& event) {
  if (auto* delta = std::get_if<TextDelta>(&event)) {
    answer.text += delta->text;
    answer.details.insert(answer.details.end(), std::make_move_iterator(delta->details.begin()),
                          std::make_move_iterator(delta->details.end()));
  } else if (const auto* reasoning = std::get_if<ReasoningDelta>(&event)) {
    answer.reasoning += reasoning->text;
  } else if (auto* call = std::get_if<CallDelta>(&event)) {
    if (!call->name.empty()) {
      answer.calls.push_back({std::move(call->id), std::move(call->name), {}});
    }
    answer.calls.back().arguments += call->arguments;
  }
}

// A stream under way: what was written of it, and what has still to come.
class Stream {
 public:
  Stream(AnswerWriter& writer, std::size_t n_running) : writer_(writer), n_running_(n_running) {}

  // An error instead of the whole response: the first event failed before anything was written.
  std::optional<Error> take(std::string& out, const ChoiceEvent& event) {
    const auto* const end_event = std::get_if<TurnEnd>(&event.event);
    if (end_event == nullptr) {
      begin(out);
      append_delta(out, event);
      return std::nullopt;
    }
    const TurnEnd& end = *end_event;
    if (auto failure = failure_of(end)) {
      if (!has_begun_) return failure;
      writer_.append_error(out, *failure);
      n_running_ = 0;
      return std::nullopt;
    }
    begin(out);
    writer_.append_end(out, event.choice, end);
    if (--n_running_ == 0) writer_.append_finish(out);
    return std::nullopt;
  }
  void ping(std::string& out) {
    begin(out);
    writer_.append_ping(out);
  }
  [[nodiscard]] bool has_ended() const { return n_running_ == 0; }

 private:
  void append_delta(std::string& out, const ChoiceEvent& event) {
    if (const auto* text = std::get_if<TextDelta>(&event.event)) {
      writer_.append_delta(out, event.choice, *text);
    } else if (const auto* reasoning = std::get_if<ReasoningDelta>(&event.event)) {
      writer_.append_reasoning(out, event.choice, *reasoning);
    } else if (const auto* call = std::get_if<CallDelta>(&event.event)) {
      writer_.append_call(out, event.choice, *call);
    }
  }
  void begin(std::string& out) {
    if (!std::exchange(has_begun_, true)) writer_.append_begin(out);
  }

  AnswerWriter& writer_;
  std::size_t n_running_;
  bool has_begun_ = false;
};

}  // namespace

std::optional<Error> failure_of(const TurnEnd& end) {
  if (end.error) return end.error;
  if (end.finish == TurnFinish::kFailed) {
    return Error{ErrorCode::kInternal, "the answer failed", {}};
  }
  if (end.finish == TurnFinish::kCancelled) {
    return Error{ErrorCode::kUnavailable, "the server is stopping", {}};
  }
  return std::nullopt;
}

Answering::Answering(asio::thread_pool& workers, std::chrono::milliseconds ping_interval)
    : workers_(workers), ping_interval_(ping_interval) {}

asio::awaitable<void> Answering::answer(PlanAnswer plan, Exchange& exchange, ModelPool& models) {
  auto planned = co_await read(plan, exchange, models);
  if (!planned) co_return co_await exchange.send_error(planned.error());
  const auto use = co_await wait(*planned, exchange, models);
  const bool has_begun = planned->has_begun;
  if (!use) {
    co_return co_await refuse(exchange, planned->plan.writer.get(), has_begun, use.error());
  }
  // Shared with the engine's thread: see AnswerChannel.
  const auto channel =
      std::make_shared<AnswerChannel>(asio::any_io_executor(co_await asio::this_coro::executor));
  exchange.stream().notify_when_gone([channel] { channel->wake(); });
  // Kept, as start() moves the plan along.
  const std::unique_ptr<AnswerWriter> writer = std::move(planned->plan.writer);
  auto running = co_await start(*std::move(planned), exchange, use->answerer(), channel);
  if (!running) {
    co_return co_await refuse(exchange, writer.get(), has_begun, running.error());
  }
  const RunningTurns turns(use->answerer(), running->turn.ids);
  running->writer = writer.get();
  exchange.stream().drop_body();
  writer->set_started(running->turn);
  if (running->is_stream) {
    co_await send_stream(exchange, *channel, *running);
  } else {
    co_await send_whole(exchange, *channel, *running);
  }
}

// Parsing, the template and the tokenizer take time in proportion to the request: a worker does it,
// so that the network thread stays free.
asio::awaitable<Result<Answering::Planned>> Answering::read(PlanAnswer plan, Exchange& exchange,
                                                            ModelPool& models) {
  auto work = [&]() -> asio::awaitable<Result<Planned>> {
    const std::string& body = exchange.request().body;
    const auto card = card_for(body, models);
    if (!card) co_return std::unexpected(card.error());
    auto planned = plan(body, *card);
    if (!planned) co_return std::unexpected(std::move(planned).error());
    if (card->task != ModelTask::kWrite) co_return std::unexpected(cant_write(*card));
    exchange.record().claim(planned->turn);
    co_return Planned{card->name, *std::move(planned)};
  };
  co_return co_await asio::co_spawn(workers_, work(), asio::use_awaitable);
}

// A stream begins with pings where its model takes long to load; its seed is then drawn before.
asio::awaitable<Result<ModelUse>> Answering::wait(Planned& planned, Exchange& exchange,
                                                  ModelPool& models) {
  Turn& turn = planned.plan.turn;
  WaitRules rules{.ping_interval = ping_interval_, .ping = {}, .most = {}};
  for (const auto& limit : {turn.max_queue_ms, turn.timeout_ms}) {
    if (!limit) continue;
    const std::chrono::milliseconds most(*limit);
    rules.most = rules.most ? std::min(*rules.most, most) : most;
  }
  if (planned.plan.is_stream) {
    rules.ping = [&]() -> asio::awaitable<bool> {
      if (!planned.has_begun) {
        if (!turn.seed) turn.seed = draw_random_seed();
        if (!co_await exchange.begin(stream_head(*turn.seed))) co_return false;
        planned.has_begun = true;
      }
      co_return co_await exchange.stream().write(kSsePing);
    };
  }
  const auto begun = std::chrono::steady_clock::now();
  auto use = co_await wait_for_model(models, planned.model, exchange.stream(), rules);
  const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - begun);
  for (auto* const limit : {&turn.max_queue_ms, &turn.timeout_ms}) {
    if (*limit) **limit -= std::min(**limit, static_cast<std::uint32_t>(waited.count()));
  }
  co_return use;
}

asio::awaitable<Result<Answering::Running>> Answering::start(
    Planned planned, Exchange& exchange, Answerer& answerer,
    std::shared_ptr<AnswerChannel> channel) {
  auto work = [&]() -> asio::awaitable<Result<Running>> {
    auto turn = start_prompts(planned.plan, exchange.record(), answerer, channel);
    if (!turn) {
      Error error = std::move(turn).error();
      // An answerer that is there and can't take more has a full queue; others are told to wait.
      if (error.code == ErrorCode::kUnavailable) error.where = kQueue;
      co_return std::unexpected(std::move(error));
    }
    co_return Running{*std::move(turn), planned.plan.is_stream, nullptr, planned.has_begun};
  };
  co_return co_await asio::co_spawn(workers_, work(), asio::use_awaitable);
}

// As an HTTP error, or as a stream's last event if it has begun; a client that has left is told
// nothing.
asio::awaitable<void> Answering::refuse(Exchange& exchange, AnswerWriter* writer, bool has_begun,
                                        const Error& error) {
  if (error.code == ErrorCode::kCancelled) co_return;
  if (!has_begun) co_return co_await exchange.send_error(error);
  std::string out;
  writer->append_error(out, error);
  if (co_await exchange.stream().write(out)) static_cast<void>(co_await exchange.stream().finish());
}

asio::awaitable<void> Answering::send_whole(Exchange& exchange, AnswerChannel& channel,
                                            Running& running) {
  std::vector<WholeAnswer> answers(running.turn.ids.size());
  std::size_t n_running = answers.size();
  while (n_running > 0) {
    if (exchange.stream().is_gone()) co_return;
    auto event = channel.pop();
    if (!event) {
      co_await channel.wait(kForever);
      continue;
    }
    WholeAnswer& answer = answers[event->choice];
    if (!std::holds_alternative<TurnEnd>(event->event)) {
      add_to(answer, event->event);
      continue;
    }
    answer.end = std::get<TurnEnd>(std::move(event->event));
    if (const auto failure = failure_of(answer.end)) {
      co_await exchange.send_error(*failure);
      co_return;
    }
    --n_running;
  }
  co_await exchange.send({200,
                          {{"content-type", "application/json"}, seed_header(running.turn.seed)},
                          running.writer->whole(answers)});
}

// The response begins with the first event, so that what fails before it can still be a plain HTTP
// error; or with a ping, when the first event takes long and a proxy might lose patience.
asio::awaitable<void> Answering::send_stream(Exchange& exchange, AnswerChannel& channel,
                                             Running& running) {
  Stream answers(*running.writer, running.turn.ids.size());
  ResponseStream& stream = exchange.stream();
  bool has_begun = running.has_begun;
  while (!answers.has_ended()) {
    co_await channel.wait(ping_interval_);
    if (stream.is_gone()) co_return;
    std::string out;
    while (out.size() < kMaxWriteBytes && !answers.has_ended()) {
      const auto event = channel.pop();
      if (!event) break;
      if (const auto failure = answers.take(out, *event)) {
        co_return co_await refuse(exchange, running.writer, has_begun, *failure);
      }
    }
    if (out.empty()) answers.ping(out);
    if (!has_begun) {
      if (!co_await exchange.begin(stream_head(running.turn.seed))) co_return;
      has_begun = true;
    }
    if (!co_await stream.write(out)) co_return;
  }
  static_cast<void>(co_await stream.finish());
}

}  // namespace jarip
