#include "api/error_reply.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>

namespace jarip {
namespace {

namespace json = boost::json;

bool has_retry_after(const Response& response) {
  for (const HttpField& field : response.headers) {
    if (field.name == "retry-after") return true;
  }
  return false;
}

TEST(ErrorReply, EveryCodeHasAStatusATypeAndAName) {
  struct Row {
    ErrorCode code;
    const char* where;
    int status;
    const char* type;
    const char* name;
  };
  const Row table[] = {
      {ErrorCode::kInvalidArgument, "x", 400, "invalid_request_error", "invalid_value"},
      {ErrorCode::kUnsupported, "x", 400, "invalid_request_error", "unsupported_value"},
      {ErrorCode::kUnauthorized, "", 401, "invalid_request_error", "invalid_api_key"},
      {ErrorCode::kForbidden, "", 403, "invalid_request_error", "insufficient_permissions"},
      {ErrorCode::kNotFound, "model", 404, "invalid_request_error", "model_not_found"},
      {ErrorCode::kNotFound, "", 404, "invalid_request_error", "not_found"},
      {ErrorCode::kMethodNotAllowed, "", 405, "invalid_request_error", "method_not_allowed"},
      {ErrorCode::kTooLarge, "", 413, "invalid_request_error", "request_too_large"},
      {ErrorCode::kContextOverflow, "x", 400, "invalid_request_error", "context_length_exceeded"},
      {ErrorCode::kCorrupt, "", 500, "server_error", "corrupt"},
      {ErrorCode::kIo, "", 500, "server_error", "io_error"},
      {ErrorCode::kUnavailable, "", 503, "server_error", "unavailable"},
      {ErrorCode::kTimeout, "", 408, "invalid_request_error", "timeout"},
      {ErrorCode::kTimeout, "max_queue_ms", 503, "server_error", "queue_timeout"},
      {ErrorCode::kTimeout, "timeout", 504, "server_error", "deadline_exceeded"},
      {ErrorCode::kCancelled, "", 503, "server_error", "cancelled"},
      {ErrorCode::kInternal, "", 500, "server_error", "internal_error"},
  };
  for (const Row& row : table) {
    const Response response = render_error({row.code, "why", row.where});
    EXPECT_EQ(response.status, row.status) << row.name;
    const json::value error = json::parse(response.body).at("error");
    EXPECT_EQ(error.at("message"), "why");
    EXPECT_EQ(error.at("type"), row.type) << row.name;
    EXPECT_EQ(error.at("code"), row.name);
    EXPECT_EQ(error.at("param").is_null(), std::string_view(row.where).empty());
    EXPECT_EQ(has_retry_after(response), row.status == 503) << row.name;
  }
}

TEST(ErrorReply, AnthropicsShapeFollowsTheStatus) {
  struct Row {
    ErrorCode code;
    const char* where;
    const char* type;
  };
  const Row table[] = {
      {ErrorCode::kInvalidArgument, "x", "invalid_request_error"},
      {ErrorCode::kUnauthorized, "", "authentication_error"},
      {ErrorCode::kForbidden, "", "permission_error"},
      {ErrorCode::kLimitReached, "", "rate_limit_error"},
      {ErrorCode::kNotFound, "model", "not_found_error"},
      {ErrorCode::kTooLarge, "", "request_too_large"},
      {ErrorCode::kUnavailable, "queue", "rate_limit_error"},
      {ErrorCode::kUnavailable, "", "overloaded_error"},
      {ErrorCode::kInternal, "", "api_error"},
  };
  for (const Row& row : table) {
    const Response response =
        render_error({row.code, "why\xFF", row.where}, ErrorShape::kAnthropic, "req_1");
    EXPECT_EQ(response.status, error_row({row.code, "", row.where}).status);
    EXPECT_EQ(json::parse(response.body),
              json::parse(R"({"type":"error","error":{"type":")" + std::string(row.type) +
                          R"(","message":"why\ufffd"},"request_id":"req_1"})"));
  }
}

