#include "api/error_reply.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "api/json_body.h"
#include "app/model_outline.h"

namespace jarip {
namespace {

constexpr std::string_view kBadRequest = "invalid_request_error";
constexpr std::string_view kServerError = "server_error";
constexpr std::uint32_t kRetryAfterSeconds = 1;  // where nobody knows better
constexpr std::string_view kNoFields[] = {kQueue, kRequestRate, kTokenRate, kQuota};

// Rows for one field come before the general row of their code.
constexpr ErrorRow kRows[] = {
    {ErrorCode::kInvalidArgument, "", 400, kBadRequest, "invalid_value"},
    {ErrorCode::kUnsupported, kContentType, 415, kBadRequest, "unsupported_media_type"},
    {ErrorCode::kUnsupported, "", 400, kBadRequest, "unsupported_value"},
    {ErrorCode::kUnauthorized, "", 401, kBadRequest, "invalid_api_key"},
    {ErrorCode::kForbidden, "", 403, kBadRequest, "insufficient_permissions"},
    {ErrorCode::kLimitReached, kRequestRate, 429, "requests", "rate_limit_exceeded"},
    {ErrorCode::kLimitReached, kTokenRate, 429, "tokens", "rate_limit_exceeded"},
    {ErrorCode::kLimitReached, "", 429, "insufficient_quota", "insufficient_quota"},
    {ErrorCode::kNotFound, "model", 404, kBadRequest, "model_not_found"},
    {ErrorCode::kNotFound, "", 404, kBadRequest, "not_found"},
    {ErrorCode::kMethodNotAllowed, "", 405, kBadRequest, "method_not_allowed"},
    {ErrorCode::kTooLarge, kMemory, 400, kBadRequest, "model_too_large"},
    {ErrorCode::kTooLarge, "", 413, kBadRequest, "request_too_large"},
    {ErrorCode::kContextOverflow, "", 400, kBadRequest, "context_length_exceeded"},
    {ErrorCode::kCorrupt, "", 500, kServerError, "corrupt"},
    {ErrorCode::kIo, "", 500, kServerError, "io_error"},
    {ErrorCode::kUnavailable, kQueue, 429, "rate_limit_error", "queue_full"},
    {ErrorCode::kUnavailable, "", 503, kServerError, "unavailable"},
    {ErrorCode::kTimeout, "max_queue_ms", 503, kServerError, "queue_timeout"},
    {ErrorCode::kTimeout, "timeout", 504, kServerError, "deadline_exceeded"},
    {ErrorCode::kTimeout, "", 408, kBadRequest, "timeout"},
    {ErrorCode::kCancelled, "", 503, kServerError, "cancelled"},
    {ErrorCode::kInternal, "", 500, kServerError, "internal_error"},
};

// What net refuses is malformed, unless its status says otherwise.
struct RefusalRow {
  int status;
  std::string_view type;
  std::string_view name;
};

constexpr RefusalRow kRefusals[] = {
    {403, kBadRequest, "forbidden"},         {408, kBadRequest, "timeout"},
    {413, kBadRequest, "request_too_large"}, {500, kServerError, "internal_error"},
    {503, kServerError, "unavailable"},
};

// Anthropic's types follow from the status alone.
std::string_view anthropic_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
      return "overloaded_error";
    case 504:
      return "timeout_error";
    default:
      return status < 500 ? "invalid_request_error" : "api_error";
  }
}

std::string body_of(std::string_view message, std::string_view type, std::string_view param,
                    std::string_view name) {
  // Parts of the message may come from the request, in any bytes.
  std::string out = R"({"error":{"message":)";
  out += json_string_of_bytes(message);
  out += R"(,"type":")";
  out += type;
  out += R"(","param":)";
  out += param.empty() ? "null" : json_string_of_bytes(param);
  out += R"(,"code":")";
  out += name;
  out += R"("}})";
  return out;
}

Response response_of(int status, std::string body,
                     std::uint32_t retry_after_s = kRetryAfterSeconds) {
  Response response{status, {{"content-type", "application/json"}}, std::move(body)};
  if (status == 429 || status == 503) {
    response.headers.push_back({"retry-after", std::to_string(retry_after_s)});
  }
  return response;
}

