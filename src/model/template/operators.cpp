#include "model/template/operators.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <string>

#include "model/template/format.h"
#include "model/template/strings.h"
#include "model/template/text_builder.h"

namespace jarip::jinja {
namespace {

using Op = BinaryOperator;

constexpr std::string_view kSymbols[] = {"+", "-", "*", "/", "//", "%", "**"};

std::unexpected<Error> overflow() { return too_large("an integer exceeds 64 bits"); }

Result<std::int64_t> power(std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) return overflow();
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) return overflow();
  }
  return result;
}

struct Division {
  double quotient = 0;
  double remainder = 0;
};

// As Python's float_divmod() does it: the remainder takes the sign of the divisor.
Division divide_with_remainder(double a, double b) {
  Division out;
  out.remainder = std::fmod(a, b);
  double quotient = (a - out.remainder) / b;
  if (out.remainder == 0) {
    out.remainder = std::copysign(0.0, b);
  } else if ((out.remainder < 0) != (b < 0)) {
    out.remainder += b;
    quotient -= 1;
  }
  out.quotient = quotient == 0 ? std::copysign(0.0, a / b) : std::floor(quotient);
  if (quotient - out.quotient > 0.5) out.quotient += 1;
  return out;
}

Result<Value> operate_floats(Op op, double a, double b, bool from_input) {
  if (b == 0 && (op == Op::kDivide || op == Op::kFloorDivide || op == Op::kModulo)) {
    return type_error("division by zero");
  }
  switch (op) {
    case Op::kAdd:
      return Value::from(a + b, from_input);
    case Op::kSubtract:
      return Value::from(a - b, from_input);
    case Op::kMultiply:
      return Value::from(a * b, from_input);
    case Op::kDivide:
      return Value::from(a / b, from_input);
    case Op::kModulo:
      return Value::from(divide_with_remainder(a, b).remainder, from_input);
    case Op::kFloorDivide:
      return Value::from(divide_with_remainder(a, b).quotient, from_input);
    case Op::kPower:
      break;
  }
  if (a == 0 && b < 0) return type_error("0.0 can't be raised to a negative power");
  if (a < 0 && std::isfinite(a) && std::isfinite(b) && std::trunc(b) != b) {
    return unsupported("complex numbers are not supported");
  }
  const double result = std::pow(a, b);
  if (std::isinf(result) && std::isfinite(a) && std::isfinite(b)) {
    return too_large("the result of ** is too large");
  }
  return Value::from(result, from_input);
}

Result<Value> operate_integers(Op op, std::int64_t a, std::int64_t b, bool from_input) {
  std::int64_t result = 0;
  const bool divides = op == Op::kDivide || op == Op::kFloorDivide || op == Op::kModulo;
  if (divides && b == 0) return type_error("division by zero");
  switch (op) {
    case Op::kAdd:
      if (__builtin_add_overflow(a, b, &result)) return overflow();
      break;
    case Op::kSubtract:
      if (__builtin_sub_overflow(a, b, &result)) return overflow();
      break;
    case Op::kMultiply:
      if (__builtin_mul_overflow(a, b, &result)) return overflow();
      break;
    case Op::kDivide:
      return Value::from(static_cast<double>(static_cast<long double>(a) / b), from_input);
    case Op::kFloorDivide:
      if (b == -1) return negate(Value::from(a, from_input));
      result = a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
      break;
    case Op::kModulo:
      result = b == -1 ? 0 : a % b;
      if (result != 0 && (result < 0) != (b < 0)) result += b;
      break;
    case Op::kPower: {
      if (b < 0) {
        return operate_floats(op, static_cast<double>(a), static_cast<double>(b), from_input);
      }
      JARIP_TRY(result, power(a, b));
      break;
    }
  }
  return Value::from(result, from_input);
}

// A string or its escaped form, when it is added to markup.
Result<Text> as_markup(Budget& budget, const Value& string) {
  if (string.is_markup()) return *string.text();
  return escape_html(budget, *string.text());
}

Result<Value> add_texts(Budget& budget, const Value& a, const Value& b) {
  TextBuilder out(budget);
  const bool markup = a.is_markup() || b.is_markup();
  if (!markup) {
    JARIP_CHECK(out.add(*a.text()));
    JARIP_CHECK(out.add(*b.text()));
    return out.take_value();
  }
  JARIP_TRY(const Text left, as_markup(budget, a));
  JARIP_TRY(const Text right, as_markup(budget, b));
  JARIP_CHECK(out.add(left));
  JARIP_CHECK(out.add(right));
  return Value::from(out.take(), true);
}

