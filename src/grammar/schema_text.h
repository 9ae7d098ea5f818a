// Values that stand as text between marks, as some models write the arguments of their calls:
// strings as they are, all else as JSON. How such a text is read, and what a shape of a JSON Schema
// allows there. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "grammar/schema_shape.h"

namespace jarip {

// The types of JSON that a function's arguments may have by its schema; kAll of any other.
struct ArgumentTypes {
  std::vector<std::pair<std::string, std::uint8_t>> types;  // json_type, by name

  [[nodiscard]] std::uint8_t of(std::string_view name) const;
};
// What a schema can't be read for has any type.
[[nodiscard]] ArgumentTypes argument_types(std::string_view schema);

// Of all the shapes together.
[[nodiscard]] std::uint8_t types_of(std::span<const Shape> shapes);

// The type of a whole JSON text; 0 of any other text.
[[nodiscard]] std::uint8_t json_type_of(std::string_view text);

// Whether a value of these types that is written like this is a string. It is JSON otherwise.
[[nodiscard]] bool reads_as_string(std::string_view text, std::uint8_t types);

// Whether every value of the type is valid for one of the shapes.
[[nodiscard]] bool is_free(std::span<const Shape> shapes, std::uint8_t type);

// Marks behind a value.
struct TextEnd {
  std::string space;                // before the mark, and no part of the value
  std::vector<std::string> closes;  // the ways in which the mark is written
};

// The string as it is, and the end. types: of all that the value may be; strings that would be read
// as something else are left out. Errors: kUnsupported, with the keyword's path.
[[nodiscard]] Result<ExprId> add_plain_string(GrammarBuilder& builder, const Shape& shape,
                                              std::uint8_t types, const TextEnd& end,
                                              CompileWork& work);

}  // namespace jarip
