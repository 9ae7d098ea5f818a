#include "grammar/schema_shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "grammar/fsm.h"
#include "grammar/schema_values.h"

namespace jarip {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxAlternatives = 256;
constexpr std::uint64_t kStepsOfMerge = 100;
constexpr std::uint64_t kStepsOfEquality = 20;

// What says nothing about which values are valid (JSON Schema 2020-12, core 8, validation 8 and 9).
// Keywords that aren't known are annotations too, as core 6.5 says.
const std::set<std::string_view> kRefused = {
    "contains",         "dependencies",          "dependentRequired", "dependentSchemas",
    "unevaluatedItems", "unevaluatedProperties", "$dynamicRef",       "$recursiveRef",
};

std::unexpected<Error> wrong_type(std::string_view path, std::string_view wanted) {
  return schema_error(ErrorCode::kInvalidArgument, path, fmt::format("this must be {}", wanted));
}

Result<std::uint32_t> read_count(const SchemaRef& value) {
  const json::value& node = *value.node;
  double count = -1;
  if (node.is_int64()) count = static_cast<double>(node.get_int64());
  if (node.is_double()) count = node.get_double();
  if (count < 0 || std::floor(count) != count) {
    return wrong_type(value.path, "an integer that isn't negative");
  }
  return static_cast<std::uint32_t>(std::min<double>(count, kMaxRepeats + 1.0));
}

Result<std::uint8_t> read_type(const SchemaRef& value) {
  constexpr std::pair<std::string_view, std::uint8_t> kTypes[] = {
      {"null", json_type::kNull},       {"boolean", json_type::kBoolean},
      {"integer", json_type::kInteger}, {"number", json_type::kNumber},
      {"string", json_type::kString},   {"array", json_type::kArray},
      {"object", json_type::kObject}};
  if (const auto* list = value.node->if_array()) {
    std::uint8_t types = 0;
    for (std::size_t i = 0; i < list->size(); ++i) {
      if (!(*list)[i].is_string()) return wrong_type(value.path, "names of types");
      JARIP_TRY(const std::uint8_t type, read_type(value.at(i)));
      types |= type;
    }
    return types;
  }
  if (const auto* name = value.node->if_string()) {
    for (const auto& [known, type] : kTypes) {
      if (std::string_view(*name) == known) return type;
    }
  }
  return wrong_type(value.path,
                    "null, boolean, integer, number, string, array, object or a list of these");
}

Result<SchemaText> read_text(const SchemaRef& value) {
  if (!value.node->is_string()) return wrong_type(value.path, "a string");
  return SchemaText{std::string(value.node->get_string()), value.path};
}

Result<std::vector<SchemaRef>> read_list(const SchemaRef& value, bool may_be_empty) {
  const auto* list = value.node->if_array();
  if (list == nullptr || (list->empty() && !may_be_empty)) return wrong_type(value.path, "a list");
  std::vector<SchemaRef> items;
  for (std::size_t i = 0; i < list->size(); ++i) items.push_back(value.at(i));
  return items;
}

Result<std::vector<std::pair<std::string, SchemaRef>>> read_members(const SchemaRef& value) {
  const auto* object = value.node->if_object();
  if (object == nullptr) return wrong_type(value.path, "an object");
  std::vector<std::pair<std::string, SchemaRef>> members;
  for (const auto& member : *object) {
    members.emplace_back(member.key(), value.at(std::string_view(member.key())));
  }
  return members;
}

const std::set<std::string_view> kCounts = {"minLength", "minItems", "minProperties",
                                            "maxLength", "maxItems", "maxProperties"};

Result<void> gather_count(const SchemaRef& value, std::string_view key, Shape& shape) {
  JARIP_TRY(const std::uint32_t count, read_count(value));
  if (key.starts_with("min")) {
    std::uint32_t& least = key == "minLength"  ? shape.min_length
                           : key == "minItems" ? shape.min_items
                                               : shape.min_members;
    least = std::max(least, count);
  } else if (count <= kMaxRepeats) {
    std::uint32_t& most = key == "maxLength"  ? shape.max_length
                          : key == "maxItems" ? shape.max_items
                                              : shape.max_members;
    most = std::min(most, count);
  }
  return {};
}

Result<void> gather_bound(const SchemaRef& value, std::string_view key, Shape& shape) {
  if (!value.node->is_number()) return wrong_type(value.path, "a number");
  SchemaBound bound{*value.node, key.starts_with("exclusive"), value.path};
  std::vector<SchemaBound>& bounds = key == "multipleOf"       ? shape.multiples
                                     : key.ends_with("inimum") ? shape.minima
                                                               : shape.maxima;
  bounds.push_back(std::move(bound));
  return {};
}

Result<void> gather_type(const SchemaRef& schema, Shape& shape) {
  JARIP_TRY(std::uint8_t types, read_type(schema.at("type")));
  const json::value* const nullable = schema.node->get_object().if_contains("nullable");
  if (nullable != nullptr && nullable->is_bool() && nullable->get_bool()) {
    types |= json_type::kNull;
  }
  shape.types &= types;
  return {};
}

Result<void> gather_format(const SchemaRef& value, Shape& shape) {
  JARIP_TRY(SchemaText format, read_text(value));
  if (format.text == "int32") {
    shape.minima.push_back({std::int64_t{INT32_MIN}, false, value.path});
    shape.maxima.push_back({std::int64_t{INT32_MAX}, false, value.path});
  } else if (format.text != "int64" && format.text != "float" && format.text != "double") {
    shape.formats.push_back(std::move(format));  // those three of numbers shut nothing out
  }
  return {};
}

template <class T>
void append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

bool has(const SchemaRef& schema, std::string_view key) {
  return schema.node->get_object().contains(key);
}

}  // namespace

