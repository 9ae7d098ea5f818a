// A grammar in the form that is run: an automaton over bytes whose states also call rules, with a
// stack for the calls. Immutable once compiled; any thread.
//
// What lies on a stack is a frame: the state to go on in, and a count. Counts belong to loops: the
// loop's head is left towards its body while the count is below the loop's max, and out of the loop
// from its min on; an edge or call that counts adds one on the way back to the head. No rule is
// left recursive, and none matches nothing, so what can come before a byte is finite.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "grammar/expression.h"

namespace jarip {

inline constexpr std::uint32_t kNoLoop = 0xFFFFFFFF;

struct ByteEdge {
  std::uint32_t target = 0;
  std::uint8_t low = 0;
  std::uint8_t high = 0;  // inclusive
  bool counts = false;
};

struct CallEdge {
  std::uint32_t start = 0;   // of the rule called
  std::uint32_t target = 0;  // where its caller goes on
  bool counts = false;
  bool is_last = false;  // the caller has nothing left to do: no frame is needed
};

struct State {
  std::uint32_t first_edge = 0;
  std::uint32_t first_call = 0;
  std::uint32_t n_edges = 0;
  std::uint32_t n_calls = 0;
  std::uint32_t rule = 0;
  std::uint32_t loop = kNoLoop;  // that its rule is
  std::uint32_t height = 0;      // frames above its own that its rule's end takes at least;
                                 // kUnbounded: there is no end
  bool is_head = false;          // of the loop
  bool final = false;            // its rule may end here; of a head, once the count allows it
};

struct Loop {
  std::uint32_t min = 0;
  std::uint32_t max = 0;  // kUnbounded: no end
};

struct Automaton {
  std::vector<State> states;
  std::vector<ByteEdge> edges;
  std::vector<CallEdge> calls;
  std::vector<Loop> loops;
  std::vector<ByteSet> following;  // by rule: bytes that may come after it
  std::vector<bool> is_leaf;       // by rule: calls no other, and a byte leads to one state at most
  std::uint32_t start = 0;
  bool matches_empty = false;

  [[nodiscard]] std::span<const ByteEdge> edges_of(const State& state) const {
    return std::span(edges).subspan(state.first_edge, state.n_edges);
  }
  [[nodiscard]] std::span<const CallEdge> calls_of(const State& state) const {
    return std::span(calls).subspan(state.first_call, state.n_calls);
  }
};

// Errors: kInvalidArgument and kUnsupported, naming the rule or limit.
[[nodiscard]] Result<Automaton> compile(const GrammarBuilder& builder, RuleId root,
                                        CompileWork& work);

}  // namespace jarip
