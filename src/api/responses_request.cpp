#include "api/responses_request.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <utility>
#include <vector>

#include "api/answer_form.h"
#include "api/common_fields.h"
#include "api/field_table.h"
#include "api/json_body.h"
#include "api/text_parts.h"
#include "api/thinking_fields.h"
#include "api/tool_fields.h"

namespace jarip {
namespace {

namespace json = boost::json;

using Json = const json::value&;
using Path = std::string_view;

constexpr std::string_view kLogprobs = "message.output_text.logprobs";

// --- items of the input ---

constexpr std::string_view kPartTypes[] = {"input_text", "output_text"};

// Answers come back as they were given.
constexpr Field<TextPart> kPartFields[] = {
    no_effect_field<TextPart>("annotations", JsonType::kList),
    no_effect_field<TextPart>("logprobs", JsonType::kList),
    no_effect_field<TextPart>("prompt_cache_breakpoint", JsonType::kObject),
};

struct ItemDraft {
  Role role = Role::kUser;
  std::string content;
  ToolCall call;
  std::string reasoning;
};

Result<void> read_item_text(Json value, Path path, ItemDraft& item) {
  JARIP_TRY(item.content, read_joined_parts(value, path, {kPartTypes, kPartFields}));
  return {};
}

// The reader has looked at the type already.
constexpr Field<ItemDraft> item_type(std::string_view schema) {
  return used_field<ItemDraft>("type", JsonType::kString, {},
                               [](Json, Path, ItemDraft&) -> Result<void> { return {}; })
      .schema(schema);
}

constexpr Field<ItemDraft> kItemId = no_effect_field<ItemDraft>("id", JsonType::kString);
constexpr Field<ItemDraft> kItemStatus = no_effect_field<ItemDraft>("status", JsonType::kString);

constexpr Field<ItemDraft> kItemFields[] = {
    item_type(R"({"enum":["message",null]})"),
    used_field<ItemDraft>(
        "role", JsonType::kString, {},
        [](Json value, Path path, ItemDraft& item) -> Result<void> {
          const std::string_view role = value.get_string();
          if (role == "system" || role == "developer") {
            item.role = Role::kSystem;
          } else if (role == "assistant") {
            item.role = Role::kAssistant;
          } else if (role != "user") {
            return fail(ErrorCode::kUnsupported,
                        fmt::format("{} must be system, developer, user or assistant", path),
                        std::string(path));
          }
          return {};
        })
        .schema(R"({"type":"string","enum":["system","developer","user","assistant"]})")
        .required(),
    used_field<ItemDraft>("content", JsonType::kAny, {}, read_item_text)
        .about("Text, or parts of text.")
        .schema(R"({"anyOf":[{"type":"string"},{"type":"array","minItems":1,)"
                R"("items":{"$ref":"#/components/schemas/ResponseTextPart"}}]})")
        .required(),
    kItemId,
    no_effect_field<ItemDraft>("phase", JsonType::kString),
    kItemStatus,
};

constexpr Field<ItemDraft> kCallId =
    used_field<ItemDraft>("call_id", JsonType::kString, {1, 256},
                          [](Json value, Path, ItemDraft& item) -> Result<void> {
                            item.call.id = std::string(value.get_string());
                            return {};
                          })
        .required();

constexpr Field<ItemDraft> kCallItemFields[] = {
    item_type(R"({"const":"function_call"})").required(),
    kCallId,
    used_field<ItemDraft>("name", JsonType::kString, {1, kMaxToolName},
                          [](Json value, Path path, ItemDraft& item) -> Result<void> {
                            JARIP_TRY(item.call.name, read_tool_name(value, path));
                            return {};
                          })
        .required(),
    used_field<ItemDraft>("arguments", JsonType::kString, {},
                          [](Json value, Path path, ItemDraft& item) -> Result<void> {
                            JARIP_TRY(item.call.arguments, read_arguments(value, path));
                            return {};
                          })
        .about("A JSON object, as text.")
        .required(),
    neutral_field<ItemDraft>("namespace"),
    kItemId,
    kItemStatus,
};

constexpr Field<ItemDraft> kOutputItemFields[] = {
    item_type(R"({"const":"function_call_output"})").required(),
    kCallId,
    used_field<ItemDraft>("output", JsonType::kAny, {}, read_item_text)
        .about("Text, or parts of text.")
        .schema(R"({"anyOf":[{"type":"string"},{"type":"array","minItems":1,)"
                R"("items":{"$ref":"#/components/schemas/ResponseTextPart"}}]})")
        .required(),
    kItemId,
    kItemStatus,
};

constexpr std::string_view kReasoningTypes[] = {"reasoning_text"};

constexpr Field<ItemDraft> kReasoningItemFields[] = {
    item_type(R"({"const":"reasoning"})").required(),
    used_field<ItemDraft>("content", JsonType::kList, {},
                          [](Json value, Path path, ItemDraft& item) -> Result<void> {
                            if (value.get_array().empty()) return {};
                            JARIP_TRY(item.reasoning,
                                      read_joined_parts(value, path, {kReasoningTypes}));
                            return {};
                          })
        .about("Parts of text; the model's template decides whether it is read.")
        .schema(R"({"type":["array","null"],)"
                R"("items":{"$ref":"#/components/schemas/ResponseReasoningPart"}})"),
    neutral_field<ItemDraft>("encrypted_content", R"([""])"),
    neutral_field<ItemDraft>("summary", "[[]]"),
    kItemId,
    kItemStatus,
};

struct ItemKind {
  std::string_view type;
  FieldTable<ItemDraft> fields;
};
constexpr ItemKind kItemKinds[] = {{"message", kItemFields},
                                   {"function_call", kCallItemFields},
                                   {"function_call_output", kOutputItemFields},
                                   {"reasoning", kReasoningItemFields}};

// --- the request ---

struct Draft : AnswerDraft {
  std::optional<std::string> instructions;
  std::vector<Message> messages;
  std::optional<std::uint32_t> top_logprobs;
  bool wants_logprobs = false;
  bool has_stream_options = false;
  ResponseEcho echo;
};
using Common = CommonFields<Draft>;

// An item without a type is a message.
Result<const ItemKind*> kind_of(const json::object& object, const std::string& path) {
  const auto* type = object.if_contains("type");
  if (type == nullptr || !type->is_string()) return kItemKinds;
  for (const ItemKind& kind : kItemKinds) {
    if (std::string_view(type->get_string()) == kind.type) return &kind;
  }
  const std::string type_path = join_path(path, "type");
  return fail(ErrorCode::kUnsupported,
              fmt::format("{} must be message, function_call, function_call_output or reasoning",
                          type_path),
              type_path);
}

// What an assistant says, thinks and calls in one go is one message of the chat.
Message& last_answer(std::vector<Message>& messages) {
  if (messages.empty() || messages.back().role != Role::kAssistant) {
    messages.push_back({Role::kAssistant, {}});
  }
  return messages.back();
}

void add_item(const ItemKind& kind, ItemDraft item, std::vector<Message>& messages) {
  if (kind.type == "function_call") {
    last_answer(messages).calls.push_back(std::move(item.call));
  } else if (kind.type == "reasoning") {
    messages.push_back({Role::kAssistant, {}});
    messages.back().reasoning = std::move(item.reasoning);
  } else if (kind.type == "function_call_output") {
    messages.push_back({Role::kTool, std::move(item.content)});
    messages.back().call_id = std::move(item.call.id);
  } else if (item.role == Role::kAssistant && !messages.empty() &&
             messages.back().role == Role::kAssistant && messages.back().content.empty() &&
             messages.back().calls.empty()) {
    messages.back().content = std::move(item.content);  // behind its reasoning
  } else {
    messages.push_back({item.role, std::move(item.content)});
  }
}

Result<void> read_items(const json::array& items, Path path, Draft& draft) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string item_path = join_path(path, i);
    const auto* object = items[i].if_object();
    if (object == nullptr) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{} must be an object", item_path),
                  item_path);
    }
    JARIP_TRY(const ItemKind* kind, kind_of(*object, item_path));
    ItemDraft item;
    JARIP_CHECK(read_object<ItemDraft>(*object, {kind->fields}, item_path, item));
    add_item(*kind, std::move(item), draft.messages);
  }
  return {};
}

Result<void> read_input(Json value, Path path, Draft& draft) {
  if (const auto* text = value.if_string()) {
    draft.messages.push_back({Role::kUser, std::string(*text)});
    return {};
  }
  const auto* items = value.if_array();
  if (items == nullptr || items->empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} must be a string or a list of messages", path), std::string(path));
  }
  return read_items(*items, path, draft);
}

