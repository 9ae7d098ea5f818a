// Finite automata without empty moves: what a rule's NFA becomes, and regular languages that are
// intersected and subtracted. Values, and pure functions over them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "grammar/nfa.h"

namespace jarip {

struct FsmEdge {
  std::uint8_t low = 0;
  std::uint8_t high = 0;  // inclusive
  std::uint32_t target = 0;

  bool operator==(const FsmEdge&) const = default;
};

struct FsmCall {
  RuleId rule = 0;
  std::uint32_t target = 0;

  bool operator==(const FsmCall&) const = default;
};

struct FsmState {
  std::vector<FsmEdge> edges;  // in ascending order; they overlap only where it isn't deterministic
  std::vector<FsmCall> calls;
  bool final = false;
};

// State 0 is the start.
struct Fsm {
  std::vector<FsmState> states;
};

[[nodiscard]] std::unexpected<Error> too_much_work();

// The deterministic automaton, calls taken for letters. Where it would have more than max_states,
// the one that is as large as the NFA and not deterministic, unless require_deterministic. Errors:
// kInvalidArgument (a limit, by name).
struct FsmOptions {
  std::uint32_t max_states = kMaxDfaStates;
  bool require_deterministic = false;
};
[[nodiscard]] Result<Fsm> make_fsm(const Nfa& nfa, const FsmOptions& options, CompileWork& work);

// States that go on in the same way become one, save for some inside loops.
[[nodiscard]] Fsm merge_states(const Fsm& fsm);

// Regular languages: deterministic, without calls. Errors: kInvalidArgument (too many
// states, too much work).
[[nodiscard]] Result<Fsm> regular_language(const GrammarBuilder& builder, ExprId expr,
                                           CompileWork& work);
[[nodiscard]] Result<Fsm> intersect(const Fsm& a, const Fsm& b, CompileWork& work);
[[nodiscard]] Result<Fsm> subtract(const Fsm& a, const Fsm& b, CompileWork& work);
[[nodiscard]] bool matches_nothing(const Fsm& language);
[[nodiscard]] bool matches(const Fsm& language, std::string_view text);
[[nodiscard]] ExprId add_language(GrammarBuilder& builder, const Fsm& language);

}  // namespace jarip
