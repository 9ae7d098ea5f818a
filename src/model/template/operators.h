// Python's arithmetic on values. Integers are 64 bits wide; what doesn't fit is an error.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "model/template/value.h"

namespace jarip::jinja {

enum class BinaryOperator : std::uint8_t {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
};

[[nodiscard]] Result<Value> apply_operator(Runtime& runtime, BinaryOperator op, const Value& a,
                                           const Value& b);
[[nodiscard]] Result<Value> negate(const Value& value);
[[nodiscard]] Result<Value> plus(const Value& value);

// round(number, digits) of Python: to the nearest, ties to even.
[[nodiscard]] double round_float(double number, std::int64_t digits);
[[nodiscard]] Result<std::int64_t> to_integer(double number);  // towards zero

}  // namespace jarip::jinja
