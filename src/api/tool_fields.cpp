#include "api/tool_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cctype>
#include <optional>
#include <utility>

#include "api/field_table.h"
#include "api/json_body.h"

namespace jarip {
namespace {

namespace json = boost::json;

using Json = const json::value&;
using Path = std::string_view;

constexpr FieldRange kNameLength{1, kMaxToolName};
constexpr std::string_view kNameSchema =
    R"({"type":"string","pattern":"^[a-zA-Z0-9_.:-]{1,128}$"})";

struct ToolDraft {
  Tool tool;
};

// What the template and the grammar take: a schema of objects, with its properties.
Result<void> read_parameters(Json value, Path path, Tool& tool) {
  json::object schema = value.get_object();
  const auto* type = schema.if_contains("type");
  if (type == nullptr) {
    schema["type"] = "object";
  } else if (*type != "object") {
    const std::string type_path = join_path(path, "type");
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} must be \"object\": arguments are an object", type_path),
                type_path);
  }
  if (!schema.contains("properties")) schema["properties"] = json::object();
  tool.parameters = json::serialize(schema);
  tool.field = path;
  return {};
}

// --- the rows that the dialects share; get() finds the tool in their drafts ---

template <class Draft, Tool& (*get)(Draft&)>
struct ToolRows {
  static constexpr Field<Draft> kName =
      used_field<Draft>("name", JsonType::kString, kNameLength,
                        [](Json value, Path path, Draft& draft) -> Result<void> {
                          JARIP_TRY(get(draft).name, read_tool_name(value, path));
                          return {};
                        })
          .schema(kNameSchema)
          .required();
  static constexpr Field<Draft> kDescription =
      used_field<Draft>("description", JsonType::kString, {},
                        [](Json value, Path, Draft& draft) -> Result<void> {
                          get(draft).description = std::string(value.get_string());
                          return {};
                        })
          .about("What the function does, for the model.");
  static constexpr Field<Draft> parameters(std::string_view name) {
    return used_field<Draft>(name, JsonType::kObject, {},
                             [](Json value, Path path, Draft& draft) -> Result<void> {
                               return read_parameters(value, path, get(draft));
                             })
        .about("A JSON schema of the arguments. Absent: the function takes none.");
  }
  static constexpr Field<Draft> kStrict =
      used_field<Draft>("strict", JsonType::kBool, {},
                        [](Json value, Path, Draft& draft) -> Result<void> {
                          get(draft).is_strict = value.get_bool();
                          return {};
                        })
          .about("Calls of this function match its schema, whatever tool_choice is.");
};

Tool& itself(Tool& tool) { return tool; }
Tool& tool_of(ToolDraft& draft) { return draft.tool; }
using FunctionRows = ToolRows<Tool, itself>;
using FlatRows = ToolRows<ToolDraft, tool_of>;

// Of what isn't a function, its type is what can't be honoured.
Result<void> read_type(Json value, Path path, ToolDraft&) {
  if (value.get_string() == "function") return {};
  return fail(ErrorCode::kUnsupported, fmt::format("{} is supported only as \"function\"", path),
              std::string(path));
}

Result<void> read_anthropic_type(Json value, Path path, ToolDraft&) {
  if (value.get_string() == "custom") return {};
  return fail(
      ErrorCode::kUnsupported,
      fmt::format("{} is supported only as \"custom\": Anthropic's own tools don't run here", path),
      std::string(path));
}

constexpr Field<Tool> kFunctionFields[] = {
    FunctionRows::kName,
    FunctionRows::kDescription,
    FunctionRows::parameters("parameters"),
    FunctionRows::kStrict,
};

constexpr Field<ToolDraft> kTypeField =
    used_field<ToolDraft>("type", JsonType::kString, {}, read_type)
        .schema(R"({"const":"function"})")
        .required();

