// Errors as clients read them, and the one table from error codes to HTTP statuses. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "app/accounts.h"
#include "base/result.h"
#include "net/http_message.h"

namespace jarip {

struct ErrorRow {
  ErrorCode code;
  std::string_view where;  // the row is only for errors of this field; empty: for all
  int status;
  std::string_view type;
  std::string_view name;  // "code" in the body
};

[[nodiscard]] const ErrorRow& error_row(const Error& error);

enum class ErrorShape : std::uint8_t {
  kOpenAi,     // {"error":{"message":…,"type":…,"param":…,"code":…}}
  kAnthropic,  // {"type":"error","error":{"type":…,"message":…},"request_id":…}
};

[[nodiscard]] std::string error_json(const Error& error);
[[nodiscard]] std::string anthropic_error_json(const Error& error, std::string_view request_id);

// The whole answer: status, body, and Retry-After where trying again makes sense.
[[nodiscard]] Response render_error(const Error& error, ErrorShape shape = ErrorShape::kOpenAi,
                                    std::string_view request_id = {});

// What net turns away by itself keeps the status that net chose.
[[nodiscard]] Response render_http_refusal(const Refusal& refusal);

// What a key, or the lack of one, kept out; says when to come back.
[[nodiscard]] Response render_rejection(const Rejection& rejection, ErrorShape shape,
                                        std::string_view request_id);
// What is left of a key's rates, under the names that OpenAI's clients read.
void add_rate_headers(Response& response, const KeyRates& rates);

// Of a body that isn't sent as JSON.
inline constexpr std::string_view kContentType = "content-type";
// Each the `where` of errors that are no field's: a request that found the queue full (kUnavailable
// is 503 otherwise), and keys that have used up a rate or all that they may. No field has such a
// name.
inline constexpr std::string_view kQueue = "queue";
inline constexpr std::string_view kRequestRate = "requests a minute";
inline constexpr std::string_view kTokenRate = "tokens a minute";
inline constexpr std::string_view kQuota = "all tokens";

}  // namespace jarip
