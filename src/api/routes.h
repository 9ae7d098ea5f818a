// Which path is answered by what: the one route table. Owned by the command that serves and used on
// the network thread, except for what says otherwise.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "api/access_log.h"
#include "api/answer_writer.h"
#include "api/answering.h"
#include "api/api_metrics.h"
#include "api/embedding.h"
#include "api/exchange.h"
#include "api/gate.h"
#include "api/openapi.h"
#include "api/web_files.h"
#include "app/model_pool.h"
#include "base/metrics.h"
#include "net/http_handler.h"

namespace jarip {

struct RoutesOptions {
  std::span<const WebFile> web_files = {};
  std::chrono::milliseconds ping_interval{10'000};  // of streams in which nothing happens
  Accounts* accounts = nullptr;                     // null: nobody needs a key
  AccessLog* access_log = nullptr;                  // null: none
  ModelPool* models = nullptr;                      // outlives the routes
};

class Routes final : public HttpHandler {
 public:
  // The registry and what the options point to outlive the routes.
  Routes(MetricsRegistry& registry, const RoutesOptions& options);
  ~Routes() override;

  // From any thread. Until those models are loaded that are to be from the start, /health says so.
  void set_ready() { is_ready_.store(true); }
  void set_stopping() { stopping_.store(true); }

  [[nodiscard]] boost::asio::awaitable<void> handle(const Request& request,
                                                    ResponseStream& stream) override;
  [[nodiscard]] boost::asio::awaitable<std::optional<Response>> refuse_early(
      const Request& request) override;
  [[nodiscard]] Response render_refusal(const Refusal& refusal) override;

 private:
  // What handles a route: a method here; a dialect's plan for answers, or for vectors; or a
  // function from the request's JSON to the reply's, which runs on a worker.
  using Call = boost::asio::awaitable<void> (Routes::*)(Exchange&);
  using Compute = Result<std::string> (*)(std::string_view body, const Answerer& answerer);
  struct Route {
    ApiOperation api;  // HEAD is answered wherever GET is; a path that ends in '/' stands for all
                       // below it
    std::variant<Call, PlanAnswer, PlanEmbedding, Compute> handler;
    Access access = Access::kInference;
  };
  static const Route kRoutes[];

  struct Match {
    const Route* route = nullptr;
    std::string allowed_methods;  // of the path; empty: there is nothing
    bool is_file = false;
  };
  [[nodiscard]] Match match(const Request& request) const;
  boost::asio::awaitable<void> answer(const Match& match, Exchange& exchange,
                                      GuardedStream& stream);
  boost::asio::awaitable<void> call_route(const Route& route, Exchange& exchange,
                                          GuardedStream& stream);
  boost::asio::awaitable<void> say_revoked(Exchange& exchange, GuardedStream& stream);
  boost::asio::awaitable<void> run(const Route& route, Exchange& exchange);
  boost::asio::awaitable<void> run_with_model(const Route& route, Exchange& exchange);
  boost::asio::awaitable<void> compute(Compute compute, Exchange& exchange);

  boost::asio::awaitable<void> health(Exchange& exchange);
  boost::asio::awaitable<void> metrics(Exchange& exchange);
  boost::asio::awaitable<void> openapi(Exchange& exchange);
  boost::asio::awaitable<void> models(Exchange& exchange);
  boost::asio::awaitable<void> model(Exchange& exchange);
  boost::asio::awaitable<void> load_model(Exchange& exchange);
  boost::asio::awaitable<void> unload_model(Exchange& exchange);
  // The name in a body, on a worker.
  boost::asio::awaitable<Result<std::string>> model_name(Exchange& exchange);
  boost::asio::awaitable<void> send_model(Exchange& exchange, std::string_view name);

  MetricsRegistry& registry_;
  RoutesOptions options_;
  ApiMetrics metrics_;
  RequestObservers observers_;
  Gate gate_;
  std::atomic<bool> is_ready_{false};
  std::atomic<bool> stopping_{false};
  boost::asio::thread_pool workers_;
  Answering answering_;
  Embedding embedding_;
};

}  // namespace jarip
