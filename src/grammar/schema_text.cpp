#include "grammar/schema_text.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/parse_options.hpp>
#include <cmath>

#include "grammar/characters.h"
#include "grammar/free_text.h"
#include "grammar/schema_members.h"
#include "grammar/schema_strings.h"
#include "grammar/schema_values.h"

namespace jarip {
namespace {

constexpr std::size_t kMaxDepth = 1000;  // of a value
// Strings up to this length are held apart from the mark, which takes states for every length;
// longer ones do without the byte that the mark begins with.
constexpr std::uint32_t kMaxExactLength = 256;

bool is_free_number(const Shape& shape) {
  return shape.minima.empty() && shape.maxima.empty() && shape.multiples.empty();
}
bool is_free_array(const Shape& shape) {
  return shape.arrays.empty() && shape.min_items == 0 && shape.max_items == kUnbounded;
}
bool is_free_object(const Shape& shape) {
  return shape.objects.empty() && shape.required.empty() && shape.names.empty() &&
         shape.min_members == 0 && shape.max_members == kUnbounded;
}
bool is_free_string(const Shape& shape) {
  return shape.patterns.empty() && shape.formats.empty() && shape.min_length == 0 &&
         shape.max_length == kUnbounded;
}

ExprId end_of(GrammarBuilder& builder, const TextEnd& end) {
  std::vector<ExprId> closes;
  for (const std::string& close : end.closes) closes.push_back(builder.literal(close));
  return builder.sequence({builder.literal(end.space), builder.choice(closes)});
}

Result<ExprId> add_listed(GrammarBuilder& builder, const Shape& shape, std::uint8_t types,
                          const TextEnd& end, CompileWork& work) {
  std::vector<ExprId> parts;
  for (const SchemaRef& value : *shape.values) {
    JARIP_TRY(const bool is_valid, fits(value, shape, work));
    if (!is_valid || !value.node->is_string()) continue;
    const std::string_view text = value.node->get_string();
    const bool has_mark = std::ranges::any_of(
        end.closes, [&](const std::string& close) { return text.contains(close); });
    if (has_mark || !reads_as_string(text, types)) continue;
    parts.push_back(builder.sequence({builder.literal(text), end_of(builder, end)}));
  }
  return parts.empty() ? builder.nothing() : builder.choice(parts);
}

// Counted, where an automaton would have states for every length.
ExprId add_long(GrammarBuilder& builder, const Shape& shape, const TextEnd& end) {
  CharacterSet left_out;
  for (const std::string& close : end.closes) {
    const auto first = static_cast<unsigned char>(close[0]);
    left_out.push_back({first, first});
  }
  const ExprId character = builder.code_points(complement(normalize(std::move(left_out))));
  return builder.sequence(
      {builder.repeat(character, shape.min_length, shape.max_length), end_of(builder, end)});
}

}  // namespace

std::uint8_t ArgumentTypes::of(std::string_view name) const {
  const auto found = std::ranges::find(types, name, &std::pair<std::string, std::uint8_t>::first);
  return found == types.end() ? json_type::kAll : found->second;
}

ArgumentTypes argument_types(std::string_view schema) {
  ArgumentTypes out;
  const auto document = SchemaDocument::parse(schema);
  if (!document) return out;
  CompileWork work;
  ShapeFinder finder(*document, work);
  const auto roots = finder.shapes_of({document->root()});
  if (!roots) return out;
  for (const Shape& root : *roots) {
    for (const std::string& name : declared_names(root)) {
      std::uint8_t types = json_type::kAll;
      const auto schemas = member_schemas(root, name, work);
      const auto shapes = schemas ? finder.shapes_of(*schemas) : Result<std::vector<Shape>>();
      if (schemas && shapes) types = types_of(*shapes);
      const auto known =
          std::ranges::find(out.types, name, &std::pair<std::string, std::uint8_t>::first);
      if (known == out.types.end()) {
        out.types.emplace_back(name, types);
      } else {
        known->second |= types;
      }
    }
  }
  return out;
}

std::uint8_t types_of(std::span<const Shape> shapes) {
  std::uint8_t types = 0;
  for (const Shape& shape : shapes) {
    if (!shape.values) {
      types |= shape.meant_types();
      continue;
    }
    for (const SchemaRef& value : *shape.values) types |= type_of(*value.node) & shape.types;
  }
  return types;
}

std::uint8_t json_type_of(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = kMaxDepth;
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(text, error, {}, options);
  return error ? 0 : type_of(value);
}

bool reads_as_string(std::string_view text, std::uint8_t types) {
  if ((types & json_type::kString) == 0) return json_type_of(text) == 0;
  const std::uint8_t others = types & ~json_type::kString;
  return others == 0 || (json_type_of(text) & others) == 0;
}

bool is_free(std::span<const Shape> shapes, std::uint8_t type) {
  return std::ranges::any_of(shapes, [&](const Shape& shape) {
    if (shape.values || (shape.meant_types() & type) != type) return false;
    if (type == json_type::kString) return is_free_string(shape);
    if ((type & json_type::kNumber) != 0) return is_free_number(shape);
    if (type == json_type::kArray) return is_free_array(shape);
    return type != json_type::kObject || is_free_object(shape);
  });
}

Result<ExprId> add_plain_string(GrammarBuilder& builder, const Shape& shape, std::uint8_t types,
                                const TextEnd& end, CompileWork& work) {
  if (shape.values) return add_listed(builder, shape, types, end, work);
  JARIP_TRY(const Fsm until, free_text(end.closes, true, work));
  // White space before the mark is dropped, which matters to nobody here.
  if (is_free_string(shape)) return add_language(builder, until);
  const bool is_counted = shape.patterns.empty() && shape.formats.empty();
  const std::uint32_t longest =
      shape.max_length == kUnbounded ? shape.min_length : shape.max_length;
  if (is_counted && longest > kMaxExactLength) return add_long(builder, shape, end);
  JARIP_TRY(const Fsm inside, string_language(shape, work, TextForm::kPlain));
  GrammarBuilder regular(false);
  const ExprId whole = regular.sequence({add_language(regular, inside), end_of(regular, end)});
  Result<Fsm> all = regular_language(regular, whole, work);
  if (all) all = intersect(*all, until, work);
  if (!all) return schema_error(all.error().code, shape.path, all.error().message);
  return add_language(builder, merge_states(*all));
}

}  // namespace jarip
