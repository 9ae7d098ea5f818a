// Runs the answers that a request asks for and sends what their dialect's writer makes of them.
// Owned by the routes; handlers run on the network thread, parsing and prompts on workers.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <memory>

#include "api/answer_channel.h"
#include "api/answer_writer.h"
#include "api/answerer.h"
#include "api/exchange.h"

namespace jarip {

class Answering {
 public:
  Answering(boost::asio::thread_pool& workers, std::chrono::milliseconds ping_interval);

  // The answerer outlives the awaitable.
  boost::asio::awaitable<void> answer(PlanAnswer plan, Exchange& exchange, Answerer& answerer);

 private:
  // Answers that have been started.
  struct Running {
    StartedTurn turn;
    bool is_stream = false;
    std::unique_ptr<AnswerWriter> writer;
  };

  boost::asio::awaitable<Result<Running>> start(PlanAnswer plan, Exchange& exchange,
                                                Answerer& answerer,
                                                std::shared_ptr<AnswerChannel> channel);
  boost::asio::awaitable<void> send_whole(Exchange& exchange, AnswerChannel& channel,
                                          Running& running);
  boost::asio::awaitable<void> send_stream(Exchange& exchange, AnswerChannel& channel,
                                           Running& running);

  boost::asio::thread_pool& workers_;
  std::chrono::milliseconds ping_interval_;
};

}  // namespace jarip
