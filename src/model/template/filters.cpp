// Filters that work on any value, numbers and JSON; the table of all filters.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <string>

#include "model/template/access.h"
#include "model/template/arguments.h"
#include "model/template/builtins.h"
#include "model/template/operators.h"
#include "model/template/print.h"
#include "model/template/strings.h"

namespace jarip::jinja {
namespace {

Result<Value> default_filter(Runtime&, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args,
            BoundArguments::bind("default", arguments, {"default_value", "boolean"}));
  if (!self.is_undefined() && !(args.flag(1) && !truthy(self))) return self;
  return args[0] == nullptr ? Value::literal("") : *args[0];
}

Result<Value> attr(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("attr", arguments, {"name"}, 1));
  JARIP_TRY(const Text* name, args.text(0));
  if (self.is_undefined()) return undefined_error(self);
  JARIP_TRY(auto found, own_attribute(runtime, self, name->view()));
  if (found) return *std::move(found);
  return Value::undefined(fmt::format("{} has no attribute '{}'", type_name(self), name->view()));
}

Result<Value> length(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("length", arguments, {}));
  JARIP_TRY(const auto n, length_of(runtime, self));
  if (!n) return type_error(fmt::format("{} has no length", type_name(self)));
  return Value::from(*n, self.from_input());
}

Result<Value> absolute(Runtime&, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("abs", arguments, {}));
  if (const auto* number = self.get<double>()) {
    return Value::from(std::abs(*number), self.from_input());
  }
  if (!self.integer() && !self.is_undefined()) {
    return type_error(fmt::format("abs takes a number, not {}", type_name(self)));
  }
  return self.integer().value_or(0) < 0 ? negate(self) : plus(self);
}

// Digits as int() and float() of Python read them: spaces around, single _ between digits.
std::optional<std::string> clean_number(Runtime& runtime, const Text& text) {
  const auto stripped = strip(runtime.budget, text, Side::kBoth, std::nullopt);
  if (!stripped) return std::nullopt;
  std::string out;
  const std::string_view bytes = stripped->view();
  const auto is_alnum_at = [&](std::size_t i) {
    return i < bytes.size() && (std::isalnum(static_cast<unsigned char>(bytes[i])) != 0);
  };
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != '_') {
      out.push_back(bytes[i]);
    } else if (i == 0 || !is_alnum_at(i - 1) || !is_alnum_at(i + 1)) {
      return std::nullopt;
    }
  }
  return out;
}

// Nothing: not an integer. Error: one that doesn't fit.
Result<std::optional<std::int64_t>> parse_integer(Runtime& runtime, const Text& text, int base) {
  std::optional<std::string> clean = clean_number(runtime, text);
  if (!clean || clean->empty()) return std::nullopt;
  std::string_view digits = *clean;
  const bool negative = digits[0] == '-';
  if (negative || digits[0] == '+') digits.remove_prefix(1);
  const auto has_prefix = [&](char letter) {
    return digits.size() > 2 && digits[0] == '0' && (digits[1] | 0x20) == letter;
  };
  constexpr std::array<std::pair<char, int>, 3> kPrefixes = {{{'b', 2}, {'o', 8}, {'x', 16}}};
  bool prefixed = false;
  for (const auto& [letter, prefix_base] : kPrefixes) {
    if (prefixed || !has_prefix(letter) || (base != 0 && base != prefix_base)) continue;
    base = prefix_base;
    digits.remove_prefix(2);
    prefixed = true;
  }
  if (base == 0) {
    // Python refuses "010" here, as it could be meant as octal.
    if (digits.size() > 1 && digits[0] == '0' && digits.find_first_not_of('0') != digits.npos) {
      return std::nullopt;
    }
    base = 10;
  }
  if (digits.empty() || digits[0] == '-' || digits[0] == '+') return std::nullopt;
  std::uint64_t magnitude = 0;
  const auto parsed =
      std::from_chars(digits.data(), digits.data() + digits.size(), magnitude, base);
  if (parsed.ptr != digits.data() + digits.size()) return std::nullopt;
  const std::uint64_t limit = std::uint64_t{1} << 63U;
  if (parsed.ec != std::errc() || magnitude > limit || (magnitude == limit && !negative)) {
    return too_large("an integer exceeds 64 bits");
  }
  return static_cast<std::int64_t>(negative ? 0 - magnitude : magnitude);
}

