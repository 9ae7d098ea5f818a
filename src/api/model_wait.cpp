#include "api/model_wait.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <string>
#include <utility>

#include "api/error_reply.h"

namespace jarip {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// However the handler is left, nobody waits for it any more.
class Place {
 public:
  Place(ModelPool& pool, ModelPool::Ticket ticket) : pool_(pool), ticket_(ticket) {}
  ~Place() { pool_.cancel(ticket_); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  ModelPool& pool_;
  ModelPool::Ticket ticket_;
};

}  // namespace

void ModelWait::deliver(Result<ModelUse> use) {
  asio::post(network_, [self = shared_from_this(), moved = std::move(use)]() mutable {
    self->use_.emplace(std::move(moved));
    self->silence_.cancel();
  });
}

void ModelWait::wake() {
  woken_ = true;
  silence_.cancel();
}

asio::awaitable<void> ModelWait::wait(milliseconds silence) {
  if (use_ || std::exchange(woken_, false)) co_return;
  silence_.expires_after(silence);
  co_await silence_.async_wait(asio::as_tuple(asio::use_awaitable));
  woken_ = false;
}

asio::awaitable<Result<ModelUse>> wait_for_model(ModelPool& pool, std::string_view name,
                                                 ResponseStream& stream, const WaitRules& rules) {
  const auto wait =
      std::make_shared<ModelWait>(asio::any_io_executor(co_await asio::this_coro::executor));
  auto asked = pool.acquire(name, [wait](Result<ModelUse> use) { wait->deliver(std::move(use)); });
  if (asked.answer) {
    auto& answer = *asked.answer;
    if (!answer && answer.error().where == kModelLine) answer.error().where = kQueue;
    co_return std::move(answer);
  }
  const Place place(pool, asked.ticket);
  stream.notify_when_gone([wait] { wait->wake(); });
  const auto begun = Clock::now();
  auto next_ping = begun + rules.ping_interval;
  while (true) {
    if (auto use = wait->take()) co_return *std::move(use);
    if (stream.is_gone()) co_return fail(ErrorCode::kCancelled, "the client has left");
    const auto now = Clock::now();
    if (rules.most && now - begun >= *rules.most) {
      co_return fail(ErrorCode::kTimeout,
                     fmt::format("the model wasn't loaded within the {} ms that the request may "
                                 "wait",
                                 rules.most->count()),
                     "max_queue_ms");
    }
    if (now >= next_ping) {
      next_ping = now + rules.ping_interval;
      const bool goes_on = !rules.ping || co_await rules.ping();
      if (!goes_on) co_return fail(ErrorCode::kCancelled, "the client has left");
    }
    auto until = next_ping;
    if (rules.most) until = std::min(until, begun + *rules.most);
    co_await wait->wait(
        std::max(std::chrono::ceil<milliseconds>(until - Clock::now()), milliseconds(1)));
  }
}

}  // namespace jarip
