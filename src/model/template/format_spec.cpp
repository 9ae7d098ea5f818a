#include "model/template/format_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "model/template/print.h"
#include "model/template/strings.h"
#include "model/template/unicode.h"

namespace jarip::jinja {
namespace {

Result<std::int64_t> read_number(std::string_view bytes, std::size_t& i) {
  std::int64_t number = 0;
  const auto parsed = std::from_chars(bytes.data() + i, bytes.data() + bytes.size(), number);
  if (parsed.ec == std::errc::result_out_of_range) return too_large("a format is too wide");
  i = static_cast<std::size_t>(parsed.ptr - bytes.data());
  return number;
}

bool is_digit_at(std::string_view bytes, std::size_t i) {
  return i < bytes.size() && bytes[i] >= '0' && bytes[i] <= '9';
}

bool take(std::string_view bytes, std::size_t& i, char c) {
  if (i >= bytes.size() || bytes[i] != c) return false;
  ++i;
  return true;
}

bool is_align(char c) { return c == '<' || c == '>' || c == '^' || c == '='; }

// Puts separators between groups of digits of the whole part.
std::string group_digits(std::string_view digits, char separator, std::size_t group) {
  const std::size_t whole = std::min(digits.find_first_of(".eE%"), digits.size());
  std::string out;
  for (std::size_t i = 0; i < whole; ++i) {
    if (i > 0 && (whole - i) % group == 0) out.push_back(separator);
    out.push_back(digits[i]);
  }
  return out + std::string(digits.substr(whole));
}

// sign and prefix stay in front of zeros that fill up.
Result<void> pad_number(TextBuilder& out, std::string_view sign, std::string_view digits,
                        bool from_input, const FieldSpec& spec) {
  const auto length = static_cast<std::int64_t>(sign.size() + digits.size());
  const std::int64_t padding = std::max<std::int64_t>(0, spec.width - length);
  const char align = spec.align == 0 ? '>' : spec.align;
  std::int64_t left = 0;
  if (align == '>' || align == '=') left = padding;
  if (align == '^') left = padding / 2;
  if (align == '=') JARIP_CHECK(out.add(sign, from_input));
  JARIP_CHECK(out.add_repeated(spec.fill, static_cast<std::uint64_t>(left)));
  if (align != '=') JARIP_CHECK(out.add(sign, from_input));
  JARIP_CHECK(out.add(digits, from_input));
  return out.add_repeated(spec.fill, static_cast<std::uint64_t>(padding - left));
}

std::string sign_of(bool negative, char wanted) {
  if (negative) return "-";
  return wanted == '+' || wanted == ' ' ? std::string(1, wanted) : std::string();
}

Result<std::string> float_digits(double magnitude, const FieldSpec& spec) {
  const bool percent = spec.type == '%';
  if (percent) magnitude *= 100;
  std::string out;
  if (std::isnan(magnitude) || std::isinf(magnitude)) {
    out = std::isnan(magnitude) ? "nan" : "inf";
    if (spec.type >= 'E' && spec.type <= 'G') {
      std::ranges::transform(out, out.begin(), [](char c) { return static_cast<char>(c - 32); });
    }
  } else {
    const std::int64_t precision = spec.precision.value_or(6);
    if (precision > kMaxFormatPrecision) return too_large("a format's precision is too large");
    const std::array<char, 6> format = {'%',
                                        spec.alternate ? '#' : '.',
                                        spec.alternate ? '.' : '*',
                                        spec.alternate ? '*' : (percent ? 'f' : spec.type),
                                        spec.alternate ? (percent ? 'f' : spec.type) : '\0',
                                        '\0'};
    const int digits = static_cast<int>(precision);
    // The format has one of e, f, g and their capitals, and takes exactly these two arguments.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wformat-nonliteral"
    const int n = std::snprintf(nullptr, 0, format.data(), digits, magnitude);
    out.resize(static_cast<std::size_t>(n) + 1);
    std::snprintf(out.data(), out.size(), format.data(), digits, magnitude);
#pragma clang diagnostic pop
    out.pop_back();
  }
  if (percent) out.push_back('%');
  return out;
}

}  // namespace

Result<FieldSpec> parse_field_spec(const Text& spec) {
  const std::string_view bytes = spec.view();
  FieldSpec out;
  std::size_t i = 0;
  const std::size_t first = bytes.empty() ? 0 : decode_utf8(bytes).length;
  const bool has_fill = first < bytes.size() && is_align(bytes[first]);
  if (has_fill) {
    out.fill = spec.slice(0, first);
    out.align = bytes[first];
    i = first + 1;
  } else if (!bytes.empty() && is_align(bytes[0])) {
    out.align = bytes[0];
    i = 1;
  }
  if (i < bytes.size() && (bytes[i] == '+' || bytes[i] == '-' || bytes[i] == ' ')) {
    out.sign = bytes[i++];
  }
  out.alternate = take(bytes, i, '#');
  if (take(bytes, i, '0')) {
    if (!has_fill) out.fill = Text("0", false);
    if (out.align == 0) out.align = '=';
  }
  if (is_digit_at(bytes, i)) {
    JARIP_TRY(out.width, read_number(bytes, i));
  }
  if (i < bytes.size() && (bytes[i] == ',' || bytes[i] == '_')) out.grouping = bytes[i++];
  if (take(bytes, i, '.')) {
    if (!is_digit_at(bytes, i)) return type_error("a format's precision is missing");
    JARIP_TRY(out.precision, read_number(bytes, i));
  }
  if (i < bytes.size()) out.type = bytes[i++];
  if (i != bytes.size()) return type_error(fmt::format("invalid format specifier '{}'", bytes));
  return out;
}

Result<void> format_text(TextBuilder& out, const Text& text, const FieldSpec& spec) {
  if (spec.type != 0 && spec.type != 's') {
    return type_error(fmt::format("format code '{}' is not for strings", spec.type));
  }
  if (spec.sign != 0 || spec.alternate || spec.grouping != 0) {
    return type_error("signs, # and grouping are not for strings");
  }
  // "{:05}" of a string fills with zeros on its right.
  if (spec.align == '=' && spec.fill.view() != "0") return type_error("'=' is not for strings");
  Text cut = text;
  if (spec.precision) {
    const auto n = static_cast<std::size_t>(*spec.precision);
    cut = text.slice(0, byte_of_character(text.view(), n));
  }
  const Side side = spec.align == '>' ? Side::kRight : Side::kLeft;
  if (spec.align != '^') {
    JARIP_TRY(const Text padded, justify(out.budget(), cut, side, spec.width, spec.fill));
    return out.add(padded);
  }
  const auto length = static_cast<std::int64_t>(count_characters(cut.view()));
  const std::int64_t padding = std::max<std::int64_t>(0, spec.width - length);
  JARIP_CHECK(out.add_repeated(spec.fill, static_cast<std::uint64_t>(padding / 2)));
  JARIP_CHECK(out.add(cut));
  return out.add_repeated(spec.fill, static_cast<std::uint64_t>(padding - padding / 2));
}

Result<void> format_integer(TextBuilder& out, std::int64_t value, bool from_input,
                            const FieldSpec& spec) {
  if (spec.type != 0 && std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos) {
    return format_float(out, static_cast<double>(value), from_input, spec);
  }
  if (spec.precision) return type_error("precision is not for integers");
  const auto magnitude =
      value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  std::string digits;
  std::string prefix;
  switch (spec.type) {
    case 0:
    case 'd':
      digits = fmt::format("{}", magnitude);
      break;
    case 'b':
      digits = fmt::format("{:b}", magnitude);
      prefix = "0b";
      break;
    case 'o':
      digits = fmt::format("{:o}", magnitude);
      prefix = "0o";
      break;
    case 'x':
      digits = fmt::format("{:x}", magnitude);
      prefix = "0x";
      break;
    case 'X':
      digits = fmt::format("{:X}", magnitude);
      prefix = "0X";
      break;
    default:
      return unsupported(fmt::format("format code '{}' is not supported for integers", spec.type));
  }
  if (spec.grouping != 0) {
    const bool decimal = prefix.empty();
    if (!decimal && spec.grouping == ',') return type_error("',' is for decimal numbers only");
    if (spec.align == '=') return unsupported("grouped digits with zero fill are not supported");
    digits = group_digits(digits, spec.grouping, decimal ? 3 : 4);
  }
  std::string sign = sign_of(value < 0, spec.sign);
  if (spec.alternate) sign += prefix;
  return pad_number(out, sign, digits, from_input, spec);
}

Result<void> format_float(TextBuilder& out, double value, bool from_input, const FieldSpec& spec) {
  const double magnitude = std::abs(value);
  std::string digits;
  if (spec.type == 0) {
    if (spec.precision || spec.alternate) {
      return unsupported("a float's precision needs a format code such as 'f'");
    }
    digits = float_repr(magnitude);
  } else if (std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos) {
    JARIP_TRY(digits, float_digits(magnitude, spec));
  } else {
    return type_error(fmt::format("format code '{}' is not for floats", spec.type));
  }
  if (spec.grouping != 0) {
    if (spec.align == '=') return unsupported("grouped digits with zero fill are not supported");
    digits = group_digits(digits, spec.grouping, 3);
  }
  return pad_number(out, sign_of(std::signbit(value) && !std::isnan(value), spec.sign), digits,
                    from_input, spec);
}

}  // namespace jarip::jinja
