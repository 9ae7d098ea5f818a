#include "api/field_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>

#include "base/utf8.h"

namespace jarip {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxShown = 60;           // bytes of a value or name repeated in a message
constexpr double kMaxWholeDouble = 1LL << 53U;  // doubles up to here hold every integer

std::string_view type_name(JsonType type) {
  switch (type) {
    case JsonType::kBool:
      return "true or false";
    case JsonType::kInteger:
      return "a whole number";
    case JsonType::kNumber:
      return "a number";
    case JsonType::kString:
      return "a string";
    case JsonType::kList:
      return "a list";
    case JsonType::kObject:
      return "an object";
    case JsonType::kAny:
      return "a value";
  }
  return {};
}

bool has_type(const json::value& value, JsonType type) {
  switch (type) {
    case JsonType::kBool:
      return value.is_bool();
    case JsonType::kInteger:
      return value.is_number() && read_integer(value).has_value();
    case JsonType::kNumber:
      return value.is_number();
    case JsonType::kString:
      return value.is_string();
    case JsonType::kList:
      return value.is_array();
    case JsonType::kObject:
      return value.is_object();
    case JsonType::kAny:
      return true;
  }
  return false;
}

std::string shortened(std::string_view text) {
  if (text.size() <= kMaxShown) return std::string(text);
  return std::string(text.substr(0, valid_utf8_prefix(text.substr(0, kMaxShown)))) + "…";
}

std::string shown(const json::value& value) {
  if (value.is_array()) return "a list";
  if (value.is_object()) return "an object";
  return shortened(json::serialize(value));
}

// The number, or the length, that a rule's range speaks of.
std::optional<double> measure(const json::value& value) {
  if (value.is_number()) return read_number(value);
  if (const auto* text = value.if_string()) return static_cast<double>(count_characters(*text));
  if (const auto* list = value.if_array()) return static_cast<double>(list->size());
  return std::nullopt;
}

Result<void> check_range(const FieldRule& rule, const json::value& value, std::string_view path) {
  const auto n = measure(value);
  if (!n || (*n >= rule.range.min && *n <= rule.range.max)) return {};
  const std::string_view what = value.is_string()  ? " characters"
                                : value.is_array() ? " items"
                                                   : "";
  const std::string range = std::isinf(rule.range.max)
                                ? fmt::format("at least {}", rule.range.min)
                                : fmt::format("{} to {}", rule.range.min, rule.range.max);
  if (what.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} must be {}; it is {}", path, range, shown(value)),
                std::string(path));
  }
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{} must have {}{}; it has {}", path, range, what, *n),
              std::string(path));
}

Result<void> check_neutral(const FieldRule& rule, const json::value& value, std::string_view path) {
  const std::string why = rule.about.empty() ? "" : fmt::format(": {}", rule.about);
  if (rule.neutral.empty()) {
    return fail(ErrorCode::kUnsupported, fmt::format("{} is not supported{}", path, why),
                std::string(path));
  }
  const json::value allowed = json::parse(rule.neutral);
  if (std::ranges::find(allowed.get_array(), value) != allowed.get_array().end()) return {};
  std::string list;
  for (const json::value& item : allowed.get_array()) {
    if (!list.empty()) list += " or ";
    list += json::serialize(item);
  }
  return fail(ErrorCode::kUnsupported,
              fmt::format("{} is supported only as {}; it is {}{}", path, list, shown(value), why),
              std::string(path));
}

}  // namespace

std::string join_path(std::string_view path, std::string_view name) {
  return path.empty() ? shortened(name) : fmt::format("{}.{}", path, shortened(name));
}

std::string join_path(std::string_view path, std::size_t index) {
  return fmt::format("{}[{}]", path, index);
}

Result<void> check_value(const FieldRule& rule, const json::value& value, std::string_view path) {
  if (rule.use == FieldUse::kNeutralOnly) return check_neutral(rule, value, path);
  if (!has_type(value, rule.type)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} must be {}; it is {}", path, type_name(rule.type), shown(value)),
                std::string(path));
  }
  return check_range(rule, value, path);
}

std::unexpected<Error> unknown_field(std::string_view path) {
  return fail(ErrorCode::kInvalidArgument, fmt::format("there is no parameter '{}'", path),
              std::string(path));
}

std::unexpected<Error> missing_field(std::string_view path) {
  return fail(ErrorCode::kInvalidArgument, fmt::format("{} is missing", path), std::string(path));
}

std::optional<std::int64_t> read_integer(const json::value& value) {
  if (const auto* number = value.if_int64()) return *number;
  const auto* number = value.if_double();
  if (number == nullptr || std::abs(*number) > kMaxWholeDouble || std::trunc(*number) != *number) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(*number);
}

double read_number(const json::value& value) {
  if (const auto* number = value.if_int64()) return static_cast<double>(*number);
  if (const auto* number = value.if_uint64()) return static_cast<double>(*number);
  return value.get_double();
}

}  // namespace jarip
