// OpenAI's dialect over HTTP: completions of chats and texts, streamed or whole, and the models.
// Owned by the routes; handlers run on the network thread, parsing and prompts on workers.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "api/answer_channel.h"
#include "api/answerer.h"
#include "api/api_metrics.h"
#include "api/exchange.h"
#include "api/openai_reply.h"
#include "api/openai_request.h"

namespace jarip {

class OpenAi {
 public:
  OpenAi(boost::asio::thread_pool& workers, ApiMetrics& metrics,
         std::chrono::milliseconds ping_interval);

  // The answerer outlives each of these.
  boost::asio::awaitable<void> complete(OpenAiEndpoint endpoint, Exchange& exchange,
                                        Answerer& answerer);
  boost::asio::awaitable<void> list_models(Exchange& exchange, const Answerer& answerer);
  boost::asio::awaitable<void> show_model(Exchange& exchange, const Answerer& answerer,
                                          std::string_view id);

 private:
  // An answer that has been started.
  struct Started {
    TurnId id = 0;
    bool is_stream = false;
    bool include_usage = false;
  };

  boost::asio::awaitable<Result<Started>> start(OpenAiEndpoint endpoint, const Request& request,
                                                Answerer& answerer,
                                                std::shared_ptr<AnswerChannel> channel);
  boost::asio::awaitable<void> send_whole(Exchange& exchange, AnswerChannel& channel,
                                          const AnswerHeader& header);
  boost::asio::awaitable<void> send_stream(Exchange& exchange, AnswerChannel& channel,
                                           const AnswerHeader& header, bool include_usage);

  boost::asio::thread_pool& workers_;
  ApiMetrics& metrics_;
  std::chrono::milliseconds ping_interval_;
};

}  // namespace jarip