std::optional<double> parse_float(Runtime& runtime, const Text& text) {
  std::optional<std::string> clean = clean_number(runtime, text);
  if (!clean || clean->empty()) return std::nullopt;
  std::string_view digits = *clean;
  const bool negative = digits[0] == '-';
  if (negative || digits[0] == '+') digits.remove_prefix(1);
  std::string lower(digits);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  });
  double number = 0;
  if (lower == "inf" || lower == "infinity") {
    number = HUGE_VAL;
  } else if (lower == "nan") {
    number = std::nan("");
  } else {
    if (lower.empty() || lower[0] == '-' ||
        lower.find_first_not_of("0123456789.e+-") != lower.npos) {
      return std::nullopt;
    }
    const char* end = lower.data() + lower.size();
    const auto parsed = std::from_chars(lower.data(), end, number);
    if (parsed.ptr != end || parsed.ec == std::errc::invalid_argument) return std::nullopt;
    // from_chars leaves what is out of range alone; strtod() gives the infinity or zero.
    if (parsed.ec != std::errc()) number = std::strtod(lower.c_str(), nullptr);
  }
  return negative ? -number : number;
}

// int() of Python; nothing where it raises TypeError or ValueError.
Result<std::optional<std::int64_t>> as_int(Runtime& runtime, const Value& value, int base) {
  if (value.is_undefined()) return undefined_error(value);
  if (const auto integer = value.integer()) return *integer;
  if (const auto* number = value.get<double>()) {
    if (std::isnan(*number)) return std::nullopt;
    JARIP_TRY(const std::int64_t whole, to_integer(*number));
    return whole;
  }
  const Text* text = value.text();
  if (text == nullptr) return std::nullopt;
  JARIP_TRY(const auto integer, parse_integer(runtime, *text, base));
  if (integer) return *integer;
  // "42.23"|int is 42.
  const auto number = parse_float(runtime, *text);
  if (!number || !std::isfinite(*number)) return std::nullopt;
  JARIP_TRY(const std::int64_t whole, to_integer(*number));
  return whole;
}

Result<Value> int_filter(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("int", arguments, {"default", "base"}));
  JARIP_TRY(const std::int64_t base, args.integer(1, 10));
  // A base that int() refuses makes the conversion fail, for strings.
  const bool refused = base < 0 || base == 1 || base > 36;
  if (refused && self.text() != nullptr) return unsupported("a base from 2 to 36 is supported");
  JARIP_TRY(const auto integer, as_int(runtime, self, static_cast<int>(refused ? 10 : base)));
  if (integer) return Value::from(*integer, self.from_input());
  return args[0] == nullptr ? Value::from(std::int64_t{0}, false) : *args[0];
}

Result<Value> float_filter(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("float", arguments, {"default"}));
  if (self.is_undefined()) return undefined_error(self);
  auto number = self.number();
  if (self.text() != nullptr) number = parse_float(runtime, *self.text());
  if (number) return Value::from(*number, self.from_input());
  return args[0] == nullptr ? Value::from(0.0, false) : *args[0];
}

// A multiple of ten, hundred and so on; ties to the even one.
Result<Value> round_integer(std::int64_t value, std::int64_t digits, bool from_input) {
  if (digits >= 0) return Value::from(value, from_input);
  if (digits < -18) return Value::from(std::int64_t{0}, from_input);
  std::int64_t unit = 1;
  for (; digits < 0; ++digits) unit *= 10;
  const std::int64_t rest = ((value % unit) + unit) % unit;
  std::int64_t rounded = value - rest;
  const bool odd = (rounded / unit) % 2 != 0;
  if (rest > unit / 2 || (rest == unit / 2 && odd)) {
    if (__builtin_add_overflow(rounded, unit, &rounded)) return too_large("an integer overflows");
  }
  return Value::from(rounded, from_input);
}

