// Regular expressions of ECMA-262 as far as they are regular: look-around, back references and word
// boundaries are refused by name. A pure function.
#pragma once

#include <cstdint>
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

}  // namespace jarip
