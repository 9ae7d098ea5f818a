#include "api/anthropic.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "api/anthropic_request.h"
#include "api/error_reply.h"
#include "api/exchange.h"
#include "api/json_body.h"
#include "net/sse.h"

namespace jarip {
namespace {

// What was computed for an earlier request isn't counted as read: it has a number of its own.
std::string usage_json(std::uint32_t n_prompt, std::uint32_t n_cached, std::uint32_t n_new) {
  return fmt::format(R"({{"input_tokens":{},"cache_creation":null,"cache_creation_input_tokens":0,)"
                     R"("cache_read_input_tokens":{},"inference_geo":null,"output_tokens":{},)"
                     R"("output_tokens_details":null,"server_tool_use":null,)"
                     R"("service_tier":"standard"}})",
                     n_prompt - n_cached, n_cached, n_new);
}

std::string usage_json(const TurnEnd& end) {
  return usage_json(end.n_prompt_tokens, end.n_cached_tokens, end.n_new_tokens);
}

// "stop_reason":…,"stop_sequence":…
std::string stop_json(const TurnEnd& end) {
  const std::string_view reason = end.stop                            ? "stop_sequence"
                                  : end.finish == TurnFinish::kLength ? "max_tokens"
                                                                      : "end_turn";
  return fmt::format(R"("stop_reason":"{}","stop_sequence":{},"stop_details":null)", reason,
                     end.stop ? json_string_of_bytes(*end.stop) : "null");
}

std::string message_json(std::string_view id, std::string_view model, std::string_view content,
                         std::string_view stop, std::string_view usage) {
  return fmt::format(R"({{"id":{},"type":"message","role":"assistant","model":{},"content":[{}],)"
                     R"("container":null,{},"usage":{}}})",
                     json_string(id), json_string(model), content, stop, usage);
}

}  // namespace

Result<AnswerPlan> plan_messages(std::string_view body, const ModelCard& card) {
  JARIP_TRY(AnthropicRequest request, parse_anthropic_request(body, card.n_vocab));
  return AnswerPlan{.turn = std::move(request.turn),
                    .is_stream = request.is_stream,
                    .writer = std::make_unique<AnthropicWriter>(random_id("msg_"), card.name)};
}

Result<std::string> count_tokens_json(std::string_view body, const Answerer& answerer) {
  JARIP_TRY(const Turn turn, parse_anthropic_count(body));
  JARIP_TRY(const std::vector<TokenId> tokens, answerer.read_prompt(turn));
  return fmt::format(R"({{"input_tokens":{}}})", tokens.size());
}

AnthropicWriter::AnthropicWriter(std::string id, std::string model)
    : id_(std::move(id)), model_(std::move(model)) {}

void AnthropicWriter::set_started(const StartedTurn& started) {
  n_prompt_tokens_ = started.n_prompt_tokens;
}

// How much of the prompt was computed before is known when the answer ends; the last event has it.
void AnthropicWriter::append_begin(std::string& out) {
  append_sse_event(
      out,
      fmt::format(R"({{"type":"message_start","message":{}}})",
                  message_json(id_, model_, {},
                               R"("stop_reason":null,"stop_sequence":null,"stop_details":null)",
                               usage_json(n_prompt_tokens_, 0, 0))),
      "message_start");
}

void AnthropicWriter::append_ping(std::string& out) {
  append_sse_event(out, R"({"type":"ping"})", "ping");
}

void AnthropicWriter::append_delta(std::string& out, std::uint32_t /*choice*/,
                                   const TextDelta& delta) {
  if (delta.text.empty()) return;
  if (!std::exchange(has_text_, true)) {
    append_sse_event(out,
                     R"({"type":"content_block_start","index":0,)"
                     R"("content_block":{"type":"text","text":"","citations":null}})",
                     "content_block_start");
  }
  append_sse_event(out,
                   fmt::format(R"({{"type":"content_block_delta","index":0,)"
                               R"("delta":{{"type":"text_delta","text":{}}}}})",
                               json_string(delta.text)),
                   "content_block_delta");
}

void AnthropicWriter::append_end(std::string& out, std::uint32_t /*choice*/, const TurnEnd& end) {
  if (has_text_) {
    append_sse_event(out, R"({"type":"content_block_stop","index":0})", "content_block_stop");
  }
  append_sse_event(
      out,
      fmt::format(R"({{"type":"message_delta","delta":{{"container":null,{}}},"usage":{}}})",
                  stop_json(end), usage_json(end)),
      "message_delta");
  append_sse_event(out, R"({"type":"message_stop"})", "message_stop");
}

void AnthropicWriter::append_error(std::string& out, const Error& error) {
  append_sse_event(out, anthropic_error_json(error, {}), "error");
}

std::string AnthropicWriter::whole(const std::vector<WholeAnswer>& answers) {
  const WholeAnswer& answer = answers.front();
  const std::string content = answer.text.empty()
                                  ? ""
                                  : fmt::format(R"({{"type":"text","text":{},"citations":null}})",
                                                json_string(answer.text));
  return message_json(id_, model_, content, stop_json(answer.end), usage_json(answer.end));
}

}  // namespace jarip
