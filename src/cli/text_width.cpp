#include "cli/text_width.h"

#include <utf8proc.h>

#include <algorithm>

#include "base/utf8.h"

namespace jarip {

std::size_t grapheme_length(std::string_view text) {
  utf8proc_int32_t state = 0;
  Utf8Unit unit = decode_utf8(text);
  std::size_t length = unit.length;
  while (length < text.size()) {
    const Utf8Unit next = decode_utf8(text.substr(length));
    if (utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(unit.code_point),
                                         static_cast<utf8proc_int32_t>(next.code_point), &state)) {
      break;
    }
    length += next.length;
    unit = next;
  }
  return length;
}

// A cluster is as wide as its widest part: jamo after the first and joiners take no room.
std::size_t grapheme_width(std::string_view grapheme) {
  int widest = 0;
  while (!grapheme.empty()) {
    const Utf8Unit unit = decode_utf8(grapheme);
    widest = std::max(widest, utf8proc_charwidth(static_cast<utf8proc_int32_t>(unit.code_point)));
    grapheme.remove_prefix(unit.length);
  }
  return static_cast<std::size_t>(std::clamp(widest, 0, 2));
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const std::size_t length = grapheme_length(text);
    width += grapheme_width(text.substr(0, length));
    text.remove_prefix(length);
  }
  return width;
}

std::vector<std::string> wrap_text(std::string_view text, std::size_t columns) {
  std::vector<std::string> lines;
  std::size_t width = 0;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    if (text.empty()) return lines;
    const std::string_view word = text.substr(0, text.find(' '));
    const std::size_t word_width = display_width(word);
    if (lines.empty() || width + 1 + word_width > columns) {
      lines.emplace_back(word);
      width = word_width;
    } else {
      lines.back().append(" ").append(word);
      width += 1 + word_width;
    }
    text.remove_prefix(word.size());
  }
}

}  // namespace jarip