std::uint8_t Shape::meant_types() const {
  if (types != json_type::kAll || values) return types;
  std::uint8_t meant = 0;
  if (!objects.empty() || !required.empty() || !names.empty() || min_members > 0 ||
      max_members != kUnbounded) {
    meant |= json_type::kObject;
  }
  if (!arrays.empty() || min_items > 0 || max_items != kUnbounded) meant |= json_type::kArray;
  if (!patterns.empty() || !formats.empty() || min_length > 0 || max_length != kUnbounded) {
    meant |= json_type::kString;
  }
  if (!minima.empty() || !maxima.empty() || !multiples.empty()) meant |= json_type::kNumber;
  return meant == 0 ? types : meant;
}

Shape merge(const Shape& a, const Shape& b, CompileWork& work) {
  work.spend(kStepsOfMerge + ((a.required.size() + b.required.size()) * b.required.size()));
  Shape both = a;
  if (work.left == 0) return both;
  both.types &= b.types;
  if (b.values && a.values) {
    std::erase_if(*both.values, [&](const SchemaRef& value) {
      work.spend(kStepsOfMerge + (b.values->size() * kStepsOfEquality));
      return work.left == 0 || std::ranges::none_of(*b.values, [&](const SchemaRef& other) {
               return equal_json(*value.node, *other.node);
             });
    });
  } else if (b.values) {
    both.values = b.values;
  }
  both.min_length = std::max(a.min_length, b.min_length);
  both.max_length = std::min(a.max_length, b.max_length);
  append(both.patterns, b.patterns);
  append(both.formats, b.formats);
  append(both.minima, b.minima);
  append(both.maxima, b.maxima);
  append(both.multiples, b.multiples);
  both.min_items = std::max(a.min_items, b.min_items);
  both.max_items = std::min(a.max_items, b.max_items);
  append(both.arrays, b.arrays);
  both.min_members = std::max(a.min_members, b.min_members);
  both.max_members = std::min(a.max_members, b.max_members);
  for (const std::string& name : b.required) {
    if (std::ranges::find(both.required, name) == both.required.end()) {
      both.required.push_back(name);
    }
  }
  append(both.objects, b.objects);
  append(both.names, b.names);
  if (both.path.empty()) both.path = b.path;
  const bool has_no_value = both.values && both.values->empty();
  if (has_no_value) both.types = 0;
  return both;
}

Result<std::vector<Shape>> ShapeFinder::shapes_of(const Conjunction& schemas) {
  return expand(schemas.data(), schemas.size());
}

