// Values as text: Python's str() and repr(), and JSON as json.dumps() writes it.
#pragma once

#include <string>

#include "base/result.h"
#include "model/template/text_builder.h"
#include "model/template/value.h"

namespace jarip::jinja {

[[nodiscard]] Result<void> print_str(TextBuilder& out, const Value& value);
[[nodiscard]] Result<void> print_repr(TextBuilder& out, const Value& value);
// str(value): the value's own text when it is one.
[[nodiscard]] Result<Text> to_text(Budget& budget, const Value& value);

// The shortest digits that read back as the same number.
[[nodiscard]] std::string float_repr(double number);

struct JsonStyle {
  bool ascii_only = false;
  bool sort_keys = false;
  bool multiline = false;
  Text indent;  // of one level, when multiline
  Text item_separator{", ", false};
  Text key_separator{": ", false};
};
[[nodiscard]] Result<void> print_json(TextBuilder& out, const Value& value, const JsonStyle& style);

}  // namespace jarip::jinja