constexpr Field<ToolDraft> kChatToolFields[] = {
    kTypeField,
    used_field<ToolDraft>("function", JsonType::kObject, {},
                          [](Json value, Path path, ToolDraft& draft) -> Result<void> {
                            return read_object<Tool>(value.get_object(), {kFunctionFields}, path,
                                                     draft.tool);
                          })
        .schema(R"({"$ref":"#/components/schemas/ChatFunction"})")
        .required(),
};

constexpr Field<ToolDraft> kResponseToolFields[] = {
    kTypeField,        FlatRows::kName, FlatRows::kDescription, FlatRows::parameters("parameters"),
    FlatRows::kStrict,
};

constexpr Field<ToolDraft> kAnthropicToolFields[] = {
    used_field<ToolDraft>("type", JsonType::kString, {}, read_anthropic_type)
        .schema(R"({"enum":["custom",null]})"),
    FlatRows::kName,
    FlatRows::kDescription,
    FlatRows::parameters("input_schema").required(),
    FlatRows::kStrict,
    no_effect_field<ToolDraft>("cache_control", JsonType::kObject),
    no_effect_field<ToolDraft>("eager_input_streaming", JsonType::kBool),
    neutral_field<ToolDraft>("allowed_callers", R"([["direct"]])"),
    neutral_field<ToolDraft>("defer_loading", "[false]"),
    neutral_field<ToolDraft>("input_examples", "[[]]"),
};

Result<const json::object*> object_at(Json value, Path path) {
  if (const auto* object = value.if_object()) return object;
  return fail(ErrorCode::kInvalidArgument, fmt::format("{} must be an object", path),
              std::string(path));
}

Result<void> read_tools(Json value, Path path, FieldTable<ToolDraft> fields, AnswerDraft& draft) {
  draft.turn.tools.clear();
  for (std::size_t i = 0; i < value.get_array().size(); ++i) {
    const std::string tool_path = join_path(path, i);
    JARIP_TRY(const json::object* object, object_at(value.get_array()[i], tool_path));
    // Of a tool that isn't a function, the type is the reason, and not the fields that it has.
    if (const auto* type = object->if_contains("type"); type != nullptr && type->is_string()) {
      ToolDraft unused;
      JARIP_CHECK(fields.front().read(*type, join_path(tool_path, "type"), unused));
    }
    ToolDraft tool;
    JARIP_CHECK(read_object<ToolDraft>(*object, {fields}, tool_path, tool));
    if (tool.tool.parameters.empty()) {
      JARIP_CHECK(read_parameters(json::object(), tool_path, tool.tool));
    }
    const auto same = std::ranges::find(draft.turn.tools, tool.tool.name, &Tool::name);
    if (same != draft.turn.tools.end()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} has the same name as another: {}", tool_path, tool.tool.name),
                  tool_path);
    }
    draft.turn.tools.push_back(std::move(tool.tool));
  }
  return {};
}

// --- the choice ---

std::optional<ToolChoice::Kind> choice_of(std::string_view word) {
  if (word == "none") return ToolChoice::Kind::kNone;
  if (word == "auto") return ToolChoice::Kind::kAuto;
  if (word == "required" || word == "any") return ToolChoice::Kind::kRequired;
  return std::nullopt;
}

struct ChoiceDraft {
  std::string type;
  std::string name;
  std::optional<bool> disables_parallel;
  std::string mode;
  const json::array* allowed = nullptr;  // with a mode
};

Result<void> read_choice_name(Json value, Path path, ChoiceDraft& draft) {
  JARIP_TRY(draft.name, read_tool_name(value, path));
  return {};
}

constexpr Field<ChoiceDraft> kNameField =
    used_field<ChoiceDraft>("name", JsonType::kString, kNameLength, read_choice_name);
constexpr Field<ChoiceDraft> kChoiceTypeField =
    used_field<ChoiceDraft>("type", JsonType::kString, {},
                            [](Json value, Path, ChoiceDraft& draft) -> Result<void> {
                              draft.type = std::string(value.get_string());
                              return {};
                            })
        .required();

