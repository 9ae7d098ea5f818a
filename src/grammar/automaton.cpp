#include "grammar/automaton.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>
#include <utility>

#include "grammar/fsm.h"

namespace jarip {
namespace {

class Compilation {
 public:
  Compilation(const GrammarBuilder& builder, RuleId root, CompileWork& work)
      : rules_(builder.rules()), root_(root), work_(work) {}

  Result<Automaton> run(PreparedRules prepared) {
    starts_.assign(rules_.size(), 0);
    out_.is_leaf.assign(rules_.size(), false);
    n_rules_ = rules_.size();
    for (RuleId r = 0; r < n_rules_; ++r) {
      if (!prepared.is_reachable[r]) continue;
      JARIP_TRY(Fsm fsm, make_fsm(prepared.nfas[r], {}, work_));
      fsm.states[0].final = false;  // nothing is what callers find a way around for
      const bool is_loop = rules_[r].is_loop;
      fsm = merge_states(fsm);
      add_rule(r, fsm, prepared.is_nullable[r] ? 1 : rules_[r].min, is_loop);
      if (out_.states.size() > kMaxStates) {
        return fail(
            ErrorCode::kInvalidArgument,
            fmt::format("the grammar needs an automaton of more than {} states", kMaxStates));
      }
    }
    for (CallEdge& call : out_.calls) call.start = starts_[call.start];
    out_.start = starts_[root_];
    out_.matches_empty = prepared.is_nullable[root_];
    mark_last_calls();
    JARIP_CHECK(find_heights());
    find_following(bytes_at_start());
    return std::move(out_);
  }

 private:
  // The states of one rule. A loop's body leads back to its start wherever it ends.
  void add_rule(RuleId rule, const Fsm& fsm, std::uint32_t min, bool is_loop) {
    const auto first = static_cast<std::uint32_t>(out_.states.size());
    starts_[rule] = first;
    for (std::uint32_t s = 0; s < fsm.states.size(); ++s) {
      const FsmState& from = fsm.states[s];
      State state{.first_edge = static_cast<std::uint32_t>(out_.edges.size()),
                  .first_call = static_cast<std::uint32_t>(out_.calls.size()),
                  .rule = rule,
                  .final = is_loop ? s == 0 : from.final};
      if (is_loop) {
        state.loop = static_cast<std::uint32_t>(out_.loops.size());
        state.is_head = s == 0;
      }
      for (const FsmEdge& edge : from.edges) {
        const FsmState& to = fsm.states[edge.target];
        if (is_loop && to.final) {
          out_.edges.push_back(
              {.target = first, .low = edge.low, .high = edge.high, .counts = true});
        }
        if (is_loop && to.final && to.edges.empty() && to.calls.empty()) continue;
        out_.edges.push_back({.target = first + edge.target, .low = edge.low, .high = edge.high});
      }
      for (const FsmCall& call : from.calls) {
        const FsmState& to = fsm.states[call.target];
        if (is_loop && to.final) {
          out_.calls.push_back({.start = call.rule, .target = first, .counts = true});
        }
        if (is_loop && to.final && to.edges.empty() && to.calls.empty()) continue;
        out_.calls.push_back({.start = call.rule, .target = first + call.target});
      }
      state.n_edges = static_cast<std::uint32_t>(out_.edges.size()) - state.first_edge;
      state.n_calls = static_cast<std::uint32_t>(out_.calls.size()) - state.first_call;
      out_.states.push_back(state);
    }
    if (is_loop) out_.loops.push_back({min, rules_[rule].max});
    const std::span<const State> states = std::span(out_.states).subspan(first);
    out_.is_leaf[rule] = std::ranges::all_of(states, [this](const State& state) {
      const auto edges = out_.edges_of(state);
      const auto meets = [](const ByteEdge& a, const ByteEdge& b) { return b.low <= a.high; };
      return state.n_calls == 0 && std::ranges::adjacent_find(edges, meets) == edges.end();
    });
  }

  void mark_last_calls() {
    for (CallEdge& call : out_.calls) {
      const State& target = out_.states[call.target];
      call.is_last = target.final && !target.is_head && target.n_edges == 0 && target.n_calls == 0;
    }
  }