std::string_view where_of(RejectReason reason) {
  switch (reason) {
    case RejectReason::kRequestRate:
      return kRequestRate;
    case RejectReason::kTokenRate:
      return kTokenRate;
    case RejectReason::kTokenLimit:
      return kQuota;
    default:
      return {};
  }
}

// "6ms", "1.5s", "2m30s": how OpenAI writes a time.
std::string duration_text(double seconds) {
  if (seconds < 1) return fmt::format("{:.0f}ms", std::ceil(seconds * 1000));
  if (seconds < 60) return fmt::format("{:.3g}s", seconds);
  const auto whole = static_cast<std::int64_t>(std::ceil(seconds));
  return fmt::format("{}m{}s", whole / 60, whole % 60);
}

void add_rate(Response& response, std::string_view what, const std::optional<Allowance>& rate) {
  if (!rate) return;
  const auto add = [&](std::string_view name, std::string value) {
    response.headers.push_back({fmt::format("x-ratelimit-{}-{}", name, what), std::move(value)});
  };
  add("limit", std::to_string(rate->limit));
  add("remaining", std::to_string(rate->left));
  add("reset", duration_text(rate->full_in_s));
}

}  // namespace

const ErrorRow& error_row(const Error& error) {
  for (const ErrorRow& row : kRows) {
    if (row.code == error.code && (row.where.empty() || row.where == error.where)) return row;
  }
  return kRows[std::size(kRows) - 1];
}

std::string error_json(const Error& error) {
  const ErrorRow& row = error_row(error);
  const bool is_field = std::ranges::find(kNoFields, error.where) == std::end(kNoFields);
  const std::string_view param = is_field ? std::string_view(error.where) : std::string_view();
  return body_of(error.message, row.type, param, row.name);
}

std::string anthropic_error_json(const Error& error, std::string_view request_id) {
  return fmt::format(R"({{"type":"error","error":{{"type":"{}","message":{}}},"request_id":{}}})",
                     anthropic_type(error_row(error).status), json_string_of_bytes(error.message),
                     request_id.empty() ? "null" : json_string_of_bytes(request_id));
}

Response render_error(const Error& error, ErrorShape shape, std::string_view request_id) {
  return response_of(
      error_row(error).status,
      shape == ErrorShape::kAnthropic ? anthropic_error_json(error, request_id) : error_json(error),
      error.retry_after_s == 0 ? kRetryAfterSeconds : error.retry_after_s);
}

void add_rate_headers(Response& response, const KeyRates& rates) {
  add_rate(response, "requests", rates.requests);
  add_rate(response, "tokens", rates.tokens);
}

Response render_rejection(const Rejection& rejection, ErrorShape shape,
                          std::string_view request_id) {
  Error error = rejection.error;
  error.where = where_of(rejection.reason);
  Response response = render_error(error, shape, request_id);
  if (response.status == 401) response.headers.push_back({"www-authenticate", "Bearer"});
  if (response.status == 429) {
    // A total doesn't come back, and the general advice isn't true for a rate.
    std::erase_if(response.headers, [](const HttpField& f) { return f.name == "retry-after"; });
  }
  if (rejection.retry_after_s) {
    const double seconds = *rejection.retry_after_s;
    response.headers.push_back({"retry-after", fmt::format("{:.0f}", std::ceil(seconds))});
    response.headers.push_back({"retry-after-ms", fmt::format("{:.0f}", std::ceil(seconds * 1e3))});
  }
  add_rate_headers(response, rejection.rates);
  return response;
}

Response render_http_refusal(const Refusal& refusal) {
  for (const RefusalRow& row : kRefusals) {
    if (row.status != refusal.status) continue;
    return response_of(refusal.status, body_of(refusal.message, row.type, {}, row.name));
  }
  return response_of(refusal.status,
                     body_of(refusal.message, kBadRequest, {}, "malformed_request"));
}

}  // namespace jarip
