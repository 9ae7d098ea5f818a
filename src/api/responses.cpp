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
      R"("output_tokens":{},"output_tokens_details":{{"reasoning_tokens":{}}},"total_tokens":{}}})",
      end.n_prompt_tokens, end.n_cached_tokens, end.n_new_tokens, end.n_reasoning_tokens,
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

std::string ResponsesWriter::id_of(const Item& item) const {
  if (item.kind == ItemKind::kMessage && item.index == 0) return header_.item_id;
  const std::string_view prefix = item.kind == ItemKind::kMessage     ? "msg"
                                  : item.kind == ItemKind::kReasoning ? "rs"
                                                                      : "fc";
  std::string_view random = header_.item_id;
  random.remove_prefix(random.find('_') + 1);
  return fmt::format("{}_{}{}", prefix, random, item.index);
}

std::string ResponsesWriter::place_of(const Item& item) const {
  return fmt::format(R"("item_id":"{}","output_index":{}{})", id_of(item), item.index,
                     item.kind == ItemKind::kCall ? "" : R"(,"content_index":0)");
}

std::string ResponsesWriter::part_json(const Item& item) const {
  if (item.kind == ItemKind::kReasoning) {
    return fmt::format(R"({{"type":"reasoning_text","text":{}}})", json_string(item.text));
  }
  return fmt::format(R"({{"type":"output_text","text":{},"annotations":[],"logprobs":{}}})",
                     json_string(item.text), token_logprobs_json(item.details));
}

// While it is in progress an item has no parts yet.
std::string ResponsesWriter::item_json(const Item& item, Status status) const {
  const std::string id = id_of(item);
  const std::string part = status == Status::kInProgress ? "" : part_json(item);
  switch (item.kind) {
    case ItemKind::kMessage:
      return fmt::format(
          R"({{"type":"message","id":"{}","status":"{}","role":"assistant","content":[{}]}})", id,
          name_of(status), part);
    case ItemKind::kReasoning:
      return fmt::format(R"({{"type":"reasoning","id":"{}","status":"{}","summary":[],)"
                         R"("content":[{}],"encrypted_content":null}})",
                         id, name_of(status), part);
    case ItemKind::kCall:
      break;
  }
  return fmt::format(R"({{"type":"function_call","id":"{}","status":"{}","call_id":"call_{}",)"
                     R"("name":{},"arguments":{}}})",
                     id, name_of(status), item.call_id, json_string(item.name),
                     json_string(status == Status::kInProgress ? "" : item.text));
}

void ResponsesWriter::add_to_output(std::string_view item) {
  if (!output_.empty()) output_ += ',';
  output_ += item;
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
      R"("reasoning":{{"effort":{},"summary":null}},"safety_identifier":{},"seed":{},)"
      R"("service_tier":"default","store":false,"temperature":{},)"
      R"("text":{{"format":{},"verbosity":"medium"}},"tool_choice":{},)"
      R"("tools":{},"top_logprobs":{},"top_p":{},"truncation":"disabled","usage":{},"user":{}}})",
      header_.id, header_.created, name_of(status),
      status == Status::kCompleted ? fmt::format("{}", std::time(nullptr)) : "null", failure,
      echo.frequency_penalty,
      status == Status::kIncomplete ? R"({"reason":"max_output_tokens"})" : "null",
      echo.instructions,
      echo.max_output_tokens ? fmt::format("{}", *echo.max_output_tokens) : "null", echo.metadata,
      json_string(header_.model), output, echo.parallel_tool_calls, echo.presence_penalty,
      echo.prompt_cache_key, echo.effort, echo.safety_identifier, static_cast<std::int64_t>(seed_),
      echo.temperature, echo.format, echo.tool_choice, echo.tools, echo.top_logprobs, echo.top_p,
      end == nullptr ? "null" : usage_json(*end), echo.user);
}

void ResponsesWriter::append_begin(std::string& out) {
  const std::string response =
      fmt::format(R"("response":{})", response_json(Status::kInProgress, {}, nullptr, nullptr));
  append_event(out, "response.created", response);
  append_event(out, "response.in_progress", response);
}

void ResponsesWriter::open_item(std::string& out, Item item) {
  close_item(out, Status::kCompleted);
  item.index = n_items_++;
  append_event(out, "response.output_item.added",
               fmt::format(R"("output_index":{},"item":{})", item.index,
                           item_json(item, Status::kInProgress)));
  if (item.kind != ItemKind::kCall) {
    append_event(out, "response.content_part.added",
                 fmt::format(R"({},"part":{})", place_of(item), part_json(item)));
  }
  item_ = std::move(item);
}

