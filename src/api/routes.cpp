#include "api/routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/anthropic.h"
#include "api/embeddings.h"
#include "api/error_reply.h"
#include "api/infill.h"
#include "api/model_wait.h"
#include "api/models.h"
#include "api/openai.h"
#include "api/responses.h"
#include "api/static_files.h"
#include "api/token_tools.h"
#include "net/sse.h"

namespace jarip {
namespace {

namespace asio = boost::asio;

// Two, so that one huge prompt doesn't hold up the small ones behind it.
constexpr std::size_t kWorkers = 2;
constexpr std::string_view kModelsFolder = "/v1/models/";
constexpr std::size_t kMaxShownPath = 100;
constexpr std::size_t kMaxShownHeaders = 1024;
constexpr std::size_t kMaxUnaskedDigits = 4;  // of a body's length: 9999 bytes
constexpr std::string_view kFirstAnthropicVersion = "2023-06-01";

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

Result<void> check_json(const Request& request) {
  if (is_json(request)) return {};
  return fail(ErrorCode::kUnsupported, "the body must be sent as content-type: application/json",
              std::string(kContentType));
}

// Anthropic's versions are dates. Before this one its events had another form.
Result<void> check_version(const ApiOperation& api, const Request& request) {
  const std::string* version = request.find_header("anthropic-version");
  if (api.error_shape != ErrorShape::kAnthropic || version == nullptr) return {};
  const bool is_date = version->size() == kFirstAnthropicVersion.size() &&
                       version->find_first_not_of("0123456789-") == std::string::npos;
  if (is_date && *version >= kFirstAnthropicVersion) return {};
  return fail(ErrorCode::kUnsupported,
              fmt::format("anthropic-version must be {} or a later date", kFirstAnthropicVersion),
              "anthropic-version");
}

void add_method(std::string& list, std::string_view method) {
  if (!list.empty()) list += ", ";
  list += method;
  if (method == "GET") list += ", HEAD";
}

// A list of header names as HTTP writes them; anything else is not repeated to anybody.
bool is_header_list(std::string_view text) {
  return text.size() <= kMaxShownHeaders && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  std::string_view("-_, ").contains(c);
         });
}

// What a browser asks before a page of elsewhere may send a request. The origin was checked before
// this; the answer to one that isn't allowed has no CORS headers.
Response preflight(const Request& request, std::string allowed_methods) {
  Response response{204, {{"allow", allowed_methods}}, {}};
  if (request.allowed_origin.empty()) return response;
  // Every client library brings headers of its own, and none of ours changes what is allowed.
  const std::string* wanted = request.find_header("access-control-request-headers");
  response.headers.push_back({"access-control-allow-methods", std::move(allowed_methods)});
  response.headers.push_back({"access-control-allow-headers",
                              wanted != nullptr && is_header_list(*wanted)
                                  ? *wanted
                                  : "authorization, content-type, x-api-key, anthropic-version, "
                                    "anthropic-beta, x-request-id"});
  response.headers.push_back({"access-control-max-age", "600"});
  return response;
}

Response no_route(const Request& request, std::string allowed_methods) {
  const std::string path = request.path.substr(0, kMaxShownPath);
  if (allowed_methods.empty()) {
    return render_error({ErrorCode::kNotFound, fmt::format("there is nothing at {}", path), {}});
  }
  Response response =
      render_error({ErrorCode::kMethodNotAllowed,
                    fmt::format("{} takes {} and not {}", path, allowed_methods, request.method),
                    {}});
  response.headers.push_back({"allow", std::move(allowed_methods)});
  return response;
}

// Whether the body that a request announces is longer than anybody may send unasked.
bool has_long_body(const Request& request) {
  const std::string* length = request.find_header("content-length");
  if (length == nullptr) return true;  // chunked
  return length->size() > kMaxUnaskedDigits;
}

const Error kRevoked = {ErrorCode::kUnauthorized, "this key was revoked", {}};

}  // namespace

