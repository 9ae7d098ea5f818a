// One automaton with empty moves for each rule of a grammar, and what is done to them before they
// become deterministic. Owned by one compilation.
//
// A rule's automaton leads from state 0, into which no edge leads, to state 1. That of a loop is
// its body's. Once prepare_nfas() is through, calls stand for texts that aren't empty: wherever a
// rule may match nothing, its callers have a way around the call.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "grammar/expression.h"

namespace jarip {

enum class EdgeKind : std::uint8_t { kEmpty, kBytes, kCall };

struct NfaEdge {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  RuleId rule = 0;        // of kCall
  std::uint8_t low = 0;   // of kBytes
  std::uint8_t high = 0;  // inclusive
  EdgeKind kind = EdgeKind::kEmpty;
};

inline constexpr std::uint32_t kNfaStart = 0;
inline constexpr std::uint32_t kNfaFinal = 1;

struct Nfa {
  std::uint32_t n_states = 2;
  std::vector<NfaEdge> edges;
};

// Edges by the state that they leave.
class NfaIndex {
 public:
  explicit NfaIndex(const Nfa& nfa);
  [[nodiscard]] std::span<const std::uint32_t> edges_of(std::uint32_t state) const {
    return std::span(order_).subspan(first_[state], first_[state + 1] - first_[state]);
  }

 private:
  std::vector<std::uint32_t> first_;  // [n_states + 1]
  std::vector<std::uint32_t> order_;  // indices of edges
};

// Of an expression that calls no rule, or calls rules by number only. Errors: kInvalidArgument (a
// limit, by name).
[[nodiscard]] Result<Nfa> build_nfa(const GrammarBuilder& builder, ExprId expr);

struct PreparedRules {
  std::vector<Nfa> nfas;           // one a rule; empty of those that no call reaches
  std::vector<bool> is_reachable;  // from the root
  std::vector<bool> is_nullable;   // may match nothing
};

// Every automaton cut down to what some text can pass, without left recursion, small rules copied
// into their callers. Errors: kInvalidArgument (a rule without body, a grammar that matches no text
// at all, a limit), naming the rule.
[[nodiscard]] Result<PreparedRules> prepare_nfas(const GrammarBuilder& builder, RuleId root);

// Rules that a rule may call before any byte, by rule.
[[nodiscard]] std::vector<std::vector<RuleId>> left_calls(const std::vector<Nfa>& nfas);

// Groups of nodes that reach one another, a group after those that it leads to.
[[nodiscard]] std::vector<std::vector<std::uint32_t>> components_of(
    const std::vector<std::vector<std::uint32_t>>& graph);

}  // namespace jarip
