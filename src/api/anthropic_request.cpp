#include "api/anthropic_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <iterator>
#include <optional>
#include <string>
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

constexpr std::string_view kTextTypes[] = {"text"};

// What some clients put into a system prompt though it is a header, different in each call. In the
// prompt it would keep every answer from using what was computed for the one before.
constexpr std::string_view kBillingHeader = "x-anthropic-billing-header:";

constexpr Field<TextPart> kBlockFields[] = {
    no_effect_field<TextPart>("cache_control", JsonType::kObject),
    neutral_field<TextPart>("citations", R"([[], {"enabled": false}])"),
};
constexpr TextPartRules kTextBlocks{kTextTypes, kBlockFields};

struct Draft : AnswerDraft {
  std::optional<std::string> system;
  std::vector<Message> messages;
};
using Common = CommonFields<Draft>;

// --- the blocks of a message ---

struct BlockDraft {
  ToolCall call;
  std::string text;
  bool is_error = false;
};

// The reader has looked at the type already.
constexpr Field<BlockDraft> block_type(std::string_view schema) {
  return used_field<BlockDraft>("type", JsonType::kString, {},
                                [](Json, Path, BlockDraft&) -> Result<void> { return {}; })
      .schema(schema)
      .required();
}

Result<void> read_block_text(Json value, Path, BlockDraft& block) {
  block.text = std::string(value.get_string());
  return {};
}

Result<void> read_call_id(Json value, Path, BlockDraft& block) {
  block.call.id = std::string(value.get_string());
  return {};
}

constexpr FieldRange kIdLength{1, 256};
constexpr Field<BlockDraft> kCacheControl =
    no_effect_field<BlockDraft>("cache_control", JsonType::kObject);

constexpr Field<BlockDraft> kTextBlockFields[] = {
    block_type(R"({"const":"text"})"),
    used_field<BlockDraft>("text", JsonType::kString, {}, read_block_text).required(),
    kCacheControl,
    neutral_field<BlockDraft>("citations", R"([[], {"enabled": false}])"),
};

constexpr Field<BlockDraft> kToolUseFields[] = {
    block_type(R"({"const":"tool_use"})"),
    used_field<BlockDraft>("id", JsonType::kString, kIdLength, read_call_id).required(),
    used_field<BlockDraft>("name", JsonType::kString, {1, kMaxToolName},
                           [](Json value, Path path, BlockDraft& block) -> Result<void> {
                             JARIP_TRY(block.call.name, read_tool_name(value, path));
                             return {};
                           })
        .required(),
    used_field<BlockDraft>("input", JsonType::kObject, {},
                           [](Json value, Path, BlockDraft& block) -> Result<void> {
                             block.call.arguments = json::serialize(value);
                             return {};
                           })
        .required(),
    kCacheControl,
    no_effect_field<BlockDraft>("caller", JsonType::kObject),
    neutral_field<BlockDraft>("toolset_name"),
};

