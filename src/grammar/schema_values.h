// JSON values inside a schema (enum, const, bounds): how they are written, when they are equal, and
// whether they fit a shape. Pure functions.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>

#include "base/result.h"
#include "grammar/schema_shape.h"

namespace jarip {

// A number's decimal digits: sign, digits before and behind the point, no needless zeros.
struct Decimal {
  bool negative = false;
  std::string whole = "0";
  std::string fraction;

  [[nodiscard]] bool is_zero() const { return whole == "0" && fraction.empty(); }
};

// The number as it stood in the schema. Errors: kUnsupported for more than 15 significant digits,
// which not every reader of JSON keeps, unless it is an integer of 64 bits.
[[nodiscard]] Result<Decimal> decimal_of(const boost::json::value& number, std::string_view path);

[[nodiscard]] int compare(const Decimal& a, const Decimal& b);

[[nodiscard]] Result<std::string> text_of(const boost::json::value& value, std::string_view path);

[[nodiscard]] bool equal_json(const boost::json::value& a, const boost::json::value& b);

[[nodiscard]] std::uint8_t type_of(const boost::json::value& value);

// Errors: kUnsupported where an array or object would have to be held against more than its type.
[[nodiscard]] Result<bool> fits(const SchemaRef& value, const Shape& shape, CompileWork& work);

}  // namespace jarip