  // Knuth's generalization of Dijkstra's algorithm (1977): states by ascending height.
  Result<void> find_heights() {
    const auto n = static_cast<std::uint32_t>(out_.states.size());
    // Who waits for a state's height: states with an edge to it, and calls with it as either end.
    std::vector<std::vector<std::uint32_t>> into(n);
    std::vector<std::vector<std::pair<std::uint32_t, std::uint32_t>>> calls_at(n);
    for (std::uint32_t s = 0; s < n; ++s) {
      for (const ByteEdge& edge : out_.edges_of(out_.states[s])) {
        if (!edge.counts) into[edge.target].push_back(s);
      }
      for (std::uint32_t c = 0; c < out_.states[s].n_calls; ++c) {
        const std::uint32_t call = out_.states[s].first_call + c;
        calls_at[out_.calls[call].start].emplace_back(s, call);
        if (!out_.calls[call].counts) calls_at[out_.calls[call].target].emplace_back(s, call);
      }
    }
    std::vector<std::uint32_t> height(n, kUnbounded);
    using Entry = std::pair<std::uint32_t, std::uint32_t>;
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
    const auto offer = [&](std::uint32_t state, std::uint32_t value) {
      if (value >= height[state]) return;
      height[state] = value;
      open.emplace(value, state);
    };
    for (std::uint32_t s = 0; s < n; ++s) {
      const State& state = out_.states[s];
      const bool ends = (state.final && !state.is_head) ||
                        std::ranges::any_of(out_.edges_of(state), &ByteEdge::counts);
      if (ends) offer(s, 0);
    }
    std::vector<bool> done(n, false);
    while (!open.empty()) {
      const auto [value, state] = open.top();
      open.pop();
      if (done[state]) continue;
      done[state] = true;
      for (const std::uint32_t from : into[state]) offer(from, value);
      for (const auto& [from, c] : calls_at[state]) {
        const CallEdge& call = out_.calls[c];
        if (!done[call.start] || (!call.counts && !done[call.target])) continue;
        const std::uint32_t inside = height[call.start] + (call.is_last ? 0 : 1);
        offer(from, call.counts ? inside : std::max(inside, height[call.target]));
      }
    }
    for (std::uint32_t s = 0; s < n; ++s) {
      out_.states[s].height = height[s];
    }
    if (!out_.matches_empty && height[out_.start] > kMaxStackDepth) {
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("what the grammar matches is nested deeper than {} rules", kMaxStackDepth));
    }
    return {};
  }

  // Bytes with which rules begin, by rule.
  std::vector<ByteSet> bytes_at_start() const {
    std::vector<std::vector<RuleId>> left(n_rules_);
    for (RuleId r = 0; r < n_rules_; ++r) {
      if (!is_there(r)) continue;
      for (const CallEdge& call : out_.calls_of(out_.states[starts_[r]])) {
        left[r].push_back(out_.states[call.start].rule);
      }
    }
    std::vector<ByteSet> first(n_rules_);
    // Nothing is left recursive: every group is one rule, and comes after those that it begins
    // with.
    for (const std::vector<RuleId>& group : components_of(left)) {
      const RuleId r = group[0];
      if (is_there(r)) first[r] = first_of(out_.states[starts_[r]], first);
    }
    return first;
  }

  bool is_there(RuleId rule) const {
    return starts_[rule] < out_.states.size() && out_.states[starts_[rule]].rule == rule;
  }

  ByteSet first_of(const State& state, const std::vector<ByteSet>& first) const {
    ByteSet set;
    for (const ByteEdge& edge : out_.edges_of(state)) {
      for (unsigned byte = edge.low; byte <= edge.high; ++byte) set.set(byte);
    }
    for (const CallEdge& call : out_.calls_of(state)) set |= first[out_.states[call.start].rule];
    return set;
  }

  void find_following(const std::vector<ByteSet>& first) {
    out_.following.assign(n_rules_, {});
    // What follows a rule also follows the rules that it ends with.
    std::vector<std::vector<RuleId>> ends_with(n_rules_);
    std::vector<RuleId> changed;
    for (const State& state : out_.states) {
      for (const CallEdge& call : out_.calls_of(state)) {
        const RuleId callee = out_.states[call.start].rule;
        const State& target = out_.states[call.target];
        out_.following[callee] |= first_of(target, first);
        if (target.final) ends_with[state.rule].push_back(callee);
        changed.push_back(callee);
      }
    }
    while (!changed.empty()) {
      const RuleId rule = changed.back();
      changed.pop_back();
      for (const RuleId callee : ends_with[rule]) {
        const ByteSet more = out_.following[callee] | out_.following[rule];
        if (more == out_.following[callee]) continue;
        out_.following[callee] = more;
        changed.push_back(callee);
      }
    }
  }

  const std::vector<Rule>& rules_;
  RuleId root_;
  CompileWork& work_;
  std::size_t n_rules_ = 0;
  Automaton out_;
  std::vector<std::uint32_t> starts_;  // by rule
};

}  // namespace

Result<Automaton> compile(const GrammarBuilder& builder, RuleId root, CompileWork& work) {
  JARIP_TRY(PreparedRules prepared, prepare_nfas(builder, root));
  return Compilation(builder, root, work).run(std::move(prepared));
}

}  // namespace jarip
