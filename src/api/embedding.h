// Runs the embeddings and rankings that requests ask for and sends what comes of them. Owned by the
// routes; handlers run on the network thread, reading and writing of bodies on workers.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>

#include "api/answer_channel.h"
#include "api/embeddings.h"
#include "api/exchange.h"
#include "app/model_pool.h"

namespace jarip {

class Embedding {
 public:
  explicit Embedding(boost::asio::thread_pool& workers) : workers_(workers) {}

  boost::asio::awaitable<void> answer(PlanEmbedding plan, Exchange& exchange, ModelPool& models);

 private:
  struct Running;
  // The card of the model that is to embed. Errors: what the request is refused for.
  boost::asio::awaitable<Result<ModelCard>> read(PlanEmbedding plan, Exchange& exchange,
                                                 ModelPool& models);
  boost::asio::awaitable<Result<std::unique_ptr<Running>>> start(
      PlanEmbedding plan, Exchange& exchange, Answerer& answerer,
      std::shared_ptr<AnswerChannel> channel);

  boost::asio::thread_pool& workers_;
};

}  // namespace jarip
