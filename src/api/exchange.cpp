#include "api/exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

namespace jarip {
namespace {

constexpr std::size_t kMaxIdBytes = 128;
// What scripts of an allowed page of elsewhere may read of an answer.
constexpr std::string_view kExposedHeaders =
    "x-request-id, request-id, x-jarip-seed, retry-after, retry-after-ms, "
    "x-ratelimit-limit-requests, "
    "x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-ratelimit-limit-tokens, "
    "x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens";

bool is_id_byte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '_' || c == '.' || c == ':';
}

}  // namespace

std::string random_id(std::string_view prefix) {
  thread_local std::random_device device;  // the system's; there is no state to guess from
  return fmt::format("{}{:08x}{:08x}{:08x}{:08x}", prefix, device(), device(), device(), device());
}

std::string request_id_of(const Request& request) {
  const std::string* given = request.find_header("x-request-id");
  if (given != nullptr && !given->empty() && given->size() <= kMaxIdBytes &&
      std::ranges::all_of(*given, is_id_byte)) {
    return *given;
  }
  return random_id("req_");
}

void add_common_headers(Response& response, std::string_view request_id) {
  response.headers.push_back({"x-request-id", std::string(request_id)});
  response.headers.push_back({"x-content-type-options", "nosniff"});
}

void complete_response(Response& response, const Request& request, RequestRecord& record,
                       ErrorShape shape) {
  add_common_headers(response, record.id());
  if (shape == ErrorShape::kAnthropic) response.headers.push_back({"request-id", record.id()});
  add_rate_headers(response, record.rates());
  if (!request.allowed_origin.empty()) {
    response.headers.push_back({"access-control-allow-origin", request.allowed_origin});
    response.headers.push_back({"access-control-expose-headers", std::string(kExposedHeaders)});
    response.headers.push_back({"vary", "origin"});
  }
  record.set_status(response.status);
}

Exchange::Exchange(const Request& request, ResponseStream& stream,
                   std::shared_ptr<RequestRecord> record)
    : request_(request), stream_(stream), record_(std::move(record)) {}

boost::asio::awaitable<void> Exchange::send(Response response) {
  complete_response(response, request_, *record_, error_shape_);
  static_cast<void>(co_await stream_.send(std::move(response)));
}

boost::asio::awaitable<void> Exchange::send_json(std::string body) {
  return send({200, {{"content-type", "application/json"}}, std::move(body)});
}

boost::asio::awaitable<void> Exchange::send_error(const Error& error) {
  return send(render_error(error, error_shape_, record_->id()));
}

boost::asio::awaitable<bool> Exchange::begin(Response head) {
  complete_response(head, request_, *record_, error_shape_);
  return stream_.begin(std::move(head));
}

}  // namespace jarip
