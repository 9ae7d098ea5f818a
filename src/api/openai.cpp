#include "api/openai.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/serialize.hpp>
#include <ctime>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "api/error_reply.h"
#include "base/utf8.h"
#include "net/sse.h"

namespace jarip {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kMaxWriteBytes = 64U << 10U;  // put together for one write
constexpr auto kForever = std::chrono::hours(24);

std::string model_json(const ModelCard& card) {
  return fmt::format(R"({{"id":{},"object":"model","created":{},"owned_by":"jarip"}})",
                     boost::json::serialize(card.name), card.created);
}

// However the handler is left, what still runs for it is cancelled.
class RunningTurn {
 public:
  RunningTurn(Answerer& answerer, TurnId id) : answerer_(answerer), id_(id) {}
  ~RunningTurn() { answerer_.cancel(id_); }
  RunningTurn(const RunningTurn&) = delete;
  RunningTurn& operator=(const RunningTurn&) = delete;

 private:
  Answerer& answerer_;
  TurnId id_;
};

}  // namespace

OpenAi::OpenAi(asio::thread_pool& workers, ApiMetrics& metrics,
               std::chrono::milliseconds ping_interval)
    : workers_(workers), metrics_(metrics), ping_interval_(ping_interval) {}

asio::awaitable<void> OpenAi::list_models(Exchange& exchange, const Answerer& answerer) {
  co_await exchange.send_json(
      fmt::format(R"({{"object":"list","data":[{}]}})", model_json(answerer.card())));
}

asio::awaitable<void> OpenAi::show_model(Exchange& exchange, const Answerer& answerer,
                                         std::string_view id) {
  if (id == answerer.card().name) {
    co_await exchange.send_json(model_json(answerer.card()));
    co_return;
  }
  co_await exchange.send_error(
      {ErrorCode::kNotFound,
       fmt::format("there is no model \"{}\" here; the one loaded is \"{}\"", id,
                   answerer.card().name),
       "model"});
}

asio::awaitable<void> OpenAi::complete(OpenAiEndpoint endpoint, Exchange& exchange,
                                       Answerer& answerer) {
  // Shared with the engine's thread: see AnswerChannel.
  const auto channel =
      std::make_shared<AnswerChannel>(asio::any_io_executor(co_await asio::this_coro::executor));
  exchange.stream().notify_when_gone([channel] { channel->wake(); });
  const auto started = co_await start(endpoint, exchange.request(), answerer, channel);
  if (!started) {
    co_await exchange.send_error(started.error());
    co_return;
  }
  const RunningTurn turn(answerer, started->id);
  exchange.stream().drop_body();
  const ModelCard& card = answerer.card();
  const AnswerHeader header{endpoint,
                            random_id(endpoint == OpenAiEndpoint::kChat ? "chatcmpl-" : "cmpl-"),
                            std::time(nullptr), card.name, card.fingerprint};
  if (started->is_stream) {
    co_await send_stream(exchange, *channel, header, started->include_usage);
  } else {
    co_await send_whole(exchange, *channel, header);
  }
}

// Parsing, the template and the tokenizer take time in proportion to the request: a worker does it,
// so that the network thread stays free.
asio::awaitable<Result<OpenAi::Started>> OpenAi::start(OpenAiEndpoint endpoint,
                                                       const Request& request, Answerer& answerer,
                                                       std::shared_ptr<AnswerChannel> channel) {
  auto work = [&]() -> asio::awaitable<Result<Started>> {
    auto parsed = parse_openai_request(endpoint, request.body, answerer.card().n_vocab);
    if (!parsed) co_return std::unexpected(std::move(parsed).error());
    auto id =
        answerer.start(std::move(parsed->turn), [channel, &metrics = metrics_](TurnEvent event) {
          if (const auto* end = std::get_if<TurnEnd>(&event)) {
            metrics.count_answer(*end);
          }
          channel->push(std::move(event));
        });
    if (!id) {
      Error error = std::move(id).error();
      // An answerer that is there and can't take more has a full queue; others are told to wait.
      if (error.code == ErrorCode::kUnavailable) error.where = kQueue;
      co_return std::unexpected(std::move(error));
    }
    co_return Started{*id, parsed->is_stream, parsed->include_usage};
  };
  co_return co_await asio::co_spawn(workers_, work(), asio::use_awaitable);
}

asio::awaitable<void> OpenAi::send_whole(Exchange& exchange, AnswerChannel& channel,
                                         const AnswerHeader& header) {
  std::vector<TextDelta> deltas;
  while (!exchange.stream().is_gone()) {
    auto event = channel.pop();
    if (!event) {
      co_await channel.wait(kForever);
    } else if (auto* delta = std::get_if<TextDelta>(&*event)) {
      deltas.push_back(std::move(*delta));
    } else {
      const TurnEnd& end = std::get<TurnEnd>(*event);
      if (const auto failure = failure_of(end)) {
        co_await exchange.send_error(*failure);
      } else {
        co_await exchange.send_json(openai_answer_json(header, deltas, end));
      }
      co_return;
    }
  }
}

// The response begins with the first event, so that what fails before it can still be a plain HTTP
// error; or with a ping, when the first event takes long and a proxy might lose patience.
asio::awaitable<void> OpenAi::send_stream(Exchange& exchange, AnswerChannel& channel,
                                          const AnswerHeader& header, bool include_usage) {
  OpenAiStreamWriter writer(header, include_usage);
  ResponseStream& stream = exchange.stream();
  bool has_begun = false;
  bool has_ended = false;
  while (!has_ended) {
    co_await channel.wait(ping_interval_);
    if (stream.is_gone()) co_return;
    std::string out;
    while (out.size() < kMaxWriteBytes && !has_ended) {
      const auto event = channel.pop();
      if (!event) break;
      if (const auto* delta = std::get_if<TextDelta>(&*event)) {
        writer.append_delta(out, *delta);
        continue;
      }
      const TurnEnd& end = std::get<TurnEnd>(*event);
      const auto failure = failure_of(end);
      if (failure && !has_begun && out.empty()) {
        co_await exchange.send_error(*failure);
        co_return;
      }
      failure ? OpenAiStreamWriter::append_error(out, *failure) : writer.append_end(out, end);
      has_ended = true;
    }
    if (out.empty()) out = kSsePing;
    if (!has_begun) {
      Response head{200,
                    {{"content-type", std::string(kSseContentType)},
                     {"cache-control", "no-cache"},
                     {"x-accel-buffering", "no"}},
                    {}};
      if (!co_await exchange.begin(std::move(head))) co_return;
      has_begun = true;
    }
    if (!co_await stream.write(out)) co_return;
  }
  static_cast<void>(co_await stream.finish());
}

}  // namespace jarip
