// Functions, the choice among them and calls of them, as OpenAI's two APIs and Anthropic's write
// them. Pure functions.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "api/common_fields.h"
#include "api/schema_set.h"
#include "app/turn.h"
#include "base/result.h"

namespace jarip {

inline constexpr double kMaxTools = 128;
inline constexpr std::size_t kMaxToolName = 128;

// A name of letters, digits, _ - . and :, of at most kMaxToolName characters.
[[nodiscard]] Result<std::string> read_tool_name(const boost::json::value& value,
                                                 std::string_view path);

// {"type": "function", "function": {…}}, as chats have it.
[[nodiscard]] Result<void> read_chat_tools(const boost::json::value& value, std::string_view path,
                                           AnswerDraft& draft);
// {"type": "function", "name": …, …}
[[nodiscard]] Result<void> read_response_tools(const boost::json::value& value,
                                               std::string_view path, AnswerDraft& draft);
// {"name": …, "input_schema": …}
[[nodiscard]] Result<void> read_anthropic_tools(const boost::json::value& value,
                                                std::string_view path, AnswerDraft& draft);

[[nodiscard]] Result<void> read_chat_choice(const boost::json::value& value, std::string_view path,
                                            AnswerDraft& draft);
[[nodiscard]] Result<void> read_response_choice(const boost::json::value& value,
                                                std::string_view path, AnswerDraft& draft);
[[nodiscard]] Result<void> read_anthropic_choice(const boost::json::value& value,
                                                 std::string_view path, AnswerDraft& draft);

// The calls in an assistant's message of a chat.
[[nodiscard]] Result<std::vector<ToolCall>> read_chat_calls(const boost::json::value& value,
                                                            std::string_view path);
// The text of a call's arguments: a JSON object.
[[nodiscard]] Result<std::string> read_arguments(const boost::json::value& value,
                                                 std::string_view path);

// The choice and the functions fit together.
[[nodiscard]] Result<void> settle_tools(AnswerDraft& draft);

void describe_tools(SchemaSet& schemas);

inline constexpr std::string_view kChatToolsSchema =
    R"({"type":["array","null"],"maxItems":128,"items":{"$ref":"#/components/schemas/ChatTool"}})";
inline constexpr std::string_view kChatChoiceSchema =
    R"({"anyOf":[{"enum":["none","auto","required",null]},{"type":"object",)"
    R"("required":["type","function"],"additionalProperties":false,"properties":{)"
    R"("type":{"const":"function"},"function":{"type":"object","required":["name"],)"
    R"("additionalProperties":false,"properties":{"name":{"type":"string"}}}}},)"
    R"({"type":"object","required":["type","allowed_tools"],"additionalProperties":false,)"
    R"("properties":{"type":{"const":"allowed_tools"},"allowed_tools":{"type":"object",)"
    R"("required":["mode","tools"],"additionalProperties":false,"properties":{)"
    R"("mode":{"enum":["auto","required"]},"tools":{"type":"array","minItems":1,"maxItems":128,)"
    R"("items":{"type":"object","required":["type","function"],"additionalProperties":false,)"
    R"("properties":{"type":{"const":"function"},"function":{"type":"object",)"
    R"("required":["name"],"additionalProperties":false,)"
    R"("properties":{"name":{"type":"string"}}}}}}}}}}]})";

}  // namespace jarip
