// Which path is answered by what: the one route table. Owned by the command that serves and used on
// the network thread, except for what says otherwise.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <span>
#include <string>

#include "api/answerer.h"
#include "api/api_metrics.h"
#include "api/exchange.h"
#include "api/openai.h"
#include "api/web_files.h"
#include "base/metrics.h"
#include "net/http_handler.h"

namespace jarip {

struct RoutesOptions {
  std::span<const WebFile> web_files = {};
  std::chrono::milliseconds ping_interval{10'000};  // of streams in which nothing happens
};

class Routes final : public HttpHandler {
 public:
  // The registry outlives the routes.
  Routes(MetricsRegistry& registry, const RoutesOptions& options);
  ~Routes() override;

  // From any thread. Until there is an answerer, and after there is none any more, requests for
  // one get 503. It is taken away only when no request is being handled.
  void set_answerer(Answerer* answerer) { answerer_.store(answerer); }
  void set_loading_progress(float fraction) { loading_progress_.store(fraction); }
  void set_stopping() { stopping_.store(true); }

  [[nodiscard]] boost::asio::awaitable<void> handle(const Request& request,
                                                    ResponseStream& stream) override;
  [[nodiscard]] Response render_refusal(const Refusal& refusal) override;

 private:
  using Call = boost::asio::awaitable<void> (Routes::*)(Exchange&);
  struct Route {
    std::string_view method;  // HEAD is answered wherever GET is
    std::string_view path;    // one that ends in '/' stands for all below it
    Call call;
  };
  static const Route kRoutes[];

  boost::asio::awaitable<void> health(Exchange& exchange);
  boost::asio::awaitable<void> metrics(Exchange& exchange);
  boost::asio::awaitable<void> models(Exchange& exchange);
  boost::asio::awaitable<void> model(Exchange& exchange);
  boost::asio::awaitable<void> chat_completions(Exchange& exchange);
  boost::asio::awaitable<void> completions(Exchange& exchange);
  boost::asio::awaitable<void> complete(OpenAiEndpoint endpoint, Exchange& exchange);
  boost::asio::awaitable<void> no_route(Exchange& exchange, std::string allowed_methods);
  boost::asio::awaitable<void> preflight(Exchange& exchange, std::string allowed_methods);
  [[nodiscard]] Error not_ready() const;

  MetricsRegistry& registry_;
  RoutesOptions options_;
  ApiMetrics metrics_;
  std::atomic<Answerer*> answerer_{nullptr};
  std::atomic<float> loading_progress_{0};
  std::atomic<bool> stopping_{false};
  boost::asio::thread_pool workers_;
  OpenAi openai_;
};

}  // namespace jarip