constexpr Field<BlockDraft> kToolResultFields[] = {
    block_type(R"({"const":"tool_result"})"),
    used_field<BlockDraft>("tool_use_id", JsonType::kString, kIdLength, read_call_id).required(),
    used_field<BlockDraft>("content", JsonType::kAny, {},
                           [](Json value, Path path, BlockDraft& block) -> Result<void> {
                             if (value.is_array() && value.get_array().empty()) return {};
                             JARIP_TRY(block.text, read_joined_parts(value, path, kTextBlocks));
                             return {};
                           })
        .about("Text, or blocks of text.")
        .schema(R"({"anyOf":[{"type":["string","null"]},{"type":"array",)"
                R"("items":{"$ref":"#/components/schemas/AnthropicTextBlock"}}]})"),
    used_field<BlockDraft>("is_error", JsonType::kBool, {},
                           [](Json value, Path, BlockDraft& block) -> Result<void> {
                             block.is_error = value.get_bool();
                             return {};
                           })
        .about("The model reads \"Error: \" before the content."),
    kCacheControl,
};

constexpr Field<BlockDraft> kThinkingFields[] = {
    block_type(R"({"const":"thinking"})"),
    used_field<BlockDraft>("thinking", JsonType::kString, {}, read_block_text)
        .about("The model's template decides whether it is read.")
        .required(),
    no_effect_field<BlockDraft>("signature", JsonType::kString),
};

// What one role's messages may hold.
struct BlockKind {
  std::string_view type;
  FieldTable<BlockDraft> fields;
  std::optional<Role> role = {};  // absent: both
};
constexpr BlockKind kBlockKinds[] = {{"text", kTextBlockFields},
                                     {"tool_use", kToolUseFields, Role::kAssistant},
                                     {"tool_result", kToolResultFields, Role::kUser},
                                     {"thinking", kThinkingFields, Role::kAssistant}};

Result<const BlockKind*> kind_of(const json::object& block, Role role, const std::string& path) {
  const std::string type_path = join_path(path, "type");
  const auto* type = block.if_contains("type");
  if (type == nullptr || !type->is_string()) return missing_field(type_path);
  for (const BlockKind& kind : kBlockKinds) {
    if (std::string_view(type->get_string()) == kind.type && kind.role.value_or(role) == role)
      return &kind;
  }
  return fail(
      ErrorCode::kUnsupported,
      fmt::format("{} must be {}", type_path,
                  role == Role::kUser ? "text or tool_result" : "text, thinking or tool_use"),
      type_path);
}

struct MessageDraft {
  Role role = Role::kUser;
  const json::value* content = nullptr;
};

constexpr Field<MessageDraft> kMessageFields[] = {
    used_field<MessageDraft>("role", JsonType::kString, {},
                             [](Json value, Path path, MessageDraft& message) -> Result<void> {
                               const std::string_view role = value.get_string();
                               if (role != "user" && role != "assistant") {
                                 return fail(ErrorCode::kInvalidArgument,
                                             fmt::format("{} must be user or assistant; a system "
                                                         "prompt goes into the field system",
                                                         path),
                                             std::string(path));
                               }
                               message.role = role == "user" ? Role::kUser : Role::kAssistant;
                               return {};
                             })
        .schema(R"({"type":"string","enum":["user","assistant"]})")
        .required(),
    used_field<MessageDraft>("content", JsonType::kAny, {},
                             [](Json value, Path, MessageDraft& message) -> Result<void> {
                               message.content = &value;
                               return {};
                             })
        .about("Text, or blocks.")
        .schema(R"({"anyOf":[{"type":"string"},{"type":"array","minItems":1,)"
                R"("items":{"anyOf":[{"$ref":"#/components/schemas/AnthropicTextBlock"},)"
                R"({"$ref":"#/components/schemas/AnthropicToolUse"},)"
                R"({"$ref":"#/components/schemas/AnthropicToolResult"},)"
                R"({"$ref":"#/components/schemas/AnthropicThinking"}]}}]})")
        .required(),
};

void add_block(const BlockKind& kind, BlockDraft block, Message& message,
               std::vector<Message>& results) {
  if (kind.type == "text") {
    message.content += block.text;
  } else if (kind.type == "thinking") {
    message.reasoning += block.text;
  } else if (kind.type == "tool_use") {
    message.calls.push_back(std::move(block.call));
  } else {
    Message& result = results.emplace_back(Message{Role::kTool, {}});
    result.content = (block.is_error ? "Error: " : "") + block.text;
    result.call_id = std::move(block.call.id);
  }
}

// A user's message with results is one message each, and what the user says besides.
Result<void> read_blocks(const json::array& blocks, const std::string& path, Role role,
                         std::vector<Message>& messages) {
  Message message{role, {}};
  std::vector<Message> results;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const std::string block_path = join_path(path, i);
    const auto* object = blocks[i].if_object();
    if (object == nullptr) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{} must be an object", block_path),
                  block_path);
    }
    JARIP_TRY(const BlockKind* kind, kind_of(*object, role, block_path));
    BlockDraft block;
    JARIP_CHECK(read_object<BlockDraft>(*object, {kind->fields}, block_path, block));
    add_block(*kind, std::move(block), message, results);
  }
  const bool has_only_results = !results.empty() && message.content.empty();
  std::ranges::move(results, std::back_inserter(messages));
  if (!has_only_results) messages.push_back(std::move(message));
  return {};
}