void ResponsesWriter::close_item(std::string& out, Status status) {
  if (!item_) return;
  Item item = *std::exchange(item_, std::nullopt);
  if (item.kind == ItemKind::kMessage) {
    item.details.insert(item.details.end(), unsent_.begin(), unsent_.end());
    unsent_.clear();
  }
  const std::string where = place_of(item);
  const std::string text = json_string(item.text);
  switch (item.kind) {
    case ItemKind::kMessage:
      append_event(out, "response.output_text.done",
                   fmt::format(R"({},"text":{},"logprobs":{})", where, text,
                               token_logprobs_json(item.details)));
      break;
    case ItemKind::kReasoning:
      append_event(out, "response.reasoning_text.done",
                   fmt::format(R"({},"text":{})", where, text));
      break;
    case ItemKind::kCall:
      append_event(
          out, "response.function_call_arguments.done",
          fmt::format(R"({},"name":{},"arguments":{})", where, json_string(item.name), text));
      break;
  }
  if (item.kind != ItemKind::kCall) {
    append_event(out, "response.content_part.done",
                 fmt::format(R"({},"part":{})", where, part_json(item)));
  }
  const std::string json = item_json(item, status);
  append_event(out, "response.output_item.done",
               fmt::format(R"("output_index":{},"item":{})", item.index, json));
  add_to_output(json);
}

void ResponsesWriter::append_delta(std::string& out, std::uint32_t /*choice*/,
                                   const TextDelta& delta) {
  unsent_.insert(unsent_.end(), delta.details.begin(), delta.details.end());
  if (delta.text.empty()) return;
  if (!item_ || item_->kind != ItemKind::kMessage) {
    std::vector<TokenDetail> unsent = std::exchange(unsent_, {});  // of this item, not the last
    open_item(out, Item(ItemKind::kMessage));
    unsent_ = std::move(unsent);
  }
  item_->text += delta.text;
  item_->details.insert(item_->details.end(), unsent_.begin(), unsent_.end());
  append_event(out, "response.output_text.delta",
               fmt::format(R"({},"delta":{},"logprobs":{})", place_of(*item_),
                           json_string(delta.text), token_logprobs_json(unsent_)));
  unsent_.clear();
}

void ResponsesWriter::append_reasoning(std::string& out, std::uint32_t /*choice*/,
                                       const ReasoningDelta& delta) {
  if (!item_ || item_->kind != ItemKind::kReasoning) {
    open_item(out, Item(ItemKind::kReasoning));
  }
  item_->text += delta.text;
  append_event(out, "response.reasoning_text.delta",
               fmt::format(R"({},"delta":{})", place_of(*item_), json_string(delta.text)));
}

void ResponsesWriter::append_call(std::string& out, std::uint32_t /*choice*/,
                                  const CallDelta& delta) {
  if (!delta.name.empty()) {
    Item item(ItemKind::kCall);
    item.call_id = delta.id;
    item.name = delta.name;
    open_item(out, std::move(item));
  }
  item_->text += delta.arguments;
  append_event(out, "response.function_call_arguments.delta",
               fmt::format(R"({},"delta":{})", place_of(*item_), json_string(delta.arguments)));
}

// An answer of nothing at all is a message without text.
void ResponsesWriter::append_end(std::string& out, std::uint32_t /*choice*/, const TurnEnd& end) {
  if (n_items_ == 0) open_item(out, Item(ItemKind::kMessage));
  const Status status =
      end.finish == TurnFinish::kLength ? Status::kIncomplete : Status::kCompleted;
  close_item(out, status);
  append_event(out, fmt::format("response.{}", name_of(status)),
               fmt::format(R"("response":{})", response_json(status, output_, &end, nullptr)));
}

void ResponsesWriter::append_error(std::string& out, const Error& error) {
  append_event(
      out, "response.failed",
      fmt::format(R"("response":{})", response_json(Status::kFailed, {}, nullptr, &error)));
}

std::string ResponsesWriter::whole(const std::vector<WholeAnswer>& answers) {
  const WholeAnswer& answer = answers.front();
  output_.clear();
  std::vector<Item> items;
  const auto add = [&](ItemKind kind, const std::string& text) -> Item& {
    Item& item = items.emplace_back(kind);
    item.index = items.size() - 1;
    item.text = text;
    return item;
  };
  if (!answer.reasoning.empty()) add(ItemKind::kReasoning, answer.reasoning);
  if (!answer.text.empty() || (answer.calls.empty() && items.empty())) {
    add(ItemKind::kMessage, answer.text).details = answer.details;
  }
  for (const ToolCall& call : answer.calls) {
    Item& item = add(ItemKind::kCall, call.arguments);
    item.call_id = call.id;
    item.name = call.name;
  }
  const Status status =
      answer.end.finish == TurnFinish::kLength ? Status::kIncomplete : Status::kCompleted;
  for (const Item& item : items) {
    const bool is_last = item.index + 1 == items.size();
    add_to_output(item_json(item, is_last ? status : Status::kCompleted));
  }
  return response_json(status, output_, &answer.end, nullptr);
}

}  // namespace jarip
