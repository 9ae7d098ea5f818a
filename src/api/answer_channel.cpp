#include "api/answer_channel.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <iterator>
#include <ranges>
#include <utility>
#include <variant>

namespace jarip {
namespace {

// Makes the second event part of the first, where that leaves the answer the same.
bool join(TurnEvent& first, TurnEvent& second) {
  if (auto* text = std::get_if<TextDelta>(&first)) {
    auto* more = std::get_if<TextDelta>(&second);
    if (more == nullptr) return false;
    text->text += more->text;
    text->details.insert(text->details.end(), std::make_move_iterator(more->details.begin()),
                         std::make_move_iterator(more->details.end()));
    return true;
  }
  if (auto* reasoning = std::get_if<ReasoningDelta>(&first)) {
    const auto* more = std::get_if<ReasoningDelta>(&second);
    if (more != nullptr) reasoning->text += more->text;
    return more != nullptr;
  }
  auto* call = std::get_if<CallDelta>(&first);
  const auto* more = std::get_if<CallDelta>(&second);
  if (call == nullptr || more == nullptr || call->index != more->index) return false;
  call->arguments += more->arguments;
  return true;
}

}  // namespace

AnswerChannel::AnswerChannel(const boost::asio::any_io_executor& network)
    : network_(network), silence_(network) {}

void AnswerChannel::push(std::uint32_t choice, TurnEvent event) {
  boost::asio::post(network_,
                    [self = shared_from_this(), choice, moved = std::move(event)]() mutable {
                      self->store(choice, std::move(moved));
                    });
}

// The last event that waits of an answer, if any.
TurnEvent* AnswerChannel::last_of(std::uint32_t choice) {
  for (ChoiceEvent& waiting : std::views::reverse(events_)) {
    if (waiting.choice == choice) return &waiting.event;
  }
  return nullptr;
}

void AnswerChannel::store(std::uint32_t choice, TurnEvent event) {
  TurnEvent* const last = events_.size() < kMaxSeparate ? nullptr : last_of(choice);
  if (last == nullptr || !join(*last, event)) events_.push_back({choice, std::move(event)});
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