Result<void> read_message(const json::object& object, const std::string& path,
                          std::vector<Message>& messages) {
  MessageDraft draft;
  JARIP_CHECK(read_object<MessageDraft>(object, {kMessageFields}, path, draft));
  const std::string content_path = join_path(path, "content");
  if (const auto* text = draft.content->if_string()) {
    messages.push_back({draft.role, std::string(*text)});
    return {};
  }
  const auto* blocks = draft.content->if_array();
  if (blocks == nullptr || blocks->empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} must be a string or a list of blocks", content_path), content_path);
  }
  return read_blocks(*blocks, content_path, draft.role, messages);
}

Result<void> read_messages(Json value, Path path, Draft& draft) {
  for (std::size_t i = 0; i < value.get_array().size(); ++i) {
    const std::string message_path = join_path(path, i);
    const auto* object = value.get_array()[i].if_object();
    if (object == nullptr) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{} must be an object", message_path),
                  message_path);
    }
    JARIP_CHECK(read_message(*object, message_path, draft.messages));
  }
  return {};
}

Result<void> read_system(Json value, Path path, Draft& draft) {
  JARIP_TRY(const std::vector<std::string> texts, read_text_parts(value, path, kTextBlocks));
  std::string system;
  for (const std::string& text : texts) {
    if (!text.starts_with(kBillingHeader)) system += text;
  }
  if (!system.empty()) draft.system = std::move(system);
  return {};
}

Result<void> read_stop_sequences(Json value, Path path, Draft& draft) {
  return read_stop(value, path, draft.turn);
}

Result<void> read_format(Json value, Path path, Draft& draft) {
  return take_form(read_output_format(value, path), draft);
}

constexpr std::string_view kFormatSchema =
    R"({"anyOf":[{"$ref":"#/components/schemas/AnthropicOutputFormat"},{"type":"null"}]})";

constexpr Field<Draft> kOutputConfigFields[] = {
    used_field<Draft>("format", JsonType::kObject, {}, read_format)
        .about("A JSON schema that the answer must match.")
        .schema(kFormatSchema),
    neutral_field<Draft>("effort", R"(["high"])"),
};

// What both endpoints take.
constexpr Field<Draft> kPromptFields[] = {
    Common::kModel,
    used_field<Draft>("messages", JsonType::kList, {.min = 1}, read_messages)
        .about("An assistant's message at the end is the beginning of the answer.")
        .schema(R"({"type":"array","minItems":1,)"
                R"("items":{"$ref":"#/components/schemas/AnthropicMessage"}})")
        .required(),
    used_field<Draft>("system", JsonType::kAny, {}, read_system)
        .about("The system prompt, as text or blocks of text.")
        .schema(R"({"anyOf":[{"type":["string","null"]},{"type":"array","minItems":1,)"
                R"("items":{"$ref":"#/components/schemas/AnthropicTextBlock"}}]})"),
    no_effect_field<Draft>("cache_control", JsonType::kObject),
    neutral_field<Draft>("context_management"),
    neutral_field<Draft>("mcp_servers", "[[]]"),
    used_field<Draft>("output_config", JsonType::kObject, {},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        return read_object<Draft>(value.get_object(), {kOutputConfigFields}, path,
                                                  draft);
                      })
        .schema(R"({"anyOf":[{"$ref":"#/components/schemas/AnthropicOutputConfig"},)"
                R"({"type":"null"}]})"),
    used_field<Draft>("output_format", JsonType::kObject, {}, read_format)
        .about("The same as output_config.format.")
        .schema(kFormatSchema),
    used_field<Draft>("thinking", JsonType::kObject, {},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        return read_anthropic_thinking(value, path, draft);
                      })
        .about("Reasoning before the answer: at most so many tokens of it, none, or (adaptive) as "
               "much as the model likes.")
        .schema(kAnthropicThinkingSchema),
    used_field<Draft>("tool_choice", JsonType::kObject, {},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        return read_anthropic_choice(value, path, draft);
                      })
        .about("Whether the model calls tools: auto (it decides), any, none, or one tool by name.")
        .schema(R"({"type":["object","null"],"required":["type"],"additionalProperties":false,)"
                R"("properties":{"type":{"enum":["auto","any","tool","none"]},)"
                R"("name":{"type":["string","null"]},)"
                R"("disable_parallel_tool_use":{"type":["boolean","null"]}}})"),
    used_field<Draft>("tools", JsonType::kList, {0, kMaxTools},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        return read_anthropic_tools(value, path, draft);
                      })
        .about("Functions that the model may ask you to call.")
        .schema(R"({"type":["array","null"],"maxItems":128,)"
                R"("items":{"$ref":"#/components/schemas/AnthropicTool"}})"),
};

