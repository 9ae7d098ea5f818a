// Whether two shapes can share a value: what decides whether oneOf is the same as anyOf.
#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "grammar/characters.h"
#include "grammar/schema_members.h"
#include "grammar/schema_shape.h"
#include "grammar/schema_strings.h"
#include "grammar/schema_values.h"

namespace jarip {
namespace {

constexpr unsigned kMaxDepth = 8;  // members of members that are looked at
constexpr std::uint64_t kStepsOfComparison = 500;

bool has_disputed(std::string_view text) {
  while (!text.empty()) {
    const Utf8Unit unit = decode_utf8(text);
    text.remove_prefix(unit.length);
    for (const auto& [low, high] : disputed_characters()) {
      if (low <= unit.code_point && unit.code_point <= high) return true;
    }
  }
  return false;
}

// What can't be held against a shape may fit it.
Result<bool> may_fit(const SchemaRef& value, const Shape& shape, CompileWork& work) {
  if (shape.values) work.spend(shape.values->size());
  if (shape.values && std::ranges::none_of(*shape.values, [&](const SchemaRef& other) {
        return equal_json(*value.node, *other.node);
      })) {
    return false;
  }
  if (const auto* text = value.node->if_string();
      text != nullptr && !shape.patterns.empty() && has_disputed(std::string_view(*text))) {
    return true;
  }
  Shape wider = shape;
  wider.formats.clear();  // what is written for a format is only a part of what is valid
  const Result<bool> result = fits(value, wider, work);
  if (!result && result.error().code == ErrorCode::kUnsupported) return true;
  return result;
}

Result<bool> lies_beyond(const Shape& low, const Shape& high) {
  for (const SchemaBound& max : low.maxima) {
    for (const SchemaBound& min : high.minima) {
      JARIP_TRY(const Decimal top, decimal_of(max.number, max.path));
      JARIP_TRY(const Decimal bottom, decimal_of(min.number, min.path));
      const int order = compare(top, bottom);
      if (order < 0 || (order == 0 && (max.exclusive || min.exclusive))) return true;
    }
  }
  return false;
}

Result<bool> strings_are_apart(const Shape& a, const Shape& b, CompileWork& work) {
  if (a.max_length < b.min_length || b.max_length < a.min_length) return true;
  if (b.patterns.empty() || (a.patterns.empty() && a.formats.empty())) return false;
  Shape wider = b;
  wider.formats.clear();
  JARIP_TRY(const Fsm written, string_language(a, work));
  JARIP_TRY(const Fsm valid, string_language(wider, work));
  JARIP_TRY(const Fsm both, intersect(written, valid, work));
  return matches_nothing(both);
}

}  // namespace

Result<bool> ShapeFinder::are_apart(const Shape& a, const Shape& b, unsigned depth) {
  work_.spend(kStepsOfComparison);
  if (work_.left == 0) return too_much_work();
  const std::uint8_t common = a.meant_types() & b.types;
  if (common == 0) return true;
  const Shape& listed = a.values ? a : b;
  if (listed.values) {
    const Shape& other = a.values ? b : a;
    for (const SchemaRef& value : *listed.values) {
      JARIP_TRY(const bool fits_own, may_fit(value, listed, work_));
      JARIP_TRY(const bool fits_other, may_fit(value, other, work_));
      if (fits_own && fits_other) return false;
    }
    return true;
  }
  if ((common & (json_type::kNull | json_type::kBoolean)) != 0) return false;
  if ((common & json_type::kNumber) != 0) {
    JARIP_TRY(const bool below, lies_beyond(a, b));
    JARIP_TRY(const bool above, lies_beyond(b, a));
    if (!below && !above) return false;
  }
  if ((common & json_type::kString) != 0) {
    JARIP_TRY(const bool apart, strings_are_apart(a, b, work_));
    if (!apart) return false;
  }
  if ((common & json_type::kArray) != 0 && a.max_items >= b.min_items &&
      b.max_items >= a.min_items) {
    return false;
  }
  if ((common & json_type::kObject) != 0) return have_members_apart(a, b, depth);
  return true;
}

// A member that one of them requires, and that can't be written for `a` and hold for `b`.
Result<bool> ShapeFinder::have_members_apart(const Shape& a, const Shape& b, unsigned depth) {
  if (depth >= kMaxDepth) return false;
  std::vector<std::string> names = a.required;
  names.insert(names.end(), b.required.begin(), b.required.end());
  const std::vector<std::string> written = declared_names(a);
  // The members are values of their own: what is being expanded around them isn't around them.
  const auto outer = std::exchange(active_, {});
  for (const std::string& name : names) {
    const bool is_written =
        writes_more_members(a) || std::ranges::find(written, name) != written.end();
    bool apart = true;
    if (is_written) {
      JARIP_TRY(const Conjunction in_a, member_schemas(a, name, work_));
      JARIP_TRY(const Conjunction in_b, member_schemas(b, name, work_));
      JARIP_TRY(const std::vector<Shape> shapes_a, shapes_of(in_a));
      JARIP_TRY(const std::vector<Shape> shapes_b, shapes_of(in_b));
      for (const Shape& x : shapes_a) {
        for (const Shape& y : shapes_b) {
          JARIP_TRY(const bool one, are_apart(x, y, depth + 1));
          apart = apart && one;
        }
      }
    }
    if (apart) {
      active_ = outer;
      return true;
    }
  }
  active_ = outer;
  return false;
}

}  // namespace jarip
