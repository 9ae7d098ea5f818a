// Runs the embeddings and rankings that requests ask for and sends what comes of them. Owned by the
// routes; handlers run on the network thread, reading and writing of bodies on workers.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>

#include "api/answer_channel.h"
#include "api/answerer.h"
#include "api/embeddings.h"
#include "api/exchange.h"

namespace jarip {

class Embedding {
 public:
  explicit Embedding(boost::asio::thread_pool& workers) : workers_(workers) {}

  // The answerer outlives the awaitable.
  boost::asio::awaitable<void> answer(PlanEmbedding plan, Exchange& exchange, Answerer& answerer);

 private:
  struct Running;
  boost::asio::awaitable<Result<std::unique_ptr<Running>>> start(
      PlanEmbedding plan, Exchange& exchange, Answerer& answerer,
      std::shared_ptr<AnswerChannel> channel);

  boost::asio::thread_pool& workers_;
};

}  // namespace jarip
