// The mark that SentencePiece and WordPiece files write for a space ("▁", U+2581). Here tokens and
// texts hold the space itself. Free functions for any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace jarip {

inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";

// Appends the text with a space in place of each mark.
inline void append_with_spaces(std::string& out, std::string_view text) {
  for (std::size_t at = text.find(kSpaceMark); at != std::string_view::npos;
       at = text.find(kSpaceMark)) {
    out.append(text.substr(0, at)).append(" ");
    text.remove_prefix(at + kSpaceMark.size());
  }
  out.append(text);
}

}  // namespace jarip
