// Which path is answered by what: the one route table. Owned by the command that serves and used on
// the network thread, except for what says otherwise.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "api/answer_writer.h"
#include "api/answerer.h"
#include "api/answering.h"
#include "api/api_metrics.h"
#include "api/exchange.h"
#include "api/openapi.h"
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
  // What handles a route: a method here; a dialect's plan for answers; or a function from the
  // request's JSON to the reply's, which runs on a worker.
  using Call = boost::asio::awaitable<void> (Routes::*)(Exchange&);
  using Compute = Result<std::string> (*)(std::string_view body, const Answerer& answerer);
  struct Route {
    ApiOperation api;  // HEAD is answered wherever GET is; a path that ends in '/' stands for all
                       // below it
    std::variant<Call, PlanAnswer, Compute> handler;
  };
  static const Route kRoutes[];

  boost::asio::awaitable<void> run(const Route& route, Exchange& exchange);
  boost::asio::awaitable<void> run_with_model(const Route& route, Exchange& exchange);

  boost::asio::awaitable<void> health(Exchange& exchange);
  boost::asio::awaitable<void> metrics(Exchange& exchange);
  boost::asio::awaitable<void> openapi(Exchange& exchange);
  boost::asio::awaitable<void> models(Exchange& exchange);
  boost::asio::awaitable<void> model(Exchange& exchange);
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
  Answering answering_;
};

}  // namespace jarip
