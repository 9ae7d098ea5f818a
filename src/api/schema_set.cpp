#include "api/schema_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "api/json_body.h"

namespace jarip {
namespace {

std::string_view schema_type(JsonType type) {
  switch (type) {
    case JsonType::kBool:
      return "boolean";
    case JsonType::kInteger:
      return "integer";
    case JsonType::kNumber:
      return "number";
    case JsonType::kString:
      return "string";
    case JsonType::kList:
      return "array";
    case JsonType::kObject:
      return "object";
    case JsonType::kAny:
      break;
  }
  return {};
}

// "minimum", "minLength" or "minItems", and their opposites.
std::string range_json(const FieldRule& rule) {
  const bool is_number = rule.type == JsonType::kInteger || rule.type == JsonType::kNumber;
  const std::string_view what = is_number                        ? "imum"
                                : rule.type == JsonType::kString ? "Length"
                                                                 : "Items";
  std::string out;
  if (std::isfinite(rule.range.min)) out += fmt::format(R"(,"min{}":{})", what, rule.range.min);
  if (std::isfinite(rule.range.max)) out += fmt::format(R"(,"max{}":{})", what, rule.range.max);
  return out;
}

std::string used_json(const FieldRule& rule) {
  if (!rule.schema.empty()) return std::string(rule.schema);
  if (rule.type == JsonType::kAny) return "{}";
  const std::string_view null = rule.is_required ? "" : R"(,"null")";
  return fmt::format(R"({{"type":["{}"{}]{}}})", schema_type(rule.type), null, range_json(rule));
}

// The neutral values; null is one always.
std::string neutral_json(const FieldRule& rule) {
  if (rule.neutral.empty()) return R"({"type":"null"})";
  return fmt::format(R"({{"enum":{},null]}})", rule.neutral.substr(0, rule.neutral.size() - 1));
}

std::string_view about_of(const FieldRule& rule) {
  if (!rule.about.empty()) return rule.about;
  if (rule.use == FieldUse::kNoEffect) return "Accepted; no answer depends on it.";
  if (rule.use != FieldUse::kNeutralOnly) return {};
  return rule.neutral.empty() ? "Not supported; anything but null is refused."
                              : "Only values that change nothing; any other is refused.";
}

}  // namespace

std::string schema_of(const FieldRule& rule) {
  std::string schema = rule.use == FieldUse::kNeutralOnly ? neutral_json(rule) : used_json(rule);
  const std::string_view about = about_of(rule);
  if (about.empty()) return schema;
  const std::string_view comma = schema == "{}" ? "" : ",";
  schema.pop_back();
  return fmt::format(R"({}{}"description":{}}})", schema, comma, json_string(about));
}

void SchemaSet::add(std::string_view name, std::string_view schema) {
  members_ += fmt::format(R"({}"{}":{})", members_.empty() ? "" : ",", name, schema);
}

void SchemaSet::add_object(std::string_view name, std::span<const FieldRule> rules,
                           std::string_view about) {
  std::string properties;
  std::string required;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const FieldRule& rule = rules[i];
    const auto before = rules.first(i);
    if (std::ranges::find(before, rule.name, &FieldRule::name) != before.end()) continue;
    properties +=
        fmt::format(R"({}"{}":{})", properties.empty() ? "" : ",", rule.name, schema_of(rule));
    if (rule.is_required) {
      required += fmt::format(R"({}"{}")", required.empty() ? "" : ",", rule.name);
    }
  }
  add(name, fmt::format(
                R"({{"type":"object","additionalProperties":false{}{},)"
                R"("properties":{{{}}}}})",
                about.empty() ? "" : fmt::format(R"(,"description":{})", json_string(about)),
                required.empty() ? "" : fmt::format(R"(,"required":[{}])", required), properties));
}

}  // namespace jarip
