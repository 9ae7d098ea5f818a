#include "api/answer_channel.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <iterator>
#include <ranges>
#include <utility>
#include <variant>

namespace jarip {

AnswerChannel::AnswerChannel(const boost::asio::any_io_executor& network)
    : network_(network), silence_(network) {}

void AnswerChannel::push(std::uint32_t choice, TurnEvent event) {
  boost::asio::post(network_,
                    [self = shared_from_this(), choice, moved = std::move(event)]() mutable {
                      self->store(choice, std::move(moved));
                    });
}

// The last event that waits of an answer, if that is text.
TextDelta* AnswerChannel::last_delta_of(std::uint32_t choice) {
  for (ChoiceEvent& waiting : std::views::reverse(events_)) {
    if (waiting.choice == choice) return std::get_if<TextDelta>(&waiting.event);
  }
  return nullptr;
}

void AnswerChannel::store(std::uint32_t choice, TurnEvent event) {
  auto* delta = std::get_if<TextDelta>(&event);
  auto* last = delta == nullptr || events_.size() < kMaxSeparate ? nullptr : last_delta_of(choice);
  if (last != nullptr) {
    last->text += delta->text;
    last->details.insert(last->details.end(), std::make_move_iterator(delta->details.begin()),
                         std::make_move_iterator(delta->details.end()));
  } else {
    events_.push_back({choice, std::move(event)});
  }
  silence_.cancel();
}

boost::asio::awaitable<void> AnswerChannel::wait(std::chrono::milliseconds silence) {
  if (!events_.empty() || std::exchange(woken_, false)) co_return;
  silence_.expires_after(silence);
  co_await silence_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  woken_ = false;
}

std::optional<ChoiceEvent> AnswerChannel::pop() {
  if (events_.empty()) return std::nullopt;
  std::optional<ChoiceEvent> event(std::move(events_.front()));
  events_.pop_front();
  return event;
}

void AnswerChannel::wake() {
  woken_ = true;
  silence_.cancel();
}

}  // namespace jarip
