// Runs the answers that a request asks for and sends what their dialect's writer makes of them.
// Owned by the routes; handlers run on the network thread, parsing and prompts on workers.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "api/answer_channel.h"
#include "api/answer_writer.h"
#include "api/exchange.h"
#include "app/model_pool.h"

namespace jarip {

class Answering {
 public:
  Answering(boost::asio::thread_pool& workers, std::chrono::milliseconds ping_interval);

  boost::asio::awaitable<void> answer(PlanAnswer plan, Exchange& exchange, ModelPool& models);

 private:
  // Answers that have been started.
  struct Running {
    StartedTurn turn;
    bool is_stream = false;
    AnswerWriter* writer = nullptr;
    bool has_begun = false;  // the stream, while the model was being loaded
  };
  // A request that has been read, for a model that may have to be loaded yet.
  struct Planned {
    std::string model;
    AnswerPlan plan;
    bool has_begun = false;
  };

  boost::asio::awaitable<Result<Planned>> read(PlanAnswer plan, Exchange& exchange,
                                               ModelPool& models);
  boost::asio::awaitable<Result<ModelUse>> wait(Planned& planned, Exchange& exchange,
                                                ModelPool& models);
  boost::asio::awaitable<Result<Running>> start(Planned planned, Exchange& exchange,
                                                Answerer& answerer,
                                                std::shared_ptr<AnswerChannel> channel);
  boost::asio::awaitable<void> refuse(Exchange& exchange, AnswerWriter* writer, bool has_begun,
                                      const Error& error);
  boost::asio::awaitable<void> send_whole(Exchange& exchange, AnswerChannel& channel,
                                          Running& running);
  boost::asio::awaitable<void> send_stream(Exchange& exchange, AnswerChannel& channel,
                                           Running& running);

  boost::asio::thread_pool& workers_;
  std::chrono::milliseconds ping_interval_;
};

}  // namespace jarip
