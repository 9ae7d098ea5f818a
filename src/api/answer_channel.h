// The way of a request's answers, one or several, from the engine's thread to the network thread.
// Shared by the two because either may let go first: the client leaves, or the answers end.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "app/turn.h"

namespace jarip {

struct ChoiceEvent {
  std::uint32_t choice = 0;  // which of the answers
  TurnEvent event;
};

class AnswerChannel : public std::enable_shared_from_this<AnswerChannel> {
 public:
  // network: where wait(), pop() and wake() are called.
  explicit AnswerChannel(const boost::asio::any_io_executor& network);

  // From any thread; never blocks.
  void push(std::uint32_t choice, TurnEvent event);

  // Until there is an event, wake() is called, or nothing has come for so long.
  [[nodiscard]] boost::asio::awaitable<void> wait(std::chrono::milliseconds silence);
  [[nodiscard]] std::optional<ChoiceEvent> pop();
  void wake();

 private:
  // A client that reads slower than the model writes gets the rest in larger pieces, so that what
  // waits for it is the answer's text and little more.
  static constexpr std::size_t kMaxSeparate = 32;

  void store(std::uint32_t choice, TurnEvent event);
  [[nodiscard]] TurnEvent* last_of(std::uint32_t choice);

  boost::asio::any_io_executor network_;
  boost::asio::steady_timer silence_;
  std::deque<ChoiceEvent> events_;
  bool woken_ = false;
};

}  // namespace jarip
