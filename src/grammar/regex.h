// Regular expressions of ECMA-262 as far as they are regular: look-around, back references and word
// boundaries are refused by name. A pure function.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "grammar/characters.h"
#include "grammar/expression.h"

namespace jarip {

// Whether the expression is all of the text, or, as in JSON Schema, may stand anywhere in it unless
// ^ and $ say otherwise.
enum class RegexReach : std::uint8_t { kWhole, kAnywhere };

struct RegexOptions {
  TextForm form = TextForm::kPlain;
  RegexReach reach = RegexReach::kWhole;
};

// Errors: kInvalidArgument (a mistake), kUnsupported (what isn't regular), with the place.
[[nodiscard]] Result<ExprId> parse_regex(std::string_view pattern, const RegexOptions& options,
                                         GrammarBuilder& builder);

// "^[a-z ]{2,9}$" and its like: the whole text is so many characters of one set.
struct CharacterCount {
  CharacterSet set;
  std::uint32_t min = 0;
  std::uint32_t max = 0;  // kUnbounded: no end
};
// Nothing of any other expression.
[[nodiscard]] std::optional<CharacterCount> as_character_count(std::string_view pattern);

}  // namespace jarip