const Routes::Route Routes::kRoutes[] = {
    {{"GET", "/health", "Whether the server is ready.", "", "Health"},
     &Routes::health,
     Access::kOpen},
    {{"GET", "/metrics", "Counts and times, as Prometheus reads them."},
     &Routes::metrics,
     Access::kAdmin},
    {{"GET", "/openapi.json", "This document.", "", "Document"}, &Routes::openapi, Access::kOpen},
    {{"GET", "/v1/models", "The models there are, and their states.", "", "ModelList"},
     &Routes::models},
    {{"GET", kModelsFolder, "One model.", "", "Model"}, &Routes::model},
    {{"POST", "/models/load", "Load a model before anybody asks for it.", "ModelRequest", "Model"},
     &Routes::load_model,
     Access::kAdmin},
    {{"POST", "/models/unload", "Unload a model that nobody uses.", "ModelRequest", "Model"},
     &Routes::unload_model,
     Access::kAdmin},
    {{"POST", "/v1/chat/completions", "Answer a chat.", "ChatCompletionRequest", "ChatCompletion",
      true},
     &plan_chat},
    {{"POST", "/v1/completions", "Go on with a text.", "CompletionRequest", "TextCompletion", true},
     &plan_completion},
    {{"POST", "/v1/responses", "Answer, in the form of OpenAI's Responses API.", "ResponsesRequest",
      "Response", true},
     &plan_response},
    {{"POST", "/v1/messages", "Answer, in the form of Anthropic's Messages API.",
      "AnthropicMessagesRequest", "AnthropicReply", true, ErrorShape::kAnthropic},
     &plan_messages},
    {{"POST", "/v1/messages/count_tokens", "How many tokens a request for an answer has.",
      "AnthropicCountTokensRequest", "AnthropicTokenCount", false, ErrorShape::kAnthropic},
     &count_tokens_json},
    {{"POST", "/v1/embeddings", "Texts as vectors, by models that embed.", "EmbeddingsRequest",
      "Embeddings"},
     &plan_embeddings},
    {{"POST", "/v1/rerank", "Documents by how well they answer a query, by models that rank.",
      "RerankRequest", "Ranking"},
     &plan_ranking},
    {{"POST", "/infill", "Fill a gap in code, for models that can.", "InfillRequest", "InfillReply",
      true},
     &plan_infill},
    {{"POST", "/tokenize", "Text to tokens.", "TokenizeRequest", "TokenizeReply"}, &tokenize_json},
    {{"POST", "/detokenize", "Tokens to text.", "DetokenizeRequest", "DetokenizeReply"},
     &detokenize_json},
    {{"POST", "/apply-template", "Messages as the text that the model reads.",
      "ApplyTemplateRequest", "ApplyTemplateReply"},
     &apply_template_json},
};

Routes::Routes(MetricsRegistry& registry, const RoutesOptions& options)
    : registry_(registry),
      options_(options),
      metrics_(registry),
      observers_{.metrics = metrics_, .log = options.access_log, .accounts = options.accounts},
      gate_(options.accounts),
      workers_(kWorkers),
      answering_(workers_, options.ping_interval),
      embedding_(workers_) {}

Routes::~Routes() { workers_.join(); }

Response Routes::render_refusal(const Refusal& refusal) {
  Response response = render_http_refusal(refusal);
  RequestRecord record(observers_, random_id("req_"), nullptr);
  add_common_headers(response, record.id());
  record.set_status(response.status);
  return response;
}

Routes::Match Routes::match(const Request& request) const {
  const std::string_view method =
      request.method == "HEAD" ? "GET" : std::string_view(request.method);
  Match match;
  for (const Route& route : kRoutes) {
    if (!path_matches(route.api.path, request.path)) continue;
    if (route.api.method == method) match.route = &route;
    add_method(match.allowed_methods, route.api.method);
  }
  if (match.route == nullptr && has_file(options_.web_files, request)) {
    match.is_file = method == "GET";
    add_method(match.allowed_methods, "GET");
  }
  return match;
}

asio::awaitable<std::optional<Response>> Routes::refuse_early(const Request& request) {
  const Route* const route = match(request).route;
  const std::string id = request_id_of(request);
  const ErrorShape shape = route == nullptr ? ErrorShape::kOpenAi : route->api.error_shape;
  const auto finish = [&](Response response, const std::string& key_prefix) {
    const auto record = std::make_shared<RequestRecord>(observers_, id, &request);
    if (route != nullptr) record->set_route(route->api.path);
    record->set_key_prefix(key_prefix);
    complete_response(response, request, *record, shape);
    return response;
  };
  if (route == nullptr || route->access == Access::kOpen || request.method != "POST") {
    if (!has_long_body(request)) co_return std::nullopt;
    co_return finish(
        render_error({ErrorCode::kTooLarge,
                      fmt::format("{} takes no body", request.path.substr(0, kMaxShownPath)),
                      {}}),
        {});
  }
  const auto admitted = co_await gate_.admit(request, route->access, /*counts=*/false);
  if (admitted) co_return std::nullopt;
  metrics_.count_rejection(admitted.error().reason);
  co_return finish(render_rejection(admitted.error(), shape, id), admitted.error().prefix);
}

