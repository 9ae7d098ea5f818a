// Grammars as llama.cpp's GBNF writes them: `name ::= …` with literals, character classes, groups,
// ? * + {m,n} and # comments. The rule "root" is the start, or else the first one. A pure function.
#pragma once

#include <string_view>

#include "base/result.h"
#include "grammar/expression.h"

namespace jarip {

// The start. Errors: kInvalidArgument, with line and column.
[[nodiscard]] Result<RuleId> parse_ebnf(std::string_view text, GrammarBuilder& builder);

}  // namespace jarip