Result<std::vector<Shape>> ShapeFinder::expand(const SchemaRef* first, std::size_t n) {
  Gathered gathered;
  for (std::size_t i = 0; i < n; ++i) JARIP_CHECK(gather(first[i], gathered));
  if (work_.left == 0) return too_much_work();
  if (gathered.is_impossible || gathered.shape.types == 0) return std::vector<Shape>{};
  std::vector<Shape> shapes = {std::move(gathered.shape)};
  // Choices are looked at inside the schemas that have them: one that comes back to itself is then
  // found.
  const std::size_t n_active = active_.size();
  append(active_, gathered.seen);
  for (const Choice& choice : gathered.choices) {
    Result<std::vector<Shape>> chosen = choose(shapes, choice);
    if (!chosen) return chosen;
    shapes = *std::move(chosen);
  }
  active_.resize(n_active);
  return shapes;
}

Result<std::vector<Shape>> ShapeFinder::choose(const std::vector<Shape>& shapes,
                                               const Choice& choice) {
  std::vector<std::vector<Shape>> by_branch;
  std::size_t n = 0;
  for (const SchemaRef& branch : choice.branches) {
    JARIP_TRY(const std::vector<Shape> alternatives, expand(&branch, 1));
    by_branch.emplace_back();
    for (const Shape& shape : shapes) {
      for (const Shape& alternative : alternatives) {
        Shape both = merge(shape, alternative, work_);
        if (work_.left == 0) return too_much_work();
        if (both.types == 0) continue;
        by_branch.back().push_back(std::move(both));
        if (++n > kMaxAlternatives) {
          return schema_error(ErrorCode::kUnsupported, choice.path,
                              fmt::format("this and what is beside it make more than {} "
                                          "alternatives",
                                          kMaxAlternatives));
        }
      }
    }
  }
  std::vector<Shape> all;
  for (std::size_t i = 0; i < by_branch.size(); ++i) {
    for (std::size_t j = 0; choice.exactly_one && j < by_branch.size(); ++j) {
      if (i == j) continue;
      for (const Shape& a : by_branch[i]) {
        for (const Shape& b : by_branch[j]) {
          JARIP_TRY(const bool apart, are_apart(a, b, 0));
          if (apart) continue;
          return schema_error(
              ErrorCode::kUnsupported, choice.path,
              fmt::format("a value may match both branch {} and branch {}; oneOf can be enforced "
                          "only where types, const values or required members tell branches "
                          "apart: use anyOf",
                          std::min(i, j), std::max(i, j)));
        }
      }
    }
    append(all, by_branch[i]);
  }
  return all;
}

Result<void> ShapeFinder::gather(const SchemaRef& schema, Gathered& out) {
  if (const bool* allowed = schema.node->if_bool()) {
    out.is_impossible = out.is_impossible || !*allowed;
    return {};
  }
  if (!schema.node->is_object()) return wrong_type(schema.path, "a schema: an object or a boolean");
  work_.spend(kStepsOfMerge + out.seen.size());
  if (work_.left == 0) return too_much_work();
  if (std::ranges::find(active_, schema.node) != active_.end() ||
      std::ranges::find(out.open, schema.node) != out.open.end()) {
    return schema_error(ErrorCode::kUnsupported, schema.path,
                        "this schema refers to itself without a value in between");
  }
  if (std::ranges::find(out.seen, schema.node) != out.seen.end()) return {};  // holds already
  out.seen.push_back(schema.node);
  out.open.push_back(schema.node);
  if (out.shape.path.empty()) out.shape.path = schema.path;
  for (const auto& member : schema.node->get_object()) {
    JARIP_CHECK(gather_keyword(schema, std::string_view(member.key()), out));
  }
  JARIP_CHECK(gather_object(schema, out));
  JARIP_CHECK(gather_array(schema, out));
  out.open.pop_back();
  return {};
}

