#include "api/openai_messages.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <utility>

#include "api/text_parts.h"

namespace jarip {
namespace {

namespace json = boost::json;

constexpr std::string_view kTextTypes[] = {"text"};

Result<void> read_role(const json::value& value, std::string_view path, MessageDraft& message) {
  constexpr std::pair<std::string_view, Role> kRoles[] = {{"system", Role::kSystem},
                                                          {"developer", Role::kSystem},
                                                          {"user", Role::kUser},
                                                          {"assistant", Role::kAssistant}};
  for (const auto& [name, role] : kRoles) {
    if (value.get_string() == name) {
      message.role = role;
      return {};
    }
  }
  return fail(ErrorCode::kUnsupported,
              fmt::format("{} must be system, developer, user or assistant", path),
              std::string(path));
}

Result<void> read_content(const json::value& value, std::string_view path, MessageDraft& message) {
  JARIP_TRY(message.content, read_joined_parts(value, path, {kTextTypes}));
  return {};
}

// Clients send an earlier answer back as they got it, with what it did not have as null or [].
constexpr Field<MessageDraft> kFields[] = {
    used_field<MessageDraft>("role", JsonType::kString, {}, read_role)
        .schema(R"({"type":"string","enum":["system","developer","user","assistant"]})")
        .required(),
    used_field<MessageDraft>("content", JsonType::kAny, {}, read_content)
        .about("Text, or parts of text. Null only of an assistant.")
        .schema(R"({"anyOf":[{"type":["string","null"]},{"type":"array","minItems":1,)"
                R"("items":{"$ref":"#/components/schemas/TextPart"}}]})"),
    neutral_field<MessageDraft>("annotations", "[[]]"),
    neutral_field<MessageDraft>("audio"),
    neutral_field<MessageDraft>("function_call"),
    neutral_field<MessageDraft>("name"),
    neutral_field<MessageDraft>("reasoning", R"([""])"),
    neutral_field<MessageDraft>("reasoning_content", R"([""])"),
    neutral_field<MessageDraft>("refusal"),
    neutral_field<MessageDraft>("tool_call_id"),
    neutral_field<MessageDraft>("tool_calls", "[[]]"),
};

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
  return Message{*message.role, std::move(message.content).value_or("")};
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
