#include "api/embedding.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "api/answer_writer.h"
#include "api/error_reply.h"
#include "api/model_wait.h"
#include "api/models.h"
#include "api/unloaded_answerer.h"
#include "app/loaded_embedder.h"

namespace jarip {
namespace {

namespace asio = boost::asio;

constexpr auto kForever = std::chrono::hours(24);

// The end of the request as the ledger and the channel know ends.
TurnEnd end_of(const Result<EmbedResult>& result) {
  TurnEnd end;
  if (result) {
    end.n_prompt_tokens = result->n_tokens;
    end.queue_ms = result->queue_ms;
    end.prefill_ms = result->compute_ms;
  } else if (result.error().code == ErrorCode::kCancelled) {
    end.finish = TurnFinish::kCancelled;
  } else {
    end.finish = TurnFinish::kFailed;
    end.error = result.error();
  }
  return end;
}

}  // namespace

struct Embedding::Running {
  explicit Running(Embedder& the_embedder) : embedder(the_embedder) {}
  // However the handler is left, what still runs for it is cancelled.
  ~Running() { embedder.cancel(id); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  Embedder& embedder;
  EmbedId id = 0;
  EmbeddingPlan plan;
  // Written before the channel has the end; shared because the handler may be gone by then.
  std::shared_ptr<EmbedResult> result = std::make_shared<EmbedResult>();
};

asio::awaitable<Result<std::unique_ptr<Embedding::Running>>> Embedding::start(
    PlanEmbedding plan, Exchange& exchange, Answerer& answerer,
    std::shared_ptr<AnswerChannel> channel) {
  auto work = [&]() -> asio::awaitable<Result<std::unique_ptr<Running>>> {
    auto planned = plan(exchange.request().body, answerer);
    if (!planned) co_return std::unexpected(std::move(planned).error());
    auto running = std::make_unique<Running>(answerer.embedder()->embedder());
    running->plan = *std::move(planned);
    EmbedRequest& request = running->plan.request;
    exchange.record().share(running->plan.user, request.user, request.user_weight);
    auto metered =
        exchange.record().meter([channel](TurnEvent event) { channel->push(0, std::move(event)); });
    auto id = running->embedder.submit(
        std::move(request), [result = running->result,
                             sink = std::move(metered)](Result<EmbedResult> computed) mutable {
          TurnEnd end = end_of(computed);
          if (computed) *result = *std::move(computed);
          sink(std::move(end));
        });
    if (!id) {
      Error error = std::move(id).error();
      // An embedder that is there and can't take more has a full queue; others are told to wait.
      if (error.code == ErrorCode::kUnavailable) error.where = kQueue;
      co_return std::unexpected(std::move(error));
    }
    running->id = *id;
    co_return running;
  };
  co_return co_await asio::co_spawn(workers_, work(), asio::use_awaitable);
}

asio::awaitable<Result<ModelCard>> Embedding::read(PlanEmbedding plan, Exchange& exchange,
                                                   ModelPool& models) {
  auto work = [&]() -> asio::awaitable<Result<ModelCard>> {
    const std::string& body = exchange.request().body;
    auto card = card_for(body, models);
    // A model made for something else isn't loaded in order to refuse.
    if (card && card->task == ModelTask::kWrite) {
      auto planned = plan(body, UnloadedAnswerer(*card));
      if (!planned) co_return std::unexpected(std::move(planned).error());
    }
    co_return card;
  };
  co_return co_await asio::co_spawn(workers_, work(), asio::use_awaitable);
}

asio::awaitable<void> Embedding::answer(PlanEmbedding plan, Exchange& exchange, ModelPool& models) {
  const auto card = co_await read(plan, exchange, models);
  if (!card) co_return co_await exchange.send_error(card.error());
  const auto use = co_await wait_for_model(models, card->name, exchange.stream(), {});
  if (!use) {
    if (use.error().code != ErrorCode::kCancelled) co_await exchange.send_error(use.error());
    co_return;
  }
  Answerer& answerer = use->answerer();
  const auto channel =
      std::make_shared<AnswerChannel>(asio::any_io_executor(co_await asio::this_coro::executor));
  exchange.stream().notify_when_gone([channel] { channel->wake(); });
  auto started = co_await start(plan, exchange, answerer, channel);
  if (!started) {
    co_await exchange.send_error(started.error());
    co_return;
  }
  const std::unique_ptr<Running> running = *std::move(started);
  exchange.stream().drop_body();
  std::optional<ChoiceEvent> event;
  while (!(event = channel->pop())) {
    if (exchange.stream().is_gone()) co_return;
    co_await channel->wait(kForever);
  }
  if (const auto failure = failure_of(std::get<TurnEnd>(event->event))) {
    co_await exchange.send_error(*failure);
    co_return;
  }
  auto write = [&]() -> asio::awaitable<std::string> {
    co_return running->plan.write(std::move(*running->result));
  };
  co_await exchange.send_json(co_await asio::co_spawn(workers_, write(), asio::use_awaitable));
}

}  // namespace jarip