constexpr Field<ChoiceDraft> kChoiceFunctionFields[] = {kNameField.required()};
constexpr Field<ChoiceDraft> kChatChoiceFields[] = {
    kChoiceTypeField,
    used_field<ChoiceDraft>("function", JsonType::kObject, {},
                            [](Json value, Path path, ChoiceDraft& draft) -> Result<void> {
                              return read_object<ChoiceDraft>(value.get_object(),
                                                              {kChoiceFunctionFields}, path, draft);
                            })
        .required(),
};
constexpr Field<ChoiceDraft> kResponseChoiceFields[] = {kChoiceTypeField, kNameField.required()};
constexpr Field<ChoiceDraft> kAnthropicChoiceFields[] = {
    kChoiceTypeField,
    kNameField,
    used_field<ChoiceDraft>("disable_parallel_tool_use", JsonType::kBool, {},
                            [](Json value, Path, ChoiceDraft& draft) -> Result<void> {
                              draft.disables_parallel = value.get_bool();
                              return {};
                            }),
};

// Of {"type": "allowed_tools"}; in chats they lie in a member of that name.
constexpr Field<ChoiceDraft> kAllowedFields[] = {
    used_field<ChoiceDraft>("mode", JsonType::kString, {},
                            [](Json value, Path path, ChoiceDraft& draft) -> Result<void> {
                              draft.mode = std::string(value.get_string());
                              if (draft.mode == "auto" || draft.mode == "required") return {};
                              return fail(ErrorCode::kInvalidArgument,
                                          fmt::format("{} must be auto or required", path),
                                          std::string(path));
                            })
        .required(),
    used_field<ChoiceDraft>("tools", JsonType::kList, {1, kMaxTools},
                            [](Json value, Path, ChoiceDraft& draft) -> Result<void> {
                              draft.allowed = &value.get_array();
                              return {};
                            })
        .required(),
};
constexpr Field<ChoiceDraft> kChatAllowedFields[] = {
    kChoiceTypeField,
    used_field<ChoiceDraft>("allowed_tools", JsonType::kObject, {},
                            [](Json value, Path path, ChoiceDraft& draft) -> Result<void> {
                              return read_object<ChoiceDraft>(value.get_object(), {kAllowedFields},
                                                              path, draft);
                            })
        .required(),
};
constexpr Field<ChoiceDraft> kAllowedTypeField[] = {kChoiceTypeField};

// item_fields: of a function among those that are allowed, as of one that is named.
Result<void> read_allowed(const json::object& object, Path path,
                          FieldTable<ChoiceDraft> item_fields, bool is_chat, AnswerDraft& draft) {
  ChoiceDraft choice;
  JARIP_CHECK(is_chat ? read_object<ChoiceDraft>(object, {kChatAllowedFields}, path, choice)
                      : read_object<ChoiceDraft>(object, {kAllowedTypeField, kAllowedFields}, path,
                                                 choice));
  const std::string list_path =
      join_path(is_chat ? join_path(path, "allowed_tools") : std::string(path), "tools");
  std::vector<std::string> names;
  for (std::size_t i = 0; i < choice.allowed->size(); ++i) {
    const std::string item_path = join_path(list_path, i);
    JARIP_TRY(const json::object* item, object_at((*choice.allowed)[i], item_path));
    ChoiceDraft function;
    JARIP_CHECK(read_object<ChoiceDraft>(*item, {item_fields}, item_path, function));
    if (function.type != "function") {
      const std::string type_path = join_path(item_path, "type");
      return fail(ErrorCode::kUnsupported,
                  fmt::format("{} is supported only as \"function\"", type_path), type_path);
    }
    names.push_back(std::move(function.name));
  }
  draft.turn.tool_choice.kind =
      choice.mode == "auto" ? ToolChoice::Kind::kAuto : ToolChoice::Kind::kRequired;
  draft.turn.tool_choice.allowed = std::move(names);
  draft.tool_choice_field = list_path;
  return {};
}

