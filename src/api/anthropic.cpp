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
std::string stop_json(const TurnEnd& end, bool has_calls) {
  const std::string_view reason = end.stop                            ? "stop_sequence"
                                  : end.finish == TurnFinish::kLength ? "max_tokens"
                                  : has_calls                         ? "tool_use"
                                                                      : "end_turn";
  return fmt::format(R"("stop_reason":"{}","stop_sequence":{},"stop_details":null)", reason,
                     end.stop ? json_string_of_bytes(*end.stop) : "null");
}

std::string text_json(std::string_view text) {
  return fmt::format(R"({{"type":"text","text":{},"citations":null}})", json_string(text));
}

// Nothing here signs what a model thinks.
std::string thinking_json(std::string_view text) {
  return fmt::format(R"({{"type":"thinking","thinking":{},"signature":""}})", json_string(text));
}

std::string call_json(const ToolCall& call) {
  return fmt::format(
      R"({{"type":"tool_use","id":"toolu_{}","caller":{{"type":"direct"}},"name":{},)"
      R"("input":{}}})",
      call.id, json_string(call.name), call.arguments);
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

void AnthropicWriter::open_block(std::string& out, Block block, std::string_view content_block) {
  close_block(out);
  open_ = block;
  append_sse_event(out,
                   fmt::format(R"({{"type":"content_block_start","index":{},"content_block":{}}})",
                               n_blocks_++, content_block),
                   "content_block_start");
}

void AnthropicWriter::close_block(std::string& out) {
  if (std::exchange(open_, Block::kNone) == Block::kNone) return;
  append_sse_event(out, fmt::format(R"({{"type":"content_block_stop","index":{}}})", n_blocks_ - 1),
                   "content_block_stop");
}

void AnthropicWriter::append_block_delta(std::string& out, std::string_view delta) const {
  append_sse_event(out,
                   fmt::format(R"({{"type":"content_block_delta","index":{},"delta":{}}})",
                               n_blocks_ - 1, delta),
                   "content_block_delta");
}

void AnthropicWriter::append_delta(std::string& out, std::uint32_t /*choice*/,
                                   const TextDelta& delta) {
  if (delta.text.empty()) return;
  if (open_ != Block::kText) open_block(out, Block::kText, text_json({}));
  append_block_delta(out,
                     fmt::format(R"({{"type":"text_delta","text":{}}})", json_string(delta.text)));
}

void AnthropicWriter::append_reasoning(std::string& out, std::uint32_t /*choice*/,
                                       const ReasoningDelta& delta) {
  if (open_ != Block::kThinking) open_block(out, Block::kThinking, thinking_json({}));
  append_block_delta(
      out, fmt::format(R"({{"type":"thinking_delta","thinking":{}}})", json_string(delta.text)));
}

void AnthropicWriter::append_call(std::string& out, std::uint32_t /*choice*/,
                                  const CallDelta& delta) {
  has_calls_ = true;
  if (!delta.name.empty()) open_block(out, Block::kCall, call_json({delta.id, delta.name, "{}"}));
  append_block_delta(out, fmt::format(R"({{"type":"input_json_delta","partial_json":{}}})",
                                      json_string(delta.arguments)));
}

void AnthropicWriter::append_end(std::string& out, std::uint32_t /*choice*/, const TurnEnd& end) {
  close_block(out);
  append_sse_event(
      out,
      fmt::format(R"({{"type":"message_delta","delta":{{"container":null,{}}},"usage":{}}})",
                  stop_json(end, has_calls_), usage_json(end)),
      "message_delta");
  append_sse_event(out, R"({"type":"message_stop"})", "message_stop");
}

void AnthropicWriter::append_error(std::string& out, const Error& error) {
  append_sse_event(out, anthropic_error_json(error, {}), "error");
}

std::string AnthropicWriter::whole(const std::vector<WholeAnswer>& answers) {
  const WholeAnswer& answer = answers.front();
  std::string content;
  const auto add = [&](const std::string& block) {
    content += fmt::format("{}{}", content.empty() ? "" : ",", block);
  };
  if (!answer.reasoning.empty()) add(thinking_json(answer.reasoning));
  if (!answer.text.empty()) add(text_json(answer.text));
  for (const ToolCall& call : answer.calls) {
    // A call that the answer's length cut is no JSON, and an input must be.
    const bool may_be_cut =
        answer.end.finish == TurnFinish::kLength && &call == &answer.calls.back();
    if (!may_be_cut || parse_json_object(call.arguments)) add(call_json(call));
  }
  return message_json(id_, model_, content, stop_json(answer.end, !answer.calls.empty()),
                      usage_json(answer.end));
}

}  // namespace jarip