constexpr Field<Draft> kAnswerFields[] = {
    used_field<Draft>("max_tokens", JsonType::kInteger, {1, kMaxInt32},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.max_tokens = read_uint32(value);
                        return {};
                      })
        .about("The longest answer, in tokens; the context may end it earlier.")
        .required(),
    used_field<Draft>("stop_sequences", JsonType::kList, {0, kMaxStops}, read_stop_sequences)
        .about("The answer ends before the first of these texts.")
        .schema(R"({"type":["array","null"],"maxItems":16,)"
                R"("items":{"type":"string","minLength":1,"maxLength":1024}})"),
    Common::kStream,
    no_effect_field<Draft>("metadata", JsonType::kObject),
    neutral_field<Draft>("container"),
    neutral_field<Draft>("inference_geo"),
    neutral_field<Draft>("diagnostics"),
    neutral_field<Draft>("service_tier", R"(["auto", "standard_only"])"),
    neutral_field<Draft>("speed", R"(["standard"])"),
};

Result<void> take_messages(Draft& draft) {
  JARIP_CHECK(settle_tools(draft));
  draft.turn.separates = true;
  draft.turn.continues_last = draft.messages.back().role == Role::kAssistant;
  if (draft.system) {
    draft.messages.insert(draft.messages.begin(), Message{Role::kSystem, *draft.system});
  }
  draft.turn.input = std::move(draft.messages);
  return {};
}

}  // namespace

Result<AnthropicRequest> parse_anthropic_request(std::string_view body, std::uint32_t n_vocab) {
  JARIP_TRY(const json::object object, parse_json_object(body));
  Draft draft;
  draft.n_vocab = n_vocab;
  JARIP_CHECK(read_object<Draft>(
      object, {kPromptFields, kAnswerFields, Common::kSampling, Common::kShare}, {}, draft));
  JARIP_CHECK(settle_common(draft));
  const Thinking& thinking = draft.turn.thinking;
  if (thinking.max_tokens.value_or(0) >= *draft.max_tokens) {
    return fail(ErrorCode::kInvalidArgument,
                "thinking.budget_tokens must be less than max_tokens, which it is part of",
                "thinking.budget_tokens");
  }
  JARIP_CHECK(take_messages(draft));
  return AnthropicRequest{std::move(draft.turn), draft.is_stream};
}

Result<Turn> parse_anthropic_count(std::string_view body) {
  JARIP_TRY(const json::object object, parse_json_object(body));
  Draft draft;
  JARIP_CHECK(read_object<Draft>(object, {kPromptFields}, {}, draft));
  JARIP_CHECK(take_messages(draft));
  return std::move(draft.turn);
}

void describe_anthropic_requests(SchemaSet& schemas) {
  schemas.add_object<TextPart>("AnthropicTextBlock", {text_part_fields(), kBlockFields},
                               "A block of text.");
  schemas.add_object<Draft>("AnthropicOutputConfig", {kOutputConfigFields});
  schemas.add_object<BlockDraft>("AnthropicToolUse", {kToolUseFields});
  schemas.add_object<BlockDraft>("AnthropicToolResult", {kToolResultFields});
  schemas.add_object<BlockDraft>("AnthropicThinking", {kThinkingFields});
  schemas.add_object<MessageDraft>("AnthropicMessage", {kMessageFields});
  schemas.add_object<Draft>("AnthropicMessagesRequest",
                            {kPromptFields, kAnswerFields, Common::kSampling, Common::kShare});
  schemas.add_object<Draft>("AnthropicCountTokensRequest", {kPromptFields});
}

}  // namespace jarip