asio::awaitable<void> Routes::handle(const Request& request, ResponseStream& stream) {
  const auto record = std::make_shared<RequestRecord>(observers_, request_id_of(request), &request);
  GuardedStream guarded(stream);
  Exchange exchange(request, guarded, record);
  co_await answer(match(request), exchange, guarded);
  record->set_finished();
}

asio::awaitable<void> Routes::answer(const Match& match, Exchange& exchange,
                                     GuardedStream& stream) {
  const Request& request = exchange.request();
  if (match.route != nullptr) {
    co_await call_route(*match.route, exchange, stream);
    co_return;
  }
  const auto file =
      match.is_file ? serve_file(options_.web_files, request) : std::optional<Response>();
  if (file) {
    exchange.record().set_route("page");
    co_await exchange.send(*file);
  } else if (request.method == "OPTIONS") {
    co_await exchange.send(preflight(request, match.allowed_methods));
  } else {
    co_await exchange.send(no_route(request, match.allowed_methods));
  }
}

asio::awaitable<void> Routes::call_route(const Route& route, Exchange& exchange,
                                         GuardedStream& stream) {
  RequestRecord& record = exchange.record();
  record.set_route(route.api.path);
  exchange.set_error_shape(route.api.error_shape);
  const auto admitted =
      co_await gate_.admit(exchange.request(), route.access, exchange.request().method == "POST");
  if (!admitted) {
    metrics_.count_rejection(admitted.error().reason);
    record.set_key_prefix(admitted.error().prefix);
    co_await exchange.send(render_rejection(admitted.error(), route.api.error_shape, record.id()));
    co_return;
  }
  record.set_admission(*admitted);
  const Gate::Visit visit(gate_, co_await asio::this_coro::executor, admitted->key, stream);
  co_await run(route, exchange);
  if (stream.is_cut() && !stream.has_ended()) co_await say_revoked(exchange, stream);
}

// The last word, under the handler that thinks its client gone.
asio::awaitable<void> Routes::say_revoked(Exchange& exchange, GuardedStream& stream) {
  const ErrorShape shape = exchange.error_shape();
  const std::string& id = exchange.record().id();
  ResponseStream& below = stream.below();
  if (!stream.has_begun()) {
    Response response = render_error(kRevoked, shape, id);
    complete_response(response, exchange.request(), exchange.record(), shape);
    static_cast<void>(co_await below.send(std::move(response)));
    co_return;
  }
  std::string last;
  if (shape == ErrorShape::kAnthropic) {
    append_sse_event(last, anthropic_error_json(kRevoked, id), "error");
  } else {
    append_sse_event(last, error_json(kRevoked));
  }
  if (co_await below.write(last)) static_cast<void>(co_await below.finish());
}

asio::awaitable<void> Routes::run(const Route& route, Exchange& exchange) {
  if (const auto* call = std::get_if<Call>(&route.handler)) return (this->**call)(exchange);
  return run_with_model(route, exchange);
}

asio::awaitable<void> Routes::run_with_model(const Route& route, Exchange& exchange) {
  if (const auto readable = check_json(exchange.request()); !readable) {
    co_return co_await exchange.send_error(readable.error());
  }
  if (const auto known = check_version(route.api, exchange.request()); !known) {
    co_return co_await exchange.send_error(known.error());
  }
  if (const auto* plan = std::get_if<PlanAnswer>(&route.handler)) {
    co_return co_await answering_.answer(*plan, exchange, *options_.models);
  }
  if (const auto* plan = std::get_if<PlanEmbedding>(&route.handler)) {
    co_return co_await embedding_.answer(*plan, exchange, *options_.models);
  }
  co_await compute(std::get<Compute>(route.handler), exchange);
}

asio::awaitable<void> Routes::compute(Compute compute, Exchange& exchange) {
  const std::string& body = exchange.request().body;
  auto find = [&]() -> asio::awaitable<Result<ModelCard>> {
    co_return card_for(body, *options_.models);
  };
  const auto card = co_await asio::co_spawn(workers_, find(), asio::use_awaitable);
  if (!card) co_return co_await exchange.send_error(card.error());
  const auto use = co_await wait_for_model(*options_.models, card->name, exchange.stream(), {});
  if (!use) {
    if (use.error().code != ErrorCode::kCancelled) co_await exchange.send_error(use.error());
    co_return;
  }
  auto work = [&]() -> asio::awaitable<Result<std::string>> {
    co_return compute(body, use->answerer());
  };
  auto reply = co_await asio::co_spawn(workers_, work(), asio::use_awaitable);
  if (!reply) co_return co_await exchange.send_error(reply.error());
  co_await exchange.send_json(*std::move(reply));
}

