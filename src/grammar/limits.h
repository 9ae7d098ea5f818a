// How large a grammar may be, at every stage. What goes past one of these is refused with a message
// that names it. Constants.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace jarip {

inline constexpr std::size_t kMaxGrammarBytes = std::size_t{1} << 18U;  // of a source text
inline constexpr std::uint32_t kMaxGrammarNesting = 200;  // groups in groups, schemas in schemas
inline constexpr std::uint32_t kMaxGrammarRules = 10'000;
inline constexpr std::uint32_t kMaxGrammarNodes = 400'000;    // of expressions
inline constexpr std::uint32_t kMaxNfaEdges = 400'000;        // of all rules together
inline constexpr std::uint32_t kMaxStates = 100'000;          // of the automaton
inline constexpr std::uint32_t kMaxDfaStates = 20'000;        // of one regular expression
inline constexpr std::uint32_t kMaxRepeats = 1'000'000;       // a bound in {m,n}
inline constexpr std::uint64_t kMaxCompileWork = 60'000'000;  // steps of one compilation

// What one compilation may still do. All that a grammar could make long counts it down.
struct CompileWork {
  std::uint64_t left = kMaxCompileWork;

  void spend(std::uint64_t steps) { left -= std::min(left, steps); }
};

inline constexpr std::uint32_t kMaxStackDepth = 1000;  // rules open at once in one answer
inline constexpr std::uint32_t kMaxStacks = 256;       // readings of one answer followed at once

}  // namespace jarip
