#include "grammar/schema_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/utf8.h"
#include "grammar/characters.h"
#include "grammar/schema_strings.h"

namespace jarip {
namespace {

namespace json = boost::json;

constexpr int kMaxExponent = 400;

// "-12.5e-3" as fmt writes it.
Decimal parse_decimal(std::string_view text) {
  Decimal out;
  out.negative = text.starts_with("-");
  if (out.negative) text.remove_prefix(1);
  int exponent = 0;
  const std::size_t e = text.find('e');
  if (e != std::string_view::npos) {
    std::string_view digits = text.substr(e + 1);
    if (digits.starts_with("+")) digits.remove_prefix(1);
    std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    text = text.substr(0, e);
  }
  const std::size_t point = text.find('.');
  std::string whole(text.substr(0, point));
  std::string fraction(point == std::string_view::npos ? "" : text.substr(point + 1));
  for (; exponent > 0; --exponent) {
    whole += fraction.empty() ? '0' : fraction[0];
    if (!fraction.empty()) fraction.erase(0, 1);
  }
  for (; exponent < 0; ++exponent) {
    fraction.insert(0, 1, whole.empty() ? '0' : whole.back());
    if (!whole.empty()) whole.pop_back();
  }
  whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
  fraction.erase(fraction.find_last_not_of('0') + 1);
  out.whole = whole.empty() ? "0" : whole;
  out.fraction = fraction;
  if (out.is_zero()) out.negative = false;
  return out;
}

// Boost.JSON may read and write a number some units in the last place off, which 15 digits survive.
Result<std::string> number_text(const json::value& number, std::string_view path) {
  if (number.is_int64()) return fmt::format("{}", number.get_int64());
  if (number.is_uint64()) return fmt::format("{}", number.get_uint64());
  const double value = number.get_double();
  const std::string text = fmt::format("{:.15g}", value);
  const double again = std::strtod(text.c_str(), nullptr);
  const double unit = std::nextafter(std::abs(value), INFINITY) - std::abs(value);
  const bool is_close = std::abs(again - value) <= 3 * unit;
  if (!std::isfinite(value) || !is_close) {
    return schema_error(ErrorCode::kUnsupported, path,
                        "a number with more than 15 significant digits can't be held exactly");
  }
  return text;
}

bool satisfies(const Decimal& number, const std::vector<SchemaBound>& bounds, int sign,
               Result<void>& status) {
  return std::ranges::all_of(bounds, [&](const SchemaBound& bound) {
    const Result<Decimal> limit = decimal_of(bound.number, bound.path);
    if (!limit) {
      status = std::unexpected(limit.error());
      return false;
    }
    const int order = compare(number, *limit) * sign;
    return order > 0 || (order == 0 && !bound.exclusive);
  });
}

Result<bool> number_fits(const SchemaRef& value, const Shape& shape) {
  JARIP_TRY(const Decimal number, decimal_of(*value.node, value.path));
  Result<void> status;
  const bool inside =
      satisfies(number, shape.minima, 1, status) && satisfies(number, shape.maxima, -1, status);
  if (!status) return std::unexpected(status.error());
  for (const SchemaBound& multiple : shape.multiples) {
    JARIP_TRY(const std::uint32_t divisor, divisor_of(multiple));
    std::uint64_t rest = 0;
    for (const char digit : number.whole) {
      rest = (rest * 10 + static_cast<std::uint64_t>(digit - '0')) % divisor;
    }
    if (rest != 0 || !number.fraction.empty()) return false;
  }
  return inside;
}

Result<bool> string_fits(std::string_view text, const Shape& shape, CompileWork& work) {
  std::uint32_t n_characters = 0;
  for (const char c : text) n_characters += (static_cast<unsigned char>(c) & 0xC0U) != 0x80 ? 1 : 0;
  if (n_characters < shape.min_length || n_characters > shape.max_length) return false;
  if (shape.patterns.empty() && shape.formats.empty()) return true;
  Shape without_length = shape;
  without_length.min_length = 0;
  without_length.max_length = kUnbounded;
  JARIP_TRY(const Fsm language, string_language(without_length, work));
  return matches(language, escape_json(text));
}

}  // namespace

Result<Decimal> decimal_of(const json::value& number, std::string_view path) {
  JARIP_TRY(const std::string text, number_text(number, path));
  const std::size_t e = text.find('e');
  if (e != std::string::npos && std::abs(std::atoi(text.c_str() + e + 1)) > kMaxExponent) {
    return not_enforced(path);
  }
  return parse_decimal(text);
}

int compare(const Decimal& a, const Decimal& b) {
  if (a.negative != b.negative) return a.negative ? -1 : 1;
  const int sign = a.negative ? -1 : 1;
  if (a.whole.size() != b.whole.size()) return a.whole.size() < b.whole.size() ? -sign : sign;
  const int whole = a.whole.compare(b.whole);
  const int order = whole != 0 ? whole : a.fraction.compare(b.fraction);
  return order == 0 ? 0 : order < 0 ? -sign : sign;
}

// Written with single spaces behind commas and colons. As deep as the document is nested.
Result<std::string> text_of(const json::value& value, std::string_view path) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return value.get_bool() ? "true" : "false";
    case json::kind::string:
      return "\"" + escape_json(std::string_view(value.get_string())) + "\"";
    case json::kind::array: {
      std::string out = "[";
      for (const json::value& item : value.get_array()) {
        JARIP_TRY(const std::string text, text_of(item, path));
        out += (out.size() > 1 ? ", " : "") + text;
      }
      return out + "]";
    }
    case json::kind::object: {
      std::string out = "{";
      for (const auto& member : value.get_object()) {
        JARIP_TRY(const std::string text, text_of(member.value(), path));
        out += out.size() > 1 ? ", \"" : "\"";
        out += escape_json(std::string_view(member.key())) + "\": " + text;
      }
      return out + "}";
    }
    default:
      return number_text(value, path);
  }
}

