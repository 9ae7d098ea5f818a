// For tests: whether a text matches a grammar as a whole, without a vocabulary.
#pragma once

#include <string_view>

#include "grammar/stacks.h"

namespace jarip {

enum class TextMatch { kRefused, kIncomplete, kWhole };

inline TextMatch match_text(const Automaton& automaton, std::string_view text) {
  Stacks stacks(automaton);
  Position from = stacks.begin();
  Position to;
  for (const char c : text) {
    stacks.advance(from, static_cast<std::uint8_t>(c), to);
    if (to.refused()) return TextMatch::kRefused;
    std::swap(from, to);
  }
  return from.at_bottom ? TextMatch::kWhole : TextMatch::kIncomplete;
}

}  // namespace jarip
