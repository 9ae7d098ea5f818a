// Requests as tables: every field's name, type, range, meaning and what becomes of it, in one row,
// from which /openapi.json is made too. Reading is strict: a field without a row, of another type,
// out of its range, or at a value that can't be honoured is an error that names it (law L3). Pure
// functions over a parsed body.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace jarip {

enum class JsonType : std::uint8_t { kAny, kBool, kInteger, kNumber, kString, kList, kObject };

enum class FieldUse : std::uint8_t {
  kUsed,         // read into the request
  kNoEffect,     // any value of the type: no answer depends on it
  kNeutralOnly,  // only values that change nothing
};

// Of a number, or of the length of a string (in characters) or list.
struct FieldRange {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
};

struct FieldRule {
  std::string_view name;
  JsonType type = JsonType::kAny;
  FieldUse use = FieldUse::kUsed;
  FieldRange range = {};
  std::string_view neutral = {};  // a JSON list; empty: no value but null
  std::string_view about = {};    // what it does, or why it is refused, for people
  std::string_view schema = {};   // a JSON schema, where type and range don't say it all
  bool is_required = false;
};

template <class Target>
struct Field {
  FieldRule rule;
  // The value has the rule's type and lies in its range; path names it in errors. Null unless
  // kUsed.
  Result<void> (*read)(const boost::json::value& value, std::string_view path,
                       Target& target) = nullptr;

  // These make a row say more: used_field<…>(…).about("…").
  [[nodiscard]] constexpr Field about(std::string_view sentence) const {
    Field row = *this;
    row.rule.about = sentence;
    return row;
  }
  [[nodiscard]] constexpr Field schema(std::string_view json) const {
    Field row = *this;
    row.rule.schema = json;
    return row;
  }
  [[nodiscard]] constexpr Field required() const {
    Field row = *this;
    row.rule.is_required = true;
    return row;
  }
};

template <class Target>
constexpr Field<Target> used_field(std::string_view name, JsonType type, FieldRange range,
                                   decltype(Field<Target>::read) read) {
  return {{name, type, FieldUse::kUsed, range}, read};
}
template <class Target>
constexpr Field<Target> no_effect_field(std::string_view name, JsonType type) {
  return {{name, type, FieldUse::kNoEffect}};
}
template <class Target>
constexpr Field<Target> neutral_field(std::string_view name, std::string_view neutral = {}) {
  return {{name, JsonType::kAny, FieldUse::kNeutralOnly, {}, neutral}};
}

// "messages[2].content", "stream_options.include_usage"
[[nodiscard]] std::string join_path(std::string_view path, std::string_view name);
[[nodiscard]] std::string join_path(std::string_view path, std::size_t index);

// Type, range and use; null is always fine and means absent.
[[nodiscard]] Result<void> check_value(const FieldRule& rule, const boost::json::value& value,
                                       std::string_view path);
[[nodiscard]] std::unexpected<Error> unknown_field(std::string_view path);
[[nodiscard]] std::unexpected<Error> missing_field(std::string_view path);

// Integers may be written 5 or 5.0: JSON doesn't tell them apart.
[[nodiscard]] std::optional<std::int64_t> read_integer(const boost::json::value& value);
[[nodiscard]] double read_number(const boost::json::value& value);

template <class Target>
using FieldTable = std::span<const Field<Target>>;

// Reads every field of an object by the row of its name, in the first table that has it.
template <class Target>
[[nodiscard]] Result<void> read_object(const boost::json::object& object,
                                       std::initializer_list<FieldTable<Target>> tables,
                                       std::string_view path, Target& target) {
  for (const auto& [key, value] : object) {
    const Field<Target>* field = nullptr;
    for (const FieldTable<Target> table : tables) {
      for (const Field<Target>& row : table) {
        if (field == nullptr && row.rule.name == std::string_view(key)) field = &row;
      }
    }
    const std::string field_path = join_path(path, std::string_view(key));
    if (field == nullptr) return unknown_field(field_path);
    if (value.is_null()) continue;
    JARIP_CHECK(check_value(field->rule, value, field_path));
    if (field->rule.use == FieldUse::kUsed) JARIP_CHECK(field->read(value, field_path, target));
  }
  for (const FieldTable<Target> table : tables) {
    for (const Field<Target>& row : table) {
      if (!row.rule.is_required) continue;
      const auto* value = object.if_contains(row.rule.name);
      if (value == nullptr || value->is_null()) {
        return missing_field(join_path(path, row.rule.name));
      }
    }
  }
  return {};
}

}  // namespace jarip
