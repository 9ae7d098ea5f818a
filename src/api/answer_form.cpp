#include "api/answer_form.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <cctype>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "api/field_table.h"

namespace jarip {
namespace {

namespace json = boost::json;

constexpr std::string_view kAnyObject = R"({"type": "object"})";

using Json = const json::value&;
using Path = std::string_view;

// --- response_format ---

struct FormatDraft {
  std::string type;
  std::optional<AnswerForm> schema;
};

constexpr Field<FormatDraft> kType =
    used_field<FormatDraft>("type", JsonType::kString, {},
                            [](Json value, Path, FormatDraft& draft) -> Result<void> {
                              draft.type = std::string(value.get_string());
                              return {};
                            })
        .schema(R"({"enum":["text","json_object","json_schema"]})")
        .required();
constexpr Field<FormatDraft> kSchema =
    used_field<FormatDraft>("schema", JsonType::kAny, {},
                            [](Json value, Path path, FormatDraft& draft) -> Result<void> {
                              JARIP_TRY(draft.schema, read_schema_form(value, path));
                              return {};
                            })
        .about("A JSON schema.")
        .schema(kSchemaSchema);

constexpr Field<FormatDraft> kJsonSchemaFields[] = {
    no_effect_field<FormatDraft>("name", JsonType::kString),
    no_effect_field<FormatDraft>("description", JsonType::kString),
    no_effect_field<FormatDraft>("strict", JsonType::kBool),  // a schema is always held to
    kSchema,
};

constexpr Field<FormatDraft> kFormatFields[] = {
    kType,
    used_field<FormatDraft>("json_schema", JsonType::kObject, {},
                            [](Json value, Path path, FormatDraft& draft) -> Result<void> {
                              return read_object<FormatDraft>(value.get_object(),
                                                              {kJsonSchemaFields}, path, draft);
                            })
        .schema(R"({"anyOf":[{"$ref":"#/components/schemas/JsonSchemaFormat"},{"type":"null"}]})"),
    kSchema,  // llama.cpp's way to write it
};

// The Responses API has no object between.
constexpr Field<FormatDraft> kTextFormatFields[] = {kType};

constexpr Field<FormatDraft> kOutputFormatFields[] = {
    kType.schema(R"({"const":"json_schema"})"),
    kSchema.required(),
};

// schema_path: where a schema belongs.
Result<std::optional<AnswerForm>> form_of(FormatDraft draft, Path path, Path schema_path) {
  const std::string type_path = join_path(path, "type");
  if (draft.type != "text" && draft.type != "json_object" && draft.type != "json_schema") {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{} must be text, json_object or json_schema", type_path), type_path);
  }
  if (draft.type == "text") {
    if (!draft.schema) return std::nullopt;
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is text, but there is a schema", type_path), type_path);
  }
  if (draft.schema) return std::move(draft.schema);
  if (draft.type == "json_schema") return missing_field(join_path(path, schema_path));
  return AnswerForm{{GrammarKind::kJsonSchema, std::string(kAnyObject)}, std::string(path)};
}

// --- structured_outputs ---

struct OutputsDraft {
  std::optional<AnswerForm> form;
  unsigned n = 0;

  void set(AnswerForm value) {
    form = std::move(value);
    ++n;
  }
};

constexpr Field<OutputsDraft> kOutputsFields[] = {
    used_field<OutputsDraft>("json", JsonType::kAny, {},
                             [](Json value, Path path, OutputsDraft& draft) -> Result<void> {
                               JARIP_TRY(AnswerForm form, read_schema_form(value, path));
                               draft.set(std::move(form));
                               return {};
                             })
        .about("A JSON schema.")
        .schema(kSchemaSchema),
    used_field<OutputsDraft>("regex", JsonType::kString, {},
                             [](Json value, Path path, OutputsDraft& draft) -> Result<void> {
                               draft.set(text_form(GrammarKind::kRegex, value, path));
                               return {};
                             }),
    used_field<OutputsDraft>("choice", JsonType::kList, {1, kMaxFormChoices},
                             [](Json value, Path path, OutputsDraft& draft) -> Result<void> {
                               JARIP_TRY(AnswerForm form, read_choice_form(value, path));
                               draft.set(std::move(form));
                               return {};
                             })
        .about("The answer is one of these texts.")
        .schema(kChoiceSchema),
    used_field<OutputsDraft>("grammar", JsonType::kString, {},
                             [](Json value, Path path, OutputsDraft& draft) -> Result<void> {
                               draft.set(text_form(GrammarKind::kEbnf, value, path));
                               return {};
                             }),
    used_field<OutputsDraft>("json_object", JsonType::kBool, {},
                             [](Json value, Path path, OutputsDraft& draft) -> Result<void> {
                               if (!value.get_bool()) return {};
                               draft.set({{GrammarKind::kJsonSchema, std::string(kAnyObject)},
                                          std::string(path)});
                               return {};
                             }),
};

// The characters as a regular expression that matches them alone.
std::string quote(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = byte >= 0x80 || std::isalnum(byte) != 0;
    out += is_plain ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return out;
}

}  // namespace

Result<std::optional<AnswerForm>> read_response_format(Json value, Path path) {
  FormatDraft draft;
  JARIP_CHECK(read_object<FormatDraft>(value.get_object(), {kFormatFields}, path, draft));
  return form_of(std::move(draft), path, "json_schema.schema");
}

Result<std::optional<AnswerForm>> read_text_format(Json value, Path path) {
  FormatDraft draft;
  JARIP_CHECK(read_object<FormatDraft>(value.get_object(), {kTextFormatFields, kJsonSchemaFields},
                                       path, draft));
  return form_of(std::move(draft), path, "schema");
}

Result<std::optional<AnswerForm>> read_output_format(Json value, Path path) {
  FormatDraft draft;
  JARIP_CHECK(read_object<FormatDraft>(value.get_object(), {kOutputFormatFields}, path, draft));
  if (draft.type == "json_schema") return std::move(draft.schema);
  const std::string type_path = join_path(path, "type");
  return fail(ErrorCode::kUnsupported,
              fmt::format("{} is supported only as \"json_schema\"", type_path), type_path);
}

Result<std::optional<AnswerForm>> read_structured_outputs(Json value, Path path) {
  OutputsDraft draft;
  JARIP_CHECK(read_object<OutputsDraft>(value.get_object(), {kOutputsFields}, path, draft));
  if (draft.n <= 1) return std::move(draft.form);
  return fail(
      ErrorCode::kInvalidArgument,
      fmt::format("{} can hold only one of json, regex, choice, grammar and json_object", path),
      std::string(path));
}

Result<AnswerForm> read_schema_form(Json value, Path path) {
  if (const auto* text = value.if_string()) {
    return AnswerForm{{GrammarKind::kJsonSchema, std::string(*text)}, std::string(path)};
  }
  if (!value.is_object() && !value.is_bool()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} must be a JSON schema", path),
                std::string(path));
  }
  return AnswerForm{{GrammarKind::kJsonSchema, json::serialize(value)}, std::string(path)};
}

