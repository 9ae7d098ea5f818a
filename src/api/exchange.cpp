#include "api/exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

namespace jarip {
namespace {

constexpr std::size_t kMaxIdBytes = 128;

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

Exchange::Exchange(const Request& request, ResponseStream& stream, ApiMetrics& metrics)
    : request_(request), stream_(stream), metrics_(metrics), id_(request_id_of(request)) {}

void Exchange::complete(Response& response) {
  add_common_headers(response, id_);
  if (error_shape_ == ErrorShape::kAnthropic) response.headers.push_back({"request-id", id_});
  if (!request_.allowed_origin.empty()) {
    response.headers.push_back({"access-control-allow-origin", request_.allowed_origin});
    response.headers.push_back(
        {"access-control-expose-headers", "x-request-id, x-jarip-seed, retry-after"});
    response.headers.push_back({"vary", "origin"});
  }
  metrics_.count_response(response.status);
}

boost::asio::awaitable<void> Exchange::send(Response response) {
  complete(response);
  static_cast<void>(co_await stream_.send(std::move(response)));
}

boost::asio::awaitable<void> Exchange::send_json(std::string body) {
  return send({200, {{"content-type", "application/json"}}, std::move(body)});
}

boost::asio::awaitable<void> Exchange::send_error(const Error& error) {
  return send(render_error(error, error_shape_, id_));
}

boost::asio::awaitable<bool> Exchange::begin(Response head) {
  complete(head);
  return stream_.begin(std::move(head));
}

}  // namespace jarip