Result<Value> round_filter(Runtime&, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("round", arguments, {"precision", "method"}));
  JARIP_TRY(const std::int64_t precision, args.integer(0, 0));
  JARIP_TRY(const Text* method_text, args.text(1));
  const std::string_view method = method_text == nullptr ? "common" : method_text->view();
  if (method != "common" && method != "ceil" && method != "floor") {
    return type_error("method must be common, ceil or floor");
  }
  if (self.is_undefined()) return undefined_error(self);
  const auto value = self.number();
  if (!value) return type_error(fmt::format("can't round a {}", type_name(self)));
  const double number = *value;
  const bool from_input = self.from_input();
  if (method == "common") {
    if (const auto integer = self.integer()) {
      return round_integer(*integer, precision, from_input);
    }
    return Value::from(round_float(number, precision), from_input);
  }
  if (precision > 300 || precision < -300) return too_large("the precision is too large");
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = number * scale;
  if (!std::isfinite(scaled)) return type_error("can't round an infinite number or NaN");
  const double whole = method == "ceil" ? std::ceil(scaled) : std::floor(scaled);
  return Value::from((whole == 0 ? 0.0 : whole) / scale, from_input);
}

Result<void> read_separators(Runtime& runtime, const Value& separators, JsonStyle& style) {
  JARIP_TRY(const auto parts, iterate(runtime, separators));
  if (parts.size() != 2 || parts[0].text() == nullptr || parts[1].text() == nullptr) {
    return type_error("tojson takes two strings as separators");
  }
  style.item_separator = *parts[0].text();
  style.key_separator = *parts[1].text();
  return {};
}

Result<Value> tojson(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args,
            BoundArguments::bind("tojson", arguments,
                                 {"ensure_ascii", "indent", "separators", "sort_keys"}));
  JsonStyle style;
  style.ascii_only = args.flag(0);
  style.sort_keys = args.flag(3);
  if (const Value* indent = args.or_none(1)) {
    style.multiline = true;
    style.item_separator = Text(",", false);
    if (const Text* text = indent->text()) {
      style.indent = *text;
    } else {
      JARIP_TRY(const std::int64_t width, args.integer(1, 0));
      JARIP_TRY(style.indent, repeat(runtime.budget, Text(" ", false), width));
    }
  }
  if (args.or_none(2) != nullptr) JARIP_CHECK(read_separators(runtime, *args[2], style));
  TextBuilder out(runtime.budget);
  JARIP_CHECK(print_json(out, self, style));
  return out.take_value();
}

constexpr auto kValueFilters = std::to_array<Builtin>({
    {"abs", absolute},
    {"attr", attr},
    {"count", length},
    {"d", default_filter},
    {"default", default_filter},
    {"float", float_filter},
    {"int", int_filter},
    {"length", length},
    {"round", round_filter},
    {"tojson", tojson},
});

}  // namespace

Function::Body find_filter(std::string_view name) {
  for (const std::span<const Builtin> table :
       {std::span<const Builtin>(kValueFilters), text_filters(), sequence_filters()}) {
    const auto filter = std::ranges::find(table, name, &Builtin::name);
    if (filter != table.end()) return filter->body;
  }
  return nullptr;
}

Result<Value> apply_filter(Runtime& runtime, std::string_view name, const Value& input,
                           const Arguments& arguments) {
  const Function::Body body = find_filter(name);
  if (body == nullptr) return unsupported(fmt::format("the filter '{}' is not supported", name));
  JARIP_CHECK(runtime.budget.charge(1));
  return body(runtime, input, arguments);
}

}  // namespace jarip::jinja
