// What the fuzz targets of grammars share: any text as a grammar ends in a Result within bounds,
// and a compiled one runs over random bytes without getting stuck. Included by the targets alone.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "grammar/grammar.h"
#include "grammar/stacks.h"

namespace jarip {

// Follows the first byte that leads on from each position, varied by the seed: whatever is accepted
// so far can always be finished, so there is one, or the text may end, or has too many readings.
inline void follow(const Automaton& automaton, std::uint64_t seed) {
  constexpr int kMostBytes = 64;
  Stacks stacks(automaton);
  Position from = stacks.begin();
  if (from.refused() && !stacks.has_overrun()) std::abort();
  Position to;
  for (int i = 0; i < kMostBytes && !from.tops.empty(); ++i) {
    bool leads_on = false;
    for (unsigned n = 0; n < 256 && !leads_on; ++n) {
      const auto byte = static_cast<std::uint8_t>((seed >> (i % 8 * 8)) + n);
      stacks.advance(from, byte, to);
      leads_on = !to.refused();
    }
    if (!leads_on && stacks.has_overrun()) return;
    if (!leads_on) std::abort();
    std::swap(from, to);
  }
}

inline void run_grammar(const GrammarSource& source) {
  const auto automaton = compile_source(source);
  if (!automaton) {
    if (automaton.error().message.empty()) std::abort();
    if (automaton.error().code == ErrorCode::kInternal) std::abort();
    return;
  }
  for (const std::uint64_t seed : {0x0ULL, 0x2022415B7B313A30ULL, 0xF0EDC2E0A57F0A61ULL}) {
    follow(*automaton, seed);
  }
}

inline void run_grammar(GrammarKind kind, std::string_view text) {
  run_grammar(GrammarSource{kind, std::string(text)});
}

}  // namespace jarip
