#include "api/openai_messages.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <utility>

#include "api/text_parts.h"
#include "api/tool_fields.h"

namespace jarip {
namespace {

namespace json = boost::json;

constexpr std::string_view kTextTypes[] = {"text"};

Result<void> read_role(const json::value& value, std::string_view path, MessageDraft& message) {
  constexpr std::pair<std::string_view, Role> kRoles[] = {{"system", Role::kSystem},
                                                          {"developer", Role::kSystem},
                                                          {"user", Role::kUser},
                                                          {"assistant", Role::kAssistant},
                                                          {"tool", Role::kTool}};
  for (const auto& [name, role] : kRoles) {
    if (value.get_string() == name) {
      message.role = role;
      return {};
    }
  }
  return fail(ErrorCode::kUnsupported,
              fmt::format("{} must be system, developer, user, assistant or tool", path),
              std::string(path));
}

Result<void> read_content(const json::value& value, std::string_view path, MessageDraft& message) {
  JARIP_TRY(message.content, read_joined_parts(value, path, {kTextTypes}));
  return {};
}

// The same under two names: clients send back both, or the one that they know.
Result<void> read_reasoning(const json::value& value, std::string_view, MessageDraft& message) {
  if (!message.reasoning) message.reasoning = std::string(value.get_string());
  return {};
}

// Clients send an earlier answer back as they got it, with what it did not have as null or [].
constexpr Field<MessageDraft> kFields[] = {
    used_field<MessageDraft>("role", JsonType::kString, {}, read_role)
        .schema(R"({"type":"string","enum":["system","developer","user","assistant","tool"]})")
        .required(),
    used_field<MessageDraft>("content", JsonType::kAny, {}, read_content)
        .about("Text, or parts of text. Null only of an assistant.")
        .schema(R"({"anyOf":[{"type":["string","null"]},{"type":"array","minItems":1,)"
                R"("items":{"$ref":"#/components/schemas/TextPart"}}]})"),
    neutral_field<MessageDraft>("annotations", "[[]]"),
    neutral_field<MessageDraft>("audio"),
    neutral_field<MessageDraft>("function_call"),
    neutral_field<MessageDraft>("name"),
    used_field<MessageDraft>("reasoning", JsonType::kString, {}, read_reasoning)
        .about(
            "What an assistant thought before; the model's template decides whether it is read."),
    used_field<MessageDraft>("reasoning_content", JsonType::kString, {}, read_reasoning)
        .about("The same as reasoning."),
    neutral_field<MessageDraft>("refusal"),
    used_field<MessageDraft>(
        "tool_call_id", JsonType::kString, {1, 256},
        [](const json::value& value, std::string_view, MessageDraft& message) -> Result<void> {
          message.call_id = std::string(value.get_string());
          return {};
        })
        .about("Of a tool's message: the call that it answers."),
    used_field<MessageDraft>(
        "tool_calls", JsonType::kList, {0, kMaxTools},
        [](const json::value& value, std::string_view path, MessageDraft& message) -> Result<void> {
          JARIP_TRY(message.calls, read_chat_calls(value, path));
          return {};
        })
        .about("What an assistant called.")
        .schema(R"({"type":["array","null"],"maxItems":128,)"
                R"("items":{"$ref":"#/components/schemas/ChatCall"}})"),
};

// What only some roles can have.
Result<void> check_role(const MessageDraft& message, const std::string& path) {
  const auto misplaced = [&](std::string_view field, std::string_view role) {
    const std::string field_path = join_path(path, field);
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} belongs to messages of the role {} only", field_path, role),
                field_path);
  };
  const bool is_assistant = message.role == Role::kAssistant;
  if (!message.calls.empty() && !is_assistant) return misplaced("tool_calls", "assistant");
  if (!message.reasoning.value_or("").empty() && !is_assistant) {
    return misplaced("reasoning_content", "assistant");
  }
  if (message.call_id && message.role != Role::kTool) return misplaced("tool_call_id", "tool");
  if (!message.call_id && message.role == Role::kTool) {
    return missing_field(join_path(path, "tool_call_id"));
  }
  return {};
}

Result<Message> read_message(const json::value& value, const std::string& path) {
  const auto* object = value.if_object();
  if (object == nullptr) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} must be an object", path), path);
  }
  MessageDraft message;
  JARIP_CHECK(read_object<MessageDraft>(*object, {kFields}, path, message));
  // An assistant that has said nothing is the one whose content may be null.
  if (!message.content && message.role != Role::kAssistant) {
    return missing_field(join_path(path, "content"));
  }
  JARIP_CHECK(check_role(message, path));
  Message out{*message.role, std::move(message.content).value_or("")};
  out.reasoning = std::move(message.reasoning).value_or("");
  out.calls = std::move(message.calls);
  out.call_id = std::move(message.call_id).value_or("");
  return out;
}

}  // namespace

FieldTable<MessageDraft> openai_message_fields() { return kFields; }

Result<std::vector<Message>> read_openai_messages(const json::value& list, std::string_view path) {
  std::vector<Message> messages;
  for (std::size_t i = 0; i < list.get_array().size(); ++i) {
    JARIP_TRY(Message message, read_message(list.get_array()[i], join_path(path, i)));
    messages.push_back(std::move(message));
  }
  return messages;
}

}  // namespace jarip
