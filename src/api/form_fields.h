// The fields by which OpenAI's completion endpoints, and the extensions of vLLM and llama.cpp, say
// what an answer must match, as rows for a dialect whose draft is Draft.
#pragma once

#include <boost/json/value.hpp>
#include <string_view>

#include "api/answer_form.h"
#include "api/common_fields.h"
#include "api/field_table.h"

namespace jarip {

template <class Draft>
struct FormFields {
  using Json = const boost::json::value&;
  using Path = std::string_view;

  template <GrammarKind kind>
  static Result<void> read_text(Json value, Path path, Draft& draft) {
    if (value.get_string().empty()) return {};  // as clients write that there is none
    return take_form(text_form(kind, value, path), draft);
  }
  static Result<void> read_schema(Json value, Path path, Draft& draft) {
    return take_form(read_schema_form(value, path), draft);
  }

  static constexpr Field<Draft> kRows[] = {
      used_field<Draft>("response_format", JsonType::kObject, {},
                        [](Json value, Path path, Draft& draft) -> Result<void> {
                          return take_form(read_response_format(value, path), draft);
                        })
          .about("What the answer must be: any text, a JSON object, or JSON that a schema allows.")
          .schema(R"({"anyOf":[{"$ref":"#/components/schemas/ResponseFormat"},{"type":"null"}]})"),
      used_field<Draft>("structured_outputs", JsonType::kObject, {},
                        [](Json value, Path path, Draft& draft) -> Result<void> {
                          return take_form(read_structured_outputs(value, path), draft);
                        })
          .about("What the answer must match, in one of its fields.")
          .schema(
              R"({"anyOf":[{"$ref":"#/components/schemas/StructuredOutputs"},{"type":"null"}]})"),
      used_field<Draft>("grammar", JsonType::kString, {}, read_text<GrammarKind::kEbnf>)
          .about("A grammar in EBNF that the answer must match."),
      used_field<Draft>("guided_choice", JsonType::kList, {1, kMaxFormChoices},
                        [](Json value, Path path, Draft& draft) -> Result<void> {
                          return take_form(read_choice_form(value, path), draft);
                        })
          .about("The answer is one of these texts.")
          .schema(kChoiceSchema),
      used_field<Draft>("guided_grammar", JsonType::kString, {}, read_text<GrammarKind::kEbnf>)
          .about("The same as grammar."),
      used_field<Draft>("guided_json", JsonType::kAny, {}, read_schema)
          .about("A JSON schema that the answer must match.")
          .schema(kSchemaSchema),
      used_field<Draft>("guided_regex", JsonType::kString, {}, read_text<GrammarKind::kRegex>)
          .about("A regular expression that the whole answer must match."),
  };
};

}  // namespace jarip
