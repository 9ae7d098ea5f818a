#include "model/template/print.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

#include "base/utf8.h"
#include "model/template/unicode.h"

namespace jarip::jinja {
namespace {

char quote_for(std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  return has_single && text.find('"') == std::string_view::npos ? '"' : '\'';
}

// What repr() writes for a character that it does not write as it is.
std::string escape_for_repr(const Utf8Unit& unit, std::string_view bytes) {
  if (unit.kind != Utf8Kind::kCharacter) {
    std::string out;
    for (const char byte : bytes) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    return out;
  }
  switch (unit.code_point) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      break;
  }
  const auto code = static_cast<std::uint32_t>(unit.code_point);
  if (code < 0x100) return fmt::format("\\x{:02x}", code);
  if (code < 0x10000) return fmt::format("\\u{:04x}", code);
  return fmt::format("\\U{:08x}", code);
}

Result<void> print_text_repr(TextBuilder& out, const Text& text) {
  const std::string_view bytes = text.view();
  const char quote = quote_for(bytes);
  // The quotes are as trusted as what they enclose.
  const bool from_input = text.any_from_input();
  JARIP_CHECK(out.add(std::string_view(&quote, 1), from_input));
  for (std::size_t i = 0; i < bytes.size();) {
    const Utf8Unit unit = decode_utf8(bytes.substr(i));
    const bool escaped = unit.code_point == '\\' || unit.code_point == static_cast<char32_t>(quote);
    if (escaped) JARIP_CHECK(out.add("\\", text.from_input(i)));
    if (escaped || (unit.kind == Utf8Kind::kCharacter && is_printable(unit.code_point))) {
      JARIP_CHECK(out.add(text, i, unit.length));
    } else {
      JARIP_CHECK(out.add(escape_for_repr(unit, bytes.substr(i, unit.length)), text.from_input(i)));
    }
    i += unit.length;
  }
  return out.add(std::string_view(&quote, 1), from_input);
}

Result<void> print_items(TextBuilder& out, const std::vector<Value>& items, bool from_input) {
  bool first = true;
  for (const Value& item : items) {
    if (!first) JARIP_CHECK(out.add(", ", from_input));
    first = false;
    JARIP_CHECK(print_repr(out, item));
  }
  return {};
}

Result<void> print_sequence(TextBuilder& out, const Sequence& sequence, bool from_input) {
  switch (sequence.type) {
    case Sequence::Type::kList:
      JARIP_CHECK(out.add("[", from_input));
      JARIP_CHECK(print_items(out, sequence.items, from_input));
      return out.add("]", from_input);
    case Sequence::Type::kTuple:
    case Sequence::Type::kGroup:
      JARIP_CHECK(out.add("(", from_input));
      JARIP_CHECK(print_items(out, sequence.items, from_input));
      return out.add(sequence.items.size() == 1 ? ",)" : ")", from_input);
    case Sequence::Type::kKeys:
      JARIP_CHECK(out.add("dict_keys([", from_input));
      break;
    case Sequence::Type::kValues:
      JARIP_CHECK(out.add("dict_values([", from_input));
      break;
    case Sequence::Type::kItems:
      JARIP_CHECK(out.add("dict_items([", from_input));
      break;
  }
  JARIP_CHECK(print_items(out, sequence.items, from_input));
  return out.add("])", from_input);
}

Result<void> print_dict(TextBuilder& out, const Dict& dict, bool from_input) {
  JARIP_CHECK(out.add("{", from_input));
  bool first = true;
  for (const auto& [key, value] : dict.entries()) {
    if (!first) JARIP_CHECK(out.add(", ", from_input));
    first = false;
    JARIP_CHECK(print_repr(out, key));
    JARIP_CHECK(out.add(": ", from_input));
    JARIP_CHECK(print_repr(out, value));
  }
  return out.add("}", from_input);
}

Result<void> print_scalar(TextBuilder& out, const Value& value) {
  const bool from_input = value.from_input();
  if (value.is_undefined()) return out.add("Undefined", from_input);
  if (value.is_none()) return out.add("None", from_input);
  if (const auto* boolean = value.get<bool>()) {
    return out.add(*boolean ? "True" : "False", from_input);
  }
  if (const auto* integer = value.get<std::int64_t>()) {
    return out.add(fmt::format("{}", *integer), from_input);
  }
  if (const auto* number = value.get<double>()) return out.add(float_repr(*number), from_input);
  if (const Range* range = value.range()) {
    const std::string step = range->step == 1 ? "" : fmt::format(", {}", range->step);
    return out.add(fmt::format("range({}, {}{})", range->start, range->stop, step), from_input);
  }
  return unsupported(fmt::format("printing a {} is not supported", type_name(value)));
}

}  // namespace

Result<void> print_repr(TextBuilder& out, const Value& value) {
  JARIP_CHECK(out.budget().charge(1));
  if (const Text* text = value.text()) {
    if (!value.is_markup()) return print_text_repr(out, *text);
    JARIP_CHECK(out.add("Markup(", value.from_input()));
    JARIP_CHECK(print_text_repr(out, *text));
    return out.add(")", value.from_input());
  }
  if (const Sequence* items = value.sequence()) {
    return print_sequence(out, *items, value.from_input());
  }
  if (const Dict* dict = value.dict()) return print_dict(out, *dict, value.from_input());
  return print_scalar(out, value);
}

Result<void> print_str(TextBuilder& out, const Value& value) {
  if (const Text* text = value.text()) return out.add(*text);
  if (value.is_undefined()) return {};
  return print_repr(out, value);
}

Result<Text> to_text(Budget& budget, const Value& value) {
  if (const Text* text = value.text()) return *text;
  TextBuilder out(budget);
  JARIP_CHECK(print_str(out, value));
  return out.take();
}

std::string float_repr(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  std::array<char, 32> buffer{};
  const auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number,
                                     std::chars_format::scientific);
  const std::string_view scientific(buffer.data(),
                                    static_cast<std::size_t>(written.ptr - buffer.data()));
  const std::size_t e = scientific.find('e');
  int exponent = 0;
  const std::size_t digits_at = scientific[e + 1] == '+' ? e + 2 : e + 1;
  std::from_chars(scientific.data() + digits_at, scientific.data() + scientific.size(), exponent);
  if (exponent < -4 || exponent >= 16) return std::string(scientific);

  const std::string sign = number < 0 || std::signbit(number) ? "-" : "";
  std::string digits;
  for (const char c : scientific.substr(0, e)) {
    if (c >= '0' && c <= '9') digits.push_back(c);
  }
  if (exponent < 0)
    return sign + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  const auto whole = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= whole) return sign + digits + std::string(whole - digits.size(), '0') + ".0";
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

}  // namespace jarip::jinja