Result<void> read_include(Json value, Path path, Draft& draft) {
  const json::array& list = value.get_array();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string item_path = join_path(path, i);
    JARIP_CHECK(check_value({item_path, JsonType::kString}, list[i], item_path));
    const auto* name = list[i].if_string();
    if (name != nullptr && *name == kLogprobs) {
      draft.wants_logprobs = true;
    } else if (name == nullptr || *name != "reasoning.encrypted_content") {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("{} is supported only as \"{}\"", item_path, kLogprobs), item_path);
    }
  }
  return {};
}

// Repeated with what it leaves out.
Result<void> read_format(Json value, Path path, Draft& draft) {
  JARIP_CHECK(take_form(read_text_format(value, path), draft));
  json::object format = value.get_object();
  if (format["type"] == "json_schema") {
    format.emplace("description", nullptr);
    format.emplace("strict", true);
  }
  draft.echo.format = json::serialize(format);
  return {};
}

constexpr Field<Draft> kTextFields[] = {
    used_field<Draft>("format", JsonType::kObject, {}, read_format)
        .about("What the answer must be: any text, a JSON object, or JSON that a schema allows.")
        .schema(
            R"({"anyOf":[{"$ref":"#/components/schemas/ResponseTextFormat"},{"type":"null"}]})"),
    neutral_field<Draft>("verbosity", R"(["medium"])"),
};

constexpr Field<Draft> kReasoningFields[] = {
    used_field<Draft>("effort", JsonType::kString, {},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        draft.echo.effort = json::serialize(value);
                        return read_effort(value, path, draft);
                      })
        .about("How hard the model thinks before it answers, where it can; none: not at all.")
        .schema(kEffortSchema),
    neutral_field<Draft>("summary", R"(["auto"])")
        .about("reasoning isn't summed up here: it is sent as it is"),
    neutral_field<Draft>("generate_summary", R"(["auto"])")
        .about("reasoning isn't summed up here: it is sent as it is"),
};