Result<void> ShapeFinder::gather_keyword(const SchemaRef& schema, std::string_view key,
                                         Gathered& out) {
  const SchemaRef value = schema.at(key);
  const bool asks_unique = key == "uniqueItems" && value.node->is_bool() && value.node->get_bool();
  if (kRefused.contains(key) || asks_unique) return not_enforced(value.path);
  if (kCounts.contains(key)) return gather_count(value, key, out.shape);
  if (key == "minimum" || key == "exclusiveMinimum" || key == "maximum" ||
      key == "exclusiveMaximum" || key == "multipleOf") {
    return gather_bound(value, key, out.shape);
  }
  if (key == "type") return gather_type(schema, out.shape);
  if (key == "enum" || key == "const") {
    Shape one;
    one.values = std::vector<SchemaRef>{value};
    if (key == "enum") {
      JARIP_TRY(one.values, read_list(value, true));
    }
    out.shape = merge(out.shape, one, work_);
  } else if (key == "pattern") {
    JARIP_TRY(SchemaText pattern, read_text(value));
    out.shape.patterns.push_back(std::move(pattern));
  } else if (key == "format") {
    return gather_format(value, out.shape);
  } else if (key == "propertyNames") {
    out.shape.names.push_back(value);
  } else if (key == "required") {
    JARIP_TRY(const std::vector<SchemaRef> names, read_list(value, true));
    Shape one;
    for (const SchemaRef& name : names) {
      JARIP_TRY(SchemaText text, read_text(name));
      one.required.push_back(std::move(text.text));
    }
    out.shape = merge(out.shape, one, work_);
  } else {
    return gather_logic(schema, key, out);
  }
  return {};
}

Result<void> ShapeFinder::gather_logic(const SchemaRef& schema, std::string_view key,
                                       Gathered& out) {
  const SchemaRef value = schema.at(key);
  if (key == "$ref") {
    JARIP_TRY(const SchemaText reference, read_text(value));
    work_.spend(document_.steps_to(reference.text));
    JARIP_TRY(const SchemaRef target, document_.resolve(reference.text, value.path));
    return gather(target, out);
  }
  if (key == "allOf") {
    JARIP_TRY(const std::vector<SchemaRef> all, read_list(value, false));
    for (const SchemaRef& one : all) JARIP_CHECK(gather(one, out));
  } else if (key == "anyOf" || key == "oneOf") {
    JARIP_TRY(std::vector<SchemaRef> branches, read_list(value, false));
    out.choices.push_back({std::move(branches), value.path, key == "oneOf"});
  } else if (key == "not") {
    return gather_not(value, out);
  } else if (key == "if" && (has(schema, "then") || has(schema, "else"))) {
    return not_enforced(value.path);
  } else if (key == "$id" && schema.path != "#") {
    return schema_error(ErrorCode::kUnsupported, value.path,
                        "schemas inside a schema can't have an $id of their own");
  }
  return {};
}

// Nothing, or types alone, can be shut out.
Result<void> ShapeFinder::gather_not(const SchemaRef& inner, Gathered& out) {
  if (const bool* allowed = inner.node->if_bool()) {
    out.is_impossible = out.is_impossible || *allowed;
    return {};
  }
  const auto* object = inner.node->if_object();
  if (object != nullptr && object->empty()) {
    out.is_impossible = true;
    return {};
  }
  if (object == nullptr || object->size() != 1 || !object->contains("type")) {
    return not_enforced(inner.path);
  }
  JARIP_TRY(const std::uint8_t types, read_type(inner.at("type")));
  out.shape.types &= static_cast<std::uint8_t>(~types);
  return {};
}

Result<void> ShapeFinder::gather_object(const SchemaRef& schema, Gathered& out) {
  ObjectPart part;
  if (has(schema, "properties")) {
    JARIP_TRY(part.properties, read_members(schema.at("properties")));
  }
  if (has(schema, "patternProperties")) {
    const SchemaRef patterns = schema.at("patternProperties");
    JARIP_TRY(const auto members, read_members(patterns));
    for (const auto& [pattern, value] : members) {
      part.patterns.emplace_back(SchemaText{pattern, value.path}, value);
    }
  }
  if (has(schema, "additionalProperties")) part.additional = schema.at("additionalProperties");
  const bool says_nothing = !has(schema, "properties") && part.patterns.empty() && !part.additional;
  if (!says_nothing) out.shape.objects.push_back(std::move(part));
  return {};
}

Result<void> ShapeFinder::gather_array(const SchemaRef& schema, Gathered& out) {
  ArrayPart part;
  if (has(schema, "prefixItems")) {
    JARIP_TRY(part.prefix, read_list(schema.at("prefixItems"), true));
  }
  if (has(schema, "items")) {
    if (schema.node->get_object().at("items").is_array()) {
      return schema_error(ErrorCode::kUnsupported, schema.at("items").path,
                          "a list here is of older drafts; write prefixItems");
    }
    part.items = schema.at("items");
  }
  if (!part.prefix.empty() || part.items) out.shape.arrays.push_back(std::move(part));
  return {};
}

}  // namespace jarip
