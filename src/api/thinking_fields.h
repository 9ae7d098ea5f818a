// How hard a model is to think, as OpenAI's two APIs and Anthropic's say it, and variables of its
// chat template. Pure functions.
#pragma once

#include <boost/json/value.hpp>
#include <string_view>

#include "api/common_fields.h"
#include "base/result.h"

namespace jarip {

inline constexpr std::string_view kEffortSchema =
    R"({"enum":["none","minimal","low","medium","high","xhigh","max",null]})";
inline constexpr std::string_view kTemplateVariablesSchema =
    R"({"type":["object","null"],"maxProperties":32})";
inline constexpr std::string_view kAnthropicThinkingSchema =
    R"({"anyOf":[{"type":"null"},{"type":"object","required":["type","budget_tokens"],)"
    R"("additionalProperties":false,"properties":{"type":{"const":"enabled"},)"
    R"("budget_tokens":{"type":"integer","minimum":1,"maximum":2147483647}}},)"
    R"({"type":"object","required":["type"],"additionalProperties":false,)"
    R"("properties":{"type":{"enum":["adaptive","disabled"]},"budget_tokens":{"type":"null"}}}]})";

// none, or how hard.
[[nodiscard]] Result<void> read_effort(const boost::json::value& value, std::string_view path,
                                       AnswerDraft& draft);
// The most tokens of reasoning.
[[nodiscard]] Result<void> read_thinking_budget(const boost::json::value& value,
                                                std::string_view path, AnswerDraft& draft);
// Names and values, but not those that the server sets itself.
[[nodiscard]] Result<void> read_template_variables(const boost::json::value& value,
                                                   std::string_view path, AnswerDraft& draft);
// {"type": "enabled", "budget_tokens": …}, {"type": "disabled"} or {"type": "adaptive"}
[[nodiscard]] Result<void> read_anthropic_thinking(const boost::json::value& value,
                                                   std::string_view path, AnswerDraft& draft);

}  // namespace jarip