asio::awaitable<void> Routes::health(Exchange& exchange) {
  if (!stopping_ && is_ready_) {
    co_await exchange.send_json(R"({"status":"ok"})");
    co_return;
  }
  Response response{503, {{"content-type", "application/json"}, {"retry-after", "1"}}, {}};
  response.body = R"({"status":"stopping"})";
  if (!stopping_) {
    float progress = 0;
    for (const ModelStatus& model : options_.models->list()) {
      if (model.state == ModelState::kLoading) progress = model.progress;
    }
    response.body = fmt::format(R"({{"status":"loading","progress":{:.3f}}})", progress);
  }
  co_await exchange.send(std::move(response));
}

asio::awaitable<void> Routes::metrics(Exchange& exchange) {
  metrics_.follow(options_.models->stats());
  metrics_.follow_models(options_.models->list(), options_.models->resident_bytes());
  co_await exchange.send(
      {200, {{"content-type", "text/plain; version=0.0.4; charset=utf-8"}}, registry_.render()});
}

asio::awaitable<void> Routes::openapi(Exchange& exchange) {
  static const std::string document = [] {
    std::vector<ApiOperation> operations;
    for (const Route& route : kRoutes) operations.push_back(route.api);
    return openapi_json(operations);
  }();
  co_await exchange.send_json(document);
}

asio::awaitable<void> Routes::models(Exchange& exchange) {
  ModelPool& pool = *options_.models;
  auto list = [&]() -> asio::awaitable<Result<std::string>> {
    if (auto read = pool.refresh(); !read) co_return std::unexpected(std::move(read).error());
    co_return models_json(pool.list(), pool.default_model());
  };
  auto reply = co_await asio::co_spawn(workers_, list(), asio::use_awaitable);
  if (!reply) co_return co_await exchange.send_error(reply.error());
  co_await exchange.send_json(*std::move(reply));
}

asio::awaitable<void> Routes::model(Exchange& exchange) {
  const std::string name = exchange.request().path.substr(kModelsFolder.size());
  auto look = [&]() -> asio::awaitable<Result<void>> {
    if (options_.models->knows(name)) co_return Result<void>();
    co_return options_.models->refresh();
  };
  const auto looked = co_await asio::co_spawn(workers_, look(), asio::use_awaitable);
  if (!looked) co_return co_await exchange.send_error(looked.error());
  co_await send_model(exchange, name);
}

asio::awaitable<void> Routes::send_model(Exchange& exchange, std::string_view name) {
  const auto status = options_.models->status(name);
  if (!status) co_return co_await exchange.send_error(status.error());
  co_await exchange.send_json(model_json(*status, options_.models->default_model()));
}

asio::awaitable<Result<std::string>> Routes::model_name(Exchange& exchange) {
  if (auto readable = check_json(exchange.request()); !readable) {
    co_return std::unexpected(std::move(readable).error());
  }
  auto read = [&]() -> asio::awaitable<Result<std::string>> {
    auto name = read_model_name(exchange.request().body);
    if (!name || options_.models->knows(*name)) co_return name;
    if (auto looked = options_.models->refresh(); !looked) {
      co_return std::unexpected(std::move(looked).error());
    }
    co_return name;
  };
  co_return co_await asio::co_spawn(workers_, read(), asio::use_awaitable);
}

asio::awaitable<void> Routes::load_model(Exchange& exchange) {
  const auto name = co_await model_name(exchange);
  if (!name) co_return co_await exchange.send_error(name.error());
  const auto use = co_await wait_for_model(*options_.models, *name, exchange.stream(), {});
  if (!use) {
    if (use.error().code != ErrorCode::kCancelled) co_await exchange.send_error(use.error());
    co_return;
  }
  co_await send_model(exchange, *name);
}

asio::awaitable<void> Routes::unload_model(Exchange& exchange) {
  const auto name = co_await model_name(exchange);
  if (!name) co_return co_await exchange.send_error(name.error());
  if (const auto done = options_.models->unload(*name); !done) {
    co_return co_await exchange.send_error(done.error());
  }
  co_await send_model(exchange, *name);
}

}  // namespace jarip
