// A template's source as tokens, by the rules of Jinja 3.1 with trim_blocks and lstrip_blocks on.
// One a compilation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace jarip::jinja {

enum class TokenKind : std::uint8_t {
  kText,           // outside of all tags; `text` is what the template prints
  kBlockBegin,     // {%
  kBlockEnd,       // %}
  kVariableBegin,  // {{
  kVariableEnd,    // }}
  kName,
  kString,  // `text` has its escapes resolved
  kInteger,
  kFloat,
  kOperator,  // `text` is the operator
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;
  std::int64_t integer = 0;
  double number = 0;
  std::uint32_t at = 0;  // where it begins in the source

  [[nodiscard]] bool is(TokenKind wanted, std::string_view wanted_text) const {
    return kind == wanted && text == wanted_text;
  }
  [[nodiscard]] bool is_name(std::string_view name) const { return is(TokenKind::kName, name); }
  [[nodiscard]] bool is_operator(std::string_view op) const { return is(TokenKind::kOperator, op); }
};

// Line breaks as "\n", and without the one that ends the source.
[[nodiscard]] std::string normalize_source(std::string_view source);

// source: as normalize_source() gives it; under 4 GiB. The last token is kEnd.
[[nodiscard]] Result<std::vector<Token>> tokenize(std::string_view source);

// "line 3, column 14" of a place in the source, both counted from 1, columns in characters.
[[nodiscard]] std::string describe_place(std::string_view source, std::size_t at);

}  // namespace jarip::jinja
