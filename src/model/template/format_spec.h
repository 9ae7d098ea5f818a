// One field of a format string, once its parts are known.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "model/template/text.h"
#include "model/template/text_builder.h"
#include "model/template/value.h"

namespace jarip::jinja {

struct FieldSpec {
  Text fill{" ", false};  // one character
  char align = 0;         // < > ^ =, or 0 for what the type prefers
  char sign = 0;          // + - or space; 0 for the default
  bool alternate = false;
  char grouping = 0;  // , or _
  std::int64_t width = 0;
  std::optional<std::int64_t> precision;
  char type = 0;  // 0: none was given
};

[[nodiscard]] Result<FieldSpec> parse_field_spec(const Text& spec);

// Padding that fits every use, and precisions that printf() can make quickly.
inline constexpr std::int64_t kMaxFormatPrecision = 1000;

[[nodiscard]] Result<void> format_text(TextBuilder& out, const Text& text, const FieldSpec& spec);
[[nodiscard]] Result<void> format_integer(TextBuilder& out, std::int64_t value, bool from_input,
                                          const FieldSpec& spec);
[[nodiscard]] Result<void> format_float(TextBuilder& out, double value, bool from_input,
                                        const FieldSpec& spec);

}  // namespace jarip::jinja