constexpr Field<Draft> kStreamOptionFields[] = {
    neutral_field<Draft>("include_obfuscation", "[false]"),
};

// Read into a member of the echo as JSON.
template <std::string ResponseEcho::* member>
Result<void> read_echo(Json value, Path /*path*/, Draft& draft) {
  draft.echo.*member = json::serialize(value);
  return {};
}

// As the specification has them: all members are there.
std::string echo_of_tools(const std::vector<Tool>& tools) {
  std::string out;
  for (const Tool& tool : tools) {
    out += fmt::format(R"({}{{"type":"function","name":{},"description":{},"parameters":{},)"
                       R"("strict":{}}})",
                       out.empty() ? "" : ",", json_string(tool.name),
                       tool.description.empty() ? "null" : json_string(tool.description),
                       tool.parameters, tool.is_strict);
  }
  return "[" + out + "]";
}

constexpr Field<Draft> kFields[] = {
    Common::kModel,
    used_field<Draft>("input", JsonType::kAny, {}, read_input)
        .about("Text, or messages.")
        .schema(R"({"anyOf":[{"type":"string"},{"type":"array","minItems":1,)"
                R"("items":{"$ref":"#/components/schemas/ResponseInputItem"}}]})")
        .required(),
    used_field<Draft>("instructions", JsonType::kString, {},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.instructions = std::string(value.get_string());
                        return {};
                      })
        .about("A system message before the input."),
    used_field<Draft>("max_output_tokens", JsonType::kInteger, {1, kMaxInt32},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.max_tokens = read_uint32(value);
                        return {};
                      })
        .about("The longest answer, in tokens. Absent: whatever the context leaves."),
    used_field<Draft>("top_logprobs", JsonType::kInteger, {0, kMaxLogprobs},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.top_logprobs = read_uint32(value);
                        return {};
                      })
        .about("The likeliest tokens at each place, beside the one drawn."),
    used_field<Draft>("include", JsonType::kList, {}, read_include)
        .about("message.output_text.logprobs adds each token's logarithm of probability.")
        .schema(R"({"type":["array","null"],"items":{"enum":["message.output_text.logprobs",)"
                R"("reasoning.encrypted_content"]}})"),
    Common::kStream,
    used_field<Draft>("stream_options", JsonType::kObject, {},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        draft.has_stream_options = true;
                        return read_object<Draft>(value.get_object(), {kStreamOptionFields}, path,
                                                  draft);
                      })
        .about("Only with stream.")
        .schema(R"({"anyOf":[{"$ref":"#/components/schemas/ResponseStreamOptions"},)"
                R"({"type":"null"}]})"),
    used_field<Draft>("text", JsonType::kObject, {},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        return read_object<Draft>(value.get_object(), {kTextFields}, path, draft);
                      })
        .schema(R"({"anyOf":[{"$ref":"#/components/schemas/ResponseTextOptions"},)"
                R"({"type":"null"}]})"),
    used_field<Draft>("stop", JsonType::kAny, {},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        return read_stop(value, path, draft.turn);
                      })
        .about("The answer ends before the first of these texts. Not in OpenAI's own API.")
        .schema(kStopSchema),
    used_field<Draft>("parallel_tool_calls", JsonType::kBool, {},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.turn.tool_choice.is_parallel = value.get_bool();
                        draft.echo.parallel_tool_calls = value.get_bool();
                        return {};
                      })
        .about("False: an answer has one call at most."),
    used_field<Draft>("metadata", JsonType::kObject, {}, read_echo<&ResponseEcho::metadata>)
        .about("Repeated in the response; no answer depends on it."),
    used_field<Draft>("user", JsonType::kString, {0, kMaxUserBytes},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        draft.turn.user = value.get_string();
                        return read_echo<&ResponseEcho::user>(value, path, draft);
                      })
        .about("Users share the machine. Repeated in the response; no answer depends on it."),
    used_field<Draft>("safety_identifier", JsonType::kString, {},
                      read_echo<&ResponseEcho::safety_identifier>)
        .about("Repeated in the response; no answer depends on it."),
    used_field<Draft>("prompt_cache_key", JsonType::kString, {},
                      read_echo<&ResponseEcho::prompt_cache_key>)
        .about("Repeated in the response; no answer depends on it."),
    no_effect_field<Draft>("max_tool_calls", JsonType::kInteger),
    no_effect_field<Draft>("prompt_cache_retention", JsonType::kString),
    neutral_field<Draft>("background", "[false]")
        .about("answers are given while the request waits or streams"),
    neutral_field<Draft>("context_management", "[[]]"),
    neutral_field<Draft>("conversation").about("no conversations are kept here"),
    neutral_field<Draft>("moderation"),
    neutral_field<Draft>("previous_response_id")
        .about("no responses are kept here; send the earlier messages as input"),
    neutral_field<Draft>("prompt"),
    used_field<Draft>("reasoning", JsonType::kObject, {},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        return read_object<Draft>(value.get_object(), {kReasoningFields}, path,
                                                  draft);
                      })
        .schema(R"({"anyOf":[{"$ref":"#/components/schemas/ResponseReasoningOptions"},)"
                R"({"type":"null"}]})"),
    neutral_field<Draft>("service_tier", R"(["auto", "default"])"),
    neutral_field<Draft>("store", "[false]")
        .about("no responses are kept here; leave it out or send false"),
    used_field<Draft>("tool_choice", JsonType::kAny, {},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        draft.echo.tool_choice = json::serialize(value);
                        return read_response_choice(value, path, draft);
                      })
        .about("Whether the model calls tools: none, auto (it decides), required, one by name, or "
               "some of them.")
        .schema(R"({"anyOf":[{"enum":["none","auto","required",null]},{"type":"object",)"
                R"("required":["type","name"],"additionalProperties":false,"properties":{)"
                R"("type":{"const":"function"},"name":{"type":"string"}}},{"type":"object",)"
                R"("required":["type","mode","tools"],"additionalProperties":false,"properties":{)"
                R"("type":{"const":"allowed_tools"},"mode":{"enum":["auto","required"]},)"
                R"("tools":{"type":"array","minItems":1,"maxItems":128,"items":{"type":"object",)"
                R"("required":["type","name"],"additionalProperties":false,"properties":{)"
                R"("type":{"const":"function"},"name":{"type":"string"}}}}}}]})"),
    used_field<Draft>("tools", JsonType::kList, {0, kMaxTools},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        JARIP_CHECK(read_response_tools(value, path, draft));
                        draft.echo.tools = echo_of_tools(draft.turn.tools);
                        return {};
                      })
        .about("Functions that the model may ask you to call.")
        .schema(R"({"type":["array","null"],"maxItems":128,)"
                R"("items":{"$ref":"#/components/schemas/ResponseTool"}})"),
    neutral_field<Draft>("truncation", R"(["disabled"])")
        .about("nothing is ever cut from a prompt silently"),
};

