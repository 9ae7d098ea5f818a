#include "api/answer_channel.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <iterator>
#include <utility>
#include <variant>

namespace jarip {

AnswerChannel::AnswerChannel(const boost::asio::any_io_executor& network)
    : network_(network), silence_(network) {}

void AnswerChannel::push(TurnEvent event) {
  boost::asio::post(network_, [self = shared_from_this(), moved = std::move(event)]() mutable {
    self->store(std::move(moved));
  });
}

void AnswerChannel::store(TurnEvent event) {
  auto* delta = std::get_if<TextDelta>(&event);
  auto* last = events_.size() < kMaxSeparate ? nullptr : std::get_if<TextDelta>(&events_.back());
  if (delta != nullptr && last != nullptr) {
    last->text += delta->text;
    last->details.insert(last->details.end(), std::make_move_iterator(delta->details.begin()),
                         std::make_move_iterator(delta->details.end()));
  } else {
    events_.push_back(std::move(event));
  }
  silence_.cancel();
}

boost::asio::awaitable<void> AnswerChannel::wait(std::chrono::milliseconds silence) {
  if (!events_.empty() || std::exchange(woken_, false)) co_return;
  silence_.expires_after(silence);
  co_await silence_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  woken_ = false;
}

std::optional<TurnEvent> AnswerChannel::pop() {
  if (events_.empty()) return std::nullopt;
  std::optional<TurnEvent> event(std::move(events_.front()));
  events_.pop_front();
  return event;
}

void AnswerChannel::wake() {
  woken_ = true;
  silence_.cancel();
}

}  // namespace jarip