TEST(ErrorReply, AFullQueueAsksToComeBackAndNamesNoField) {
  const Response response = render_error({ErrorCode::kUnavailable, "full", std::string(kQueue)});
  EXPECT_EQ(response.status, 429);
  EXPECT_TRUE(has_retry_after(response));
  EXPECT_TRUE(json::parse(response.body).at("error").at("param").is_null());
}

TEST(ErrorReply, SaysWhenToComeBackIfThatIsKnown) {
  const Response response =
      render_error({ErrorCode::kUnavailable, "full", std::string(kQueue), 17});
  EXPECT_EQ(response.headers.back().name, "retry-after");
  EXPECT_EQ(response.headers.back().value, "17");
}

TEST(ErrorReply, ARejectionSaysWhenToComeBackIfThatHelps) {
  const auto header = [](const Response& response, std::string_view name) -> std::string {
    std::string found;
    for (const HttpField& field : response.headers) {
      if (field.name == name) found += field.value;
    }
    return found;
  };
  Rejection rejection{.reason = RejectReason::kTokenRate,
                      .error = {ErrorCode::kLimitReached, "slower", {}},
                      .rates = {.requests = {}, .tokens = Allowance{100, 0, 90.5}},
                      .retry_after_s = 1.25};
  const Response rate = render_rejection(rejection, ErrorShape::kOpenAi, "req_1");
  EXPECT_EQ(rate.status, 429);
  EXPECT_EQ(header(rate, "retry-after"), "2");
  EXPECT_EQ(header(rate, "retry-after-ms"), "1250");
  EXPECT_EQ(header(rate, "x-ratelimit-limit-tokens"), "100");
  EXPECT_EQ(header(rate, "x-ratelimit-remaining-tokens"), "0");
  EXPECT_EQ(header(rate, "x-ratelimit-reset-tokens"), "1m31s");
  EXPECT_EQ(header(rate, "x-ratelimit-limit-requests"), "");
  const json::value error = json::parse(rate.body).at("error");
  EXPECT_EQ(error.at("type"), "tokens");
  EXPECT_EQ(error.at("code"), "rate_limit_exceeded");
  EXPECT_TRUE(error.at("param").is_null());

  rejection.reason = RejectReason::kTokenLimit;
  rejection.retry_after_s = {};
  const Response all = render_rejection(rejection, ErrorShape::kAnthropic, "req_1");
  EXPECT_EQ(all.status, 429);
  EXPECT_EQ(header(all, "retry-after"), "") << "what is used up doesn't come back";
  EXPECT_EQ(json::parse(all.body).at("error").at("type"), "rate_limit_error");

  const Response unknown = render_rejection(
      {.reason = RejectReason::kUnknown, .error = {ErrorCode::kUnauthorized, "who?", {}}},
      ErrorShape::kOpenAi, "req_1");
  EXPECT_EQ(header(unknown, "www-authenticate"), "Bearer");
}

TEST(ErrorReply, AnyBytesInAMessageStayJson) {
  const std::string bytes("\xFF\0\"\\\n\xED\x95", 7);
  const json::value error =
      json::parse(error_json({ErrorCode::kInvalidArgument, bytes, bytes})).at("error");
  EXPECT_EQ(error.at("message").as_string(), std::string("\xEF\xBF\xBD\0\"\\\n\xEF\xBF\xBD", 10));
  EXPECT_EQ(error.at("param"), error.at("message"));
}

TEST(ErrorReply, OnlyTheServersOwnRefusalsAreItsErrors) {
  for (const int status : {400, 403, 408, 413, 414, 417, 431, 501, 505}) {
    const json::value body = json::parse(render_http_refusal({status, "why"}).body);
    EXPECT_EQ(body.at("error").at("type"), "invalid_request_error") << status;
  }
  for (const int status : {500, 503}) {
    const Response response = render_http_refusal({status, "why"});
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(json::parse(response.body).at("error").at("type"), "server_error") << status;
  }
}

}  // namespace
}  // namespace jarip