bool equal_json(const json::value& a, const json::value& b) {
  if (a.is_int64() && b.is_int64()) return a.get_int64() == b.get_int64();
  if (a.is_number() && b.is_number()) {
    const auto x = decimal_of(a, "");
    const auto y = decimal_of(b, "");
    return x && y && compare(*x, *y) == 0;
  }
  if (const auto* list = a.if_array(); list != nullptr && b.is_array()) {
    return std::ranges::equal(*list, b.get_array(), equal_json);
  }
  if (const auto* object = a.if_object(); object != nullptr && b.is_object()) {
    return object->size() == b.get_object().size() &&
           std::ranges::all_of(*object, [&](const auto& member) {
             const json::value* const other = b.get_object().if_contains(member.key());
             return other != nullptr && equal_json(member.value(), *other);
           });
  }
  return a == b;
}

std::uint8_t type_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return json_type::kNull;
    case json::kind::bool_:
      return json_type::kBoolean;
    case json::kind::string:
      return json_type::kString;
    case json::kind::array:
      return json_type::kArray;
    case json::kind::object:
      return json_type::kObject;
    case json::kind::double_: {
      const double number = value.get_double();
      return std::floor(number) == number ? json_type::kInteger : json_type::kFraction;
    }
    default:
      return json_type::kInteger;
  }
}

Result<bool> fits(const SchemaRef& value, const Shape& shape, CompileWork& work) {
  const std::uint8_t type = type_of(*value.node);
  if ((type & shape.types) == 0) return false;
  if ((type & json_type::kNumber) != 0) return number_fits(value, shape);
  if (type == json_type::kString) {
    return string_fits(std::string_view(value.node->get_string()), shape, work);
  }
  const bool is_free_array =
      shape.arrays.empty() && shape.min_items == 0 && shape.max_items == kUnbounded;
  const bool is_free_object = shape.objects.empty() && shape.required.empty() &&
                              shape.names.empty() && shape.min_members == 0 &&
                              shape.max_members == kUnbounded;
  if ((type == json_type::kArray && !is_free_array) ||
      (type == json_type::kObject && !is_free_object)) {
    return not_enforced(value.path);
  }
  return true;
}

}  // namespace jarip
