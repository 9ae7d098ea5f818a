// Sets of characters, and how they are written in an answer. Values and pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/expression.h"

namespace jarip {

inline constexpr char32_t kLastCodePoint = 0x10FFFF;

using CharacterSet = std::vector<CodePointRange>;

// The same set with ranges ascending, apart and not touching.
[[nodiscard]] CharacterSet normalize(CharacterSet set);
[[nodiscard]] CharacterSet complement(CharacterSet set);

// Characters that some readers of regular expressions take for white space and others don't.
// Nothing that is held to an expression has them.
[[nodiscard]] const CharacterSet& disputed_characters();

// As it is, or as the inside of a JSON string, where each character is written in one way only:
// quote, backslash and controls escaped, all else as it is. So languages can be compared.
enum class TextForm : std::uint8_t { kPlain, kJsonString };

[[nodiscard]] ExprId add_characters(GrammarBuilder& builder, const CharacterSet& set,
                                    TextForm form);
[[nodiscard]] ExprId add_text(GrammarBuilder& builder, std::string_view text, TextForm form);
// text as the inside of a JSON string, in that one way. text is valid UTF-8.
[[nodiscard]] std::string escape_json(std::string_view text);

}  // namespace jarip
