// What an answer must match, as OpenAI's response_format and the extensions of vLLM and llama.cpp
// say it. Pure functions.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string_view>

#include "api/schema_set.h"
#include "app/turn.h"
#include "base/result.h"

namespace jarip {

// {"type": "text" | "json_object" | "json_schema", …}; nothing of "text". Errors: kInvalidArgument
// and kUnsupported, by path.
[[nodiscard]] Result<std::optional<AnswerForm>> read_response_format(
    const boost::json::value& value, std::string_view path);

// The same in the words of the Responses API: {"type": …, "name": …, "schema": …}, …
[[nodiscard]] Result<std::optional<AnswerForm>> read_text_format(const boost::json::value& value,
                                                                 std::string_view path);

// … and in Anthropic's: {"type": "json_schema", "schema": …}.
[[nodiscard]] Result<std::optional<AnswerForm>> read_output_format(const boost::json::value& value,
                                                                   std::string_view path);

// {"json" | "regex" | "choice" | "grammar" | "json_object": …}, one of them.
[[nodiscard]] Result<std::optional<AnswerForm>> read_structured_outputs(
    const boost::json::value& value, std::string_view path);

// A schema, as an object or as its text.
[[nodiscard]] Result<AnswerForm> read_schema_form(const boost::json::value& value,
                                                  std::string_view path);
// One of these texts, of which there are at most kMaxFormChoices.
inline constexpr std::uint32_t kMaxFormChoices = 1000;
[[nodiscard]] Result<AnswerForm> read_choice_form(const boost::json::value& value,
                                                  std::string_view path);
[[nodiscard]] AnswerForm text_form(GrammarKind kind, const boost::json::value& text,
                                   std::string_view path);

// JSON schemas of the values of read_schema_form() and read_choice_form().
inline constexpr std::string_view kSchemaSchema =
    R"({"type":["object","boolean","string","null"]})";
inline constexpr std::string_view kChoiceSchema =
    R"({"type":["array","null"],"minItems":1,"maxItems":1000,)"
    R"("items":{"type":"string","minLength":1,"maxLength":1024}})";

void describe_answer_forms(SchemaSet& schemas);

}  // namespace jarip
