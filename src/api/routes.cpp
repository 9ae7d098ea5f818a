#include "api/routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "api/error_reply.h"
#include "api/static_files.h"

namespace jarip {
namespace {

namespace asio = boost::asio;

// Two, so that one huge prompt doesn't hold up the small ones behind it.
constexpr std::size_t kWorkers = 2;
constexpr std::string_view kModelsFolder = "/v1/models/";
constexpr std::size_t kMaxShownPath = 100;

bool path_matches(std::string_view route, std::string_view path) {
  return route.ends_with('/') ? path.size() > route.size() && path.starts_with(route)
                              : path == route;
}

// "application/json", with or without parameters, in any case.
bool is_json(const Request& request) {
  const std::string* type = request.find_header("content-type");
  if (type == nullptr) return false;
  std::string essence = type->substr(0, type->find(';'));
  essence.erase(essence.find_last_not_of(" \t") + 1);
  std::ranges::transform(essence, essence.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  });
  return essence == "application/json";
}

void add_method(std::string& list, std::string_view method) {
  if (!list.empty()) list += ", ";
  list += method;
  if (method == "GET") list += ", HEAD";
}

}  // namespace

const Routes::Route Routes::kRoutes[] = {
    {"GET", "/health", &Routes::health},
    {"GET", "/metrics", &Routes::metrics},
    {"GET", "/v1/models", &Routes::models},
    {"GET", kModelsFolder, &Routes::model},
    {"POST", "/v1/chat/completions", &Routes::chat_completions},
    {"POST", "/v1/completions", &Routes::completions},
};

Routes::Routes(MetricsRegistry& registry, const RoutesOptions& options)
    : registry_(registry),
      options_(options),
      metrics_(registry),
      workers_(kWorkers),
      openai_(workers_, metrics_, options.ping_interval) {}

Routes::~Routes() { workers_.join(); }

Response Routes::render_refusal(const Refusal& refusal) {
  Response response = render_http_refusal(refusal);
  add_common_headers(response, random_id("req_"));
  metrics_.count_response(response.status);
  return response;
}

asio::awaitable<void> Routes::handle(const Request& request, ResponseStream& stream) {
  Exchange exchange(request, stream, metrics_);
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  std::string allowed_methods;
  for (const Route& route : kRoutes) {
    if (!path_matches(route.path, request.path)) continue;
    if (route.method == method) {
      co_await (this->*route.call)(exchange);
      co_return;
    }
    add_method(allowed_methods, route.method);
  }
  const auto file = serve_file(options_.web_files, request);
  if (file && method == "GET") {
    co_await exchange.send(*file);
    co_return;
  }
  if (file) add_method(allowed_methods, "GET");
  if (method == "OPTIONS") {
    co_await preflight(exchange, std::move(allowed_methods));
  } else {
    co_await no_route(exchange, std::move(allowed_methods));
  }
}

asio::awaitable<void> Routes::no_route(Exchange& exchange, std::string allowed_methods) {
  const std::string path = exchange.request().path.substr(0, kMaxShownPath);
  if (allowed_methods.empty()) {
    co_await exchange.send_error(
        {ErrorCode::kNotFound, fmt::format("there is nothing at {}", path), {}});
    co_return;
  }
  Response response = render_error(
      {ErrorCode::kMethodNotAllowed,
       fmt::format("{} takes {} and not {}", path, allowed_methods, exchange.request().method),
       {}});
  response.headers.push_back({"allow", std::move(allowed_methods)});
  co_await exchange.send(std::move(response));
}

// What a browser asks before a page of elsewhere may send a request. The origin was checked before
// this; the answer to one that isn't allowed has no CORS headers.
asio::awaitable<void> Routes::preflight(Exchange& exchange, std::string allowed_methods) {
  Response response{204, {{"allow", allowed_methods}}, {}};
  if (!exchange.request().allowed_origin.empty()) {
    response.headers.push_back({"access-control-allow-methods", std::move(allowed_methods)});
    response.headers.push_back(
        {"access-control-allow-headers", "authorization, content-type, x-request-id"});
    response.headers.push_back({"access-control-max-age", "600"});
  }
  co_await exchange.send(std::move(response));
}

Error Routes::not_ready() const {
  if (stopping_) return {ErrorCode::kUnavailable, "the server is stopping", {}};
  return {ErrorCode::kUnavailable,
          fmt::format("the model is loading ({:.0f}% done); try again soon",
                      static_cast<double>(loading_progress_.load()) * 100.0),
          {}};
}

asio::awaitable<void> Routes::health(Exchange& exchange) {
  if (!stopping_ && answerer_.load() != nullptr) {
    co_await exchange.send_json(R"({"status":"ok"})");
    co_return;
  }
  Response response{503, {{"content-type", "application/json"}, {"retry-after", "1"}}, {}};
  response.body = stopping_ ? R"({"status":"stopping"})"
                            : fmt::format(R"({{"status":"loading","progress":{:.3f}}})",
                                          loading_progress_.load());
  co_await exchange.send(std::move(response));
}

asio::awaitable<void> Routes::metrics(Exchange& exchange) {
  if (const Answerer* answerer = answerer_.load()) metrics_.follow(answerer->stats());
  co_await exchange.send(
      {200, {{"content-type", "text/plain; version=0.0.4; charset=utf-8"}}, registry_.render()});
}

asio::awaitable<void> Routes::models(Exchange& exchange) {
  if (const Answerer* answerer = answerer_.load()) {
    co_await openai_.list_models(exchange, *answerer);
  } else {
    co_await exchange.send_error(not_ready());
  }
}

asio::awaitable<void> Routes::model(Exchange& exchange) {
  if (const Answerer* answerer = answerer_.load()) {
    co_await openai_.show_model(
        exchange, *answerer,
        std::string_view(exchange.request().path).substr(kModelsFolder.size()));
  } else {
    co_await exchange.send_error(not_ready());
  }
}

asio::awaitable<void> Routes::chat_completions(Exchange& exchange) {
  return complete(OpenAiEndpoint::kChat, exchange);
}

asio::awaitable<void> Routes::completions(Exchange& exchange) {
  return complete(OpenAiEndpoint::kCompletions, exchange);
}

asio::awaitable<void> Routes::complete(OpenAiEndpoint endpoint, Exchange& exchange) {
  if (!is_json(exchange.request())) {
    Response response = render_error({ErrorCode::kInvalidArgument,
                                      "the body must be sent as content-type: application/json",
                                      {}});
    response.status = 415;
    co_await exchange.send(std::move(response));
    co_return;
  }
  Answerer* const answerer = answerer_.load();
  if (answerer == nullptr) {
    co_await exchange.send_error(not_ready());
    co_return;
  }
  co_await openai_.complete(endpoint, exchange, *answerer);
}

}  // namespace jarip