Result<Value> add_sequences(Budget& budget, const Value& a, const Value& b) {
  const Sequence& left = *a.sequence();
  const Sequence& right = *b.sequence();
  JARIP_CHECK(budget.charge(left.items.size() + right.items.size()));
  std::vector<Value> items = left.items;
  items.insert(items.end(), right.items.begin(), right.items.end());
  const auto type = left.is_tuple() ? Sequence::Type::kTuple : Sequence::Type::kList;
  return make_sequence(budget, type, std::move(items), a.from_input() && b.from_input());
}

Result<Value> repeat_sequence(Budget& budget, const Value& value, std::int64_t count) {
  const Sequence& sequence = *value.sequence();
  const std::uint64_t copies = count < 0 ? 0 : static_cast<std::uint64_t>(count);
  std::uint64_t size = 0;
  if (__builtin_mul_overflow(sequence.items.size(), copies, &size)) {
    return too_large("a list grows too long");
  }
  JARIP_CHECK(budget.charge(size));
  std::vector<Value> items;
  items.reserve(size);
  for (std::uint64_t i = 0; i < copies && !sequence.items.empty(); ++i) {
    items.insert(items.end(), sequence.items.begin(), sequence.items.end());
  }
  const auto type = sequence.is_tuple() ? Sequence::Type::kTuple : Sequence::Type::kList;
  return make_sequence(budget, type, std::move(items), value.from_input());
}

bool is_plain_sequence(const Value& value) {
  return value.sequence() != nullptr && !value.sequence()->is_view();
}

// What + and * do on strings and lists; nothing when they don't apply.
Result<std::optional<Value>> operate_containers(Budget& budget, Op op, const Value& a,
                                                const Value& b) {
  if (op == Op::kAdd) {
    if (a.text() != nullptr && b.text() != nullptr) return add_texts(budget, a, b);
    if (is_plain_sequence(a) && is_plain_sequence(b) &&
        a.sequence()->is_tuple() == b.sequence()->is_tuple()) {
      return add_sequences(budget, a, b);
    }
    return std::nullopt;
  }
  if (op != Op::kMultiply) return std::nullopt;
  const bool swapped = a.integer().has_value();
  const Value& repeated = swapped ? b : a;
  const auto count = (swapped ? a : b).integer();
  if (!count) return std::nullopt;
  if (const Text* text = repeated.text()) {
    JARIP_TRY(Text out, repeat(budget, *text, *count));
    return Value::from(std::move(out), repeated.is_markup());
  }
  if (is_plain_sequence(repeated)) return repeat_sequence(budget, repeated, *count);
  return std::nullopt;
}

}  // namespace

Result<Value> apply_operator(Runtime& runtime, BinaryOperator op, const Value& a, const Value& b) {
  JARIP_CHECK(runtime.budget.charge(1));
  // "..." % undefined formats it; every other use of an undefined value is an error.
  if (op == Op::kModulo && a.text() != nullptr) return format_percent(runtime, a, b);
  if (a.is_undefined()) return undefined_error(a);
  if (b.is_undefined()) return undefined_error(b);
  const bool from_input = a.from_input() || b.from_input();
  const auto int_a = a.integer();
  const auto int_b = b.integer();
  if (int_a && int_b) return operate_integers(op, *int_a, *int_b, from_input);
  const auto float_a = a.number();
  const auto float_b = b.number();
  if (float_a && float_b) return operate_floats(op, *float_a, *float_b, from_input);
  JARIP_TRY(auto container, operate_containers(runtime.budget, op, a, b));
  if (container) return *std::move(container);
  return type_error(fmt::format("{} {} {} is not possible", type_name(a),
                                kSymbols[static_cast<std::size_t>(op)], type_name(b)));
}

Result<Value> negate(const Value& value) {
  if (const auto integer = value.integer()) {
    if (*integer == INT64_MIN) return overflow();
    return Value::from(-*integer, value.from_input());
  }
  if (const auto number = value.number()) return Value::from(-*number, value.from_input());
  if (value.is_undefined()) return undefined_error(value);
  return type_error(fmt::format("-{} is not possible", type_name(value)));
}

Result<Value> plus(const Value& value) {
  if (const auto integer = value.integer()) return Value::from(*integer, value.from_input());
  if (value.number()) return value;
  if (value.is_undefined()) return undefined_error(value);
  return type_error(fmt::format("+{} is not possible", type_name(value)));
}

double round_float(double number, std::int64_t digits) {
  if (!std::isfinite(number) || digits > 323) return number;
  if (digits < -308) return std::copysign(0.0, number);
  if (digits >= 0) return std::strtod(fmt::format("{:.{}f}", number, digits).c_str(), nullptr);
  const double scale = std::pow(10.0, static_cast<double>(-digits));
  return std::nearbyint(number / scale) * scale;
}

Result<std::int64_t> to_integer(double number) {
  if (std::isnan(number)) return type_error("NaN is not an integer");
  if (number >= 0x1p63 || number < -0x1p63) return overflow();
  return static_cast<std::int64_t>(number);
}

}  // namespace jarip::jinja