// A word, or an object that names a function or several.
Result<void> read_choice(Json value, Path path, FieldTable<ChoiceDraft> fields,
                         std::string_view name_path, AnswerDraft& draft) {
  if (const auto* word = value.if_string()) {
    const auto kind = choice_of(*word);
    if (!kind || *word == "any") {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} must be none, auto, required or name a function", path),
                  std::string(path));
    }
    draft.turn.tool_choice.kind = *kind;
    draft.tool_choice_field = path;
    return {};
  }
  JARIP_TRY(const json::object* object, object_at(value, path));
  // Of another type, the type is the reason, and not the fields that it has.
  const auto* type = object->if_contains("type");
  if (type != nullptr && *type == "allowed_tools") {
    return read_allowed(*object, path, fields, name_path != "name", draft);
  }
  if (type != nullptr && type->is_string() && *type != "function") {
    const std::string type_path = join_path(path, "type");
    return fail(ErrorCode::kUnsupported,
                fmt::format("{} is supported only as \"function\" or \"allowed_tools\"", type_path),
                type_path);
  }
  ChoiceDraft choice;
  JARIP_CHECK(read_object<ChoiceDraft>(*object, {fields}, path, choice));
  draft.turn.tool_choice.kind = ToolChoice::Kind::kNamed;
  draft.turn.tool_choice.name = std::move(choice.name);
  draft.tool_choice_field = join_path(path, name_path);
  return {};
}

// --- calls ---

struct CallDraft {
  ToolCall call;
};

constexpr Field<CallDraft> kCallFunctionFields[] = {
    used_field<CallDraft>("name", JsonType::kString, kNameLength,
                          [](Json value, Path path, CallDraft& draft) -> Result<void> {
                            JARIP_TRY(draft.call.name, read_tool_name(value, path));
                            return {};
                          })
        .schema(kNameSchema)
        .required(),
    used_field<CallDraft>("arguments", JsonType::kString, {},
                          [](Json value, Path path, CallDraft& draft) -> Result<void> {
                            JARIP_TRY(draft.call.arguments, read_arguments(value, path));
                            return {};
                          })
        .about("A JSON object, as text.")
        .required(),
};

constexpr Field<CallDraft> kCallFields[] = {
    used_field<CallDraft>("id", JsonType::kString, {1, 256},
                          [](Json value, Path, CallDraft& draft) -> Result<void> {
                            draft.call.id = std::string(value.get_string());
                            return {};
                          })
        .required(),
    used_field<CallDraft>("type", JsonType::kString, {},
                          [](Json value, Path path, CallDraft&) -> Result<void> {
                            if (value.get_string() == "function") return {};
                            return fail(ErrorCode::kUnsupported,
                                        fmt::format("{} is supported only as \"function\"", path),
                                        std::string(path));
                          })
        .schema(R"({"enum":["function",null]})"),
    used_field<CallDraft>("function", JsonType::kObject, {},
                          [](Json value, Path path, CallDraft& draft) -> Result<void> {
                            return read_object<CallDraft>(value.get_object(), {kCallFunctionFields},
                                                          path, draft);
                          })
        .schema(R"({"$ref":"#/components/schemas/ChatCallFunction"})")
        .required(),
    no_effect_field<CallDraft>("index", JsonType::kInteger),
};

}  // namespace

Result<std::string> read_tool_name(Json value, Path path) {
  JARIP_CHECK(check_value({path, JsonType::kString, FieldUse::kUsed, kNameLength}, value, path));
  const std::string_view name = value.get_string();
  const bool is_plain = std::ranges::all_of(name, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("_-.:").contains(c);
  });
  if (is_plain) return std::string(name);
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{} may have letters, digits, _ - . and : only", path),
              std::string(path));
}

Result<void> read_chat_tools(Json value, Path path, AnswerDraft& draft) {
  return read_tools(value, path, kChatToolFields, draft);
}

Result<void> read_response_tools(Json value, Path path, AnswerDraft& draft) {
  return read_tools(value, path, kResponseToolFields, draft);
}

Result<void> read_anthropic_tools(Json value, Path path, AnswerDraft& draft) {
  return read_tools(value, path, kAnthropicToolFields, draft);
}

Result<void> read_chat_choice(Json value, Path path, AnswerDraft& draft) {
  return read_choice(value, path, kChatChoiceFields, "function.name", draft);
}

