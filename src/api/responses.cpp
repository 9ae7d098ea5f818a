#include "api/responses.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "api/error_reply.h"
#include "api/exchange.h"
#include "api/json_body.h"
#include "api/token_logprobs.h"
#include "net/sse.h"

namespace jarip {
namespace {

std::string usage_json(const TurnEnd& end) {
  return fmt::format(
      R"({{"input_tokens":{},"input_tokens_details":{{"cached_tokens":{},"cache_write_tokens":0}},)"
      R"("output_tokens":{},"output_tokens_details":{{"reasoning_tokens":0}},"total_tokens":{}}})",
      end.n_prompt_tokens, end.n_cached_tokens, end.n_new_tokens,
      std::uint64_t{end.n_prompt_tokens} + end.n_new_tokens);
}

}  // namespace

Result<AnswerPlan> plan_response(std::string_view body, const ModelCard& card) {
  JARIP_TRY(ResponsesRequest request, parse_responses_request(body, card.n_vocab));
  return AnswerPlan{.turn = std::move(request.turn),
                    .is_stream = request.is_stream,
                    .writer = std::make_unique<ResponsesWriter>(
                        ResponseHeader{random_id("resp_"), random_id("msg_"), card.name,
                                       std::time(nullptr), std::move(request.echo)})};
}

std::string_view ResponsesWriter::name_of(Status status) {
  switch (status) {
    case Status::kInProgress:
      return "in_progress";
    case Status::kCompleted:
      return "completed";
    case Status::kIncomplete:
      return "incomplete";
    case Status::kFailed:
      return "failed";
  }
  return {};
}

void ResponsesWriter::append_event(std::string& out, std::string_view type,
                                   std::string_view members) {
  append_sse_event(
      out, fmt::format(R"({{"type":"{}","sequence_number":{},{}}})", type, n_events_++, members),
      type);
}

std::string ResponsesWriter::part_json(std::string_view text, std::string_view logprobs) const {
  return fmt::format(R"({{"type":"output_text","text":{},"annotations":[],"logprobs":{}}})",
                     json_string(text), logprobs);
}

std::string ResponsesWriter::item_json(Status status, std::string_view content) const {
  return fmt::format(
      R"({{"type":"message","id":"{}","status":"{}","role":"assistant","content":[{}]}})",
      header_.item_id, name_of(status), content);
}

// end: null while the answer runs, and of one that failed.
std::string ResponsesWriter::response_json(Status status, std::string_view output,
                                           const TurnEnd* end, const Error* error) const {
  const ResponseEcho& echo = header_.echo;
  const std::string failure = error == nullptr
                                  ? "null"
                                  : fmt::format(R"({{"code":"server_error","message":{}}})",
                                                json_string_of_bytes(error->message));
  return fmt::format(
      R"({{"id":"{}","object":"response","created_at":{},"status":"{}","background":false,)"
      R"("completed_at":{},"error":{},"frequency_penalty":{},"incomplete_details":{},)"
      R"("instructions":{},)"
      R"("max_output_tokens":{},"max_tool_calls":null,"metadata":{},"model":{},"output":[{}],)"
      R"("parallel_tool_calls":{},"presence_penalty":{},"previous_response_id":null,)"
      R"("prompt_cache_key":{},)"
      R"("reasoning":{{"effort":null,"summary":null}},"safety_identifier":{},"seed":{},)"
      R"("service_tier":"default","store":false,"temperature":{},)"
      R"("text":{{"format":{},"verbosity":"medium"}},"tool_choice":"auto",)"
      R"("tools":[],"top_logprobs":{},"top_p":{},"truncation":"disabled","usage":{},"user":{}}})",
      header_.id, header_.created, name_of(status),
      status == Status::kCompleted ? fmt::format("{}", std::time(nullptr)) : "null", failure,
      echo.frequency_penalty,
      status == Status::kIncomplete ? R"({"reason":"max_output_tokens"})" : "null",
      echo.instructions,
      echo.max_output_tokens ? fmt::format("{}", *echo.max_output_tokens) : "null", echo.metadata,
      json_string(header_.model), output, echo.parallel_tool_calls, echo.presence_penalty,
      echo.prompt_cache_key, echo.safety_identifier, static_cast<std::int64_t>(seed_),
      echo.temperature, echo.format, echo.top_logprobs, echo.top_p,
      end == nullptr ? "null" : usage_json(*end), echo.user);
}

void ResponsesWriter::append_begin(std::string& out) {
  const std::string response =
      fmt::format(R"("response":{})", response_json(Status::kInProgress, {}, nullptr, nullptr));
  append_event(out, "response.created", response);
  append_event(out, "response.in_progress", response);
}

void ResponsesWriter::append_item_begin(std::string& out) {
  if (std::exchange(has_item_, true)) return;
  append_event(out, "response.output_item.added",
               fmt::format(R"("output_index":0,"item":{})", item_json(Status::kInProgress, {})));
  append_event(out, "response.content_part.added",
               fmt::format(R"("item_id":"{}","output_index":0,"content_index":0,"part":{})",
                           header_.item_id, part_json({}, "[]")));
}

void ResponsesWriter::append_delta(std::string& out, std::uint32_t /*choice*/,
                                   const TextDelta& delta) {
  append_item_begin(out);
  unsent_.insert(unsent_.end(), delta.details.begin(), delta.details.end());
  details_.insert(details_.end(), delta.details.begin(), delta.details.end());
  if (delta.text.empty()) return;
  text_ += delta.text;
  append_event(
      out, "response.output_text.delta",
      fmt::format(R"("item_id":"{}","output_index":0,"content_index":0,"delta":{},"logprobs":{})",
                  header_.item_id, json_string(delta.text), token_logprobs_json(unsent_)));
  unsent_.clear();
}

void ResponsesWriter::append_end(std::string& out, std::uint32_t /*choice*/, const TurnEnd& end) {
  append_item_begin(out);
  const Status status =
      end.finish == TurnFinish::kLength ? Status::kIncomplete : Status::kCompleted;
  const std::string logprobs = token_logprobs_json(details_);
  const std::string part = part_json(text_, logprobs);
  const std::string item = item_json(status, part);
  const std::string where =
      fmt::format(R"("item_id":"{}","output_index":0,"content_index":0)", header_.item_id);
  append_event(out, "response.output_text.done",
               fmt::format(R"({},"text":{},"logprobs":{})", where, json_string(text_), logprobs));
  append_event(out, "response.content_part.done", fmt::format(R"({},"part":{})", where, part));
  append_event(out, "response.output_item.done",
               fmt::format(R"("output_index":0,"item":{})", item));
  append_event(out, fmt::format("response.{}", name_of(status)),
               fmt::format(R"("response":{})", response_json(status, item, &end, nullptr)));
}

void ResponsesWriter::append_error(std::string& out, const Error& error) {
  append_event(
      out, "response.failed",
      fmt::format(R"("response":{})", response_json(Status::kFailed, {}, nullptr, &error)));
}

std::string ResponsesWriter::whole(const std::vector<WholeAnswer>& answers) {
  const WholeAnswer& answer = answers.front();
  const Status status =
      answer.end.finish == TurnFinish::kLength ? Status::kIncomplete : Status::kCompleted;
  return response_json(
      status, item_json(status, part_json(answer.text, token_logprobs_json(answer.details))),
      &answer.end, nullptr);
}

}  // namespace jarip