Result<AnswerForm> read_choice_form(Json value, Path path) {
  std::string pattern;
  for (std::size_t i = 0; i < value.get_array().size(); ++i) {
    const std::string item_path = join_path(path, i);
    const json::value& item = value.get_array()[i];
    JARIP_CHECK(
        check_value({item_path, JsonType::kString, FieldUse::kUsed, {1, 1024}}, item, item_path));
    if (i > 0) pattern += '|';
    pattern += quote(std::string_view(item.get_string()));
  }
  return AnswerForm{{GrammarKind::kRegex, std::move(pattern)}, std::string(path)};
}

AnswerForm text_form(GrammarKind kind, Json text, Path path) {
  return {{kind, std::string(text.get_string())}, std::string(path)};
}

void describe_answer_forms(SchemaSet& schemas) {
  schemas.add_object<FormatDraft>("JsonSchemaFormat", {kJsonSchemaFields});
  schemas.add_object<FormatDraft>("ResponseFormat", {kFormatFields});
  schemas.add_object<FormatDraft>("ResponseTextFormat", {kTextFormatFields, kJsonSchemaFields});
  schemas.add_object<FormatDraft>("AnthropicOutputFormat", {kOutputFormatFields});
  schemas.add_object<OutputsDraft>("StructuredOutputs", {kOutputsFields},
                                   "Only one field may say something.");
}

}  // namespace jarip