Result<void> settle(Draft& draft) {
  if (draft.has_stream_options && !draft.is_stream) {
    return fail(ErrorCode::kInvalidArgument, "stream_options need stream to be true",
                "stream_options");
  }
  JARIP_CHECK(settle_common(draft));
  JARIP_CHECK(settle_tools(draft));
  draft.turn.separates = true;
  if (draft.wants_logprobs || draft.top_logprobs.value_or(0) > 0) {
    draft.turn.n_logprobs = draft.top_logprobs.value_or(0);
  }
  draft.echo.max_output_tokens = draft.max_tokens;
  draft.echo.top_logprobs = draft.top_logprobs.value_or(0);
  draft.echo.temperature = draft.turn.sampling.temperature;
  draft.echo.top_p = draft.turn.sampling.top_p;
  draft.echo.presence_penalty = draft.turn.sampling.presence_penalty;
  draft.echo.frequency_penalty = draft.turn.sampling.frequency_penalty;
  if (draft.instructions) {
    draft.echo.instructions = json_string(*draft.instructions);
    draft.messages.insert(draft.messages.begin(), {Role::kSystem, *draft.instructions});
  }
  draft.turn.input = std::move(draft.messages);
  return {};
}

}  // namespace

Result<ResponsesRequest> parse_responses_request(std::string_view body, std::uint32_t n_vocab) {
  JARIP_TRY(const json::object object, parse_json_object(body));
  Draft draft;
  draft.n_vocab = n_vocab;
  JARIP_CHECK(read_object<Draft>(object, {kFields, Common::kSampling, Common::kShare}, {}, draft));
  JARIP_CHECK(settle(draft));
  return ResponsesRequest{std::move(draft.turn), draft.is_stream, std::move(draft.echo)};
}