Result<void> read_response_choice(Json value, Path path, AnswerDraft& draft) {
  return read_choice(value, path, kResponseChoiceFields, "name", draft);
}

Result<void> read_anthropic_choice(Json value, Path path, AnswerDraft& draft) {
  JARIP_TRY(const json::object* object, object_at(value, path));
  ChoiceDraft choice;
  JARIP_CHECK(read_object<ChoiceDraft>(*object, {kAnthropicChoiceFields}, path, choice));
  const std::string type_path = join_path(path, "type");
  const bool is_named = choice.type == "tool";
  const auto kind = is_named                    ? ToolChoice::Kind::kNamed
                    : choice.type == "required" ? std::nullopt
                                                : choice_of(choice.type);
  if (!kind) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} must be auto, any, tool or none", type_path), type_path);
  }
  const std::string name_path = join_path(path, "name");
  if (is_named && choice.name.empty()) return missing_field(name_path);
  if (!is_named && !choice.name.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} belongs to the type tool only", name_path), name_path);
  }
  draft.turn.tool_choice.kind = *kind;
  draft.turn.tool_choice.name = std::move(choice.name);
  if (choice.disables_parallel) draft.turn.tool_choice.is_parallel = !*choice.disables_parallel;
  draft.tool_choice_field = is_named ? name_path : std::string(path);
  return {};
}

Result<std::vector<ToolCall>> read_chat_calls(Json value, Path path) {
  std::vector<ToolCall> calls;
  for (std::size_t i = 0; i < value.get_array().size(); ++i) {
    const std::string call_path = join_path(path, i);
    JARIP_TRY(const json::object* object, object_at(value.get_array()[i], call_path));
    CallDraft draft;
    JARIP_CHECK(read_object<CallDraft>(*object, {kCallFields}, call_path, draft));
    calls.push_back(std::move(draft.call));
  }
  return calls;
}

Result<std::string> read_arguments(Json value, Path path) {
  const std::string_view text = value.get_string();
  if (text.empty()) return "{}";  // as some clients write that there are none
  if (parse_json_object(text)) return std::string(text);
  return fail(
      ErrorCode::kInvalidArgument,
      fmt::format("{} must be a JSON object, as text, nested at most {} deep", path, kMaxJsonDepth),
      std::string(path));
}

Result<void> settle_tools(AnswerDraft& draft) {
  const ToolChoice& choice = draft.turn.tool_choice;
  const bool must_call =
      choice.kind == ToolChoice::Kind::kRequired || choice.kind == ToolChoice::Kind::kNamed;
  if (must_call && draft.turn.tools.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} asks for a call, but there are no tools", draft.tool_choice_field),
                draft.tool_choice_field);
  }
  for (std::size_t i = 0; i < choice.allowed.size(); ++i) {
    if (std::ranges::find(draft.turn.tools, choice.allowed[i], &Tool::name) ==
        draft.turn.tools.end()) {
      const std::string item_path = join_path(draft.tool_choice_field, i);
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: there is no tool \"{}\"", item_path, choice.allowed[i]),
                  item_path);
    }
  }
  if (choice.kind == ToolChoice::Kind::kNamed &&
      std::ranges::find(draft.turn.tools, choice.name, &Tool::name) == draft.turn.tools.end()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: there is no tool \"{}\"", draft.tool_choice_field, choice.name),
                draft.tool_choice_field);
  }
  return {};
}

void describe_tools(SchemaSet& schemas) {
  schemas.add_object<Tool>("ChatFunction", {kFunctionFields});
  schemas.add_object<ToolDraft>("ChatTool", {kChatToolFields});
  schemas.add_object<CallDraft>("ChatCallFunction", {kCallFunctionFields});
  schemas.add_object<CallDraft>("ChatCall", {kCallFields});
  schemas.add_object<ToolDraft>("ResponseTool", {kResponseToolFields});
  schemas.add_object<ToolDraft>("AnthropicTool", {kAnthropicToolFields});
}

}  // namespace jarip
