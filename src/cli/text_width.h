// How much room text takes on a terminal. Free functions; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace jarip {

// Bytes of the first grapheme cluster (what a person sees as one character: a Hangul syllable
// written in jamo, an emoji with its modifiers) of a text that is valid UTF-8 and not empty.
[[nodiscard]] std::size_t grapheme_length(std::string_view text);

// Columns of one grapheme cluster: 0, 1 or 2.
[[nodiscard]] std::size_t grapheme_width(std::string_view grapheme);

[[nodiscard]] std::size_t display_width(std::string_view text);

// The text broken at spaces into lines of at most `columns`; a longer word stays whole.
[[nodiscard]] std::vector<std::string> wrap_text(std::string_view text, std::size_t columns);

}  // namespace jarip