void describe_responses_requests(SchemaSet& schemas) {
  schemas.add_object<TextPart>("ResponseTextPart", {text_part_fields(), kPartFields},
                               "A part of a message; its type is input_text or output_text.");
  schemas.add_object<TextPart>("ResponseReasoningPart", {text_part_fields()},
                               "A part of reasoning; its type is reasoning_text.");
  schemas.add_object<ItemDraft>("ResponseMessageItem", {kItemFields});
  schemas.add_object<ItemDraft>("ResponseCallItem", {kCallItemFields});
  schemas.add_object<ItemDraft>("ResponseCallOutputItem", {kOutputItemFields});
  schemas.add_object<ItemDraft>("ResponseReasoningItem", {kReasoningItemFields});
  schemas.add("ResponseInputItem", R"({"anyOf":[)"
                                   R"({"$ref":"#/components/schemas/ResponseMessageItem"},)"
                                   R"({"$ref":"#/components/schemas/ResponseCallItem"},)"
                                   R"({"$ref":"#/components/schemas/ResponseCallOutputItem"},)"
                                   R"({"$ref":"#/components/schemas/ResponseReasoningItem"}]})");
  schemas.add_object<Draft>("ResponseStreamOptions", {kStreamOptionFields});
  schemas.add_object<Draft>("ResponseTextOptions", {kTextFields});
  schemas.add_object<Draft>("ResponseReasoningOptions", {kReasoningFields});
  schemas.add_object<Draft>("ResponsesRequest", {kFields, Common::kSampling, Common::kShare});
}

}  // namespace jarip
