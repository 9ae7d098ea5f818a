#include "grammar/fsm.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

namespace jarip {
namespace {

using StateSet = std::vector<std::uint32_t>;  // ascending

struct HashSet {
  std::size_t operator()(const StateSet& set) const {
    std::uint64_t hash = set.size();
    for (const std::uint32_t state : set) {
      hash = (hash ^ state) * 0x9E3779B97F4A7C15U;
      hash ^= hash >> 29U;
    }
    return hash;
  }
};

std::unexpected<Error> too_many_states(std::uint32_t limit) {
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("an expression needs an automaton of more than {} states", limit));
}

// Subset construction (Rabin and Scott, 1959).
class Determinizer {
 public:
  Determinizer(const Nfa& nfa, CompileWork& work)
      : nfa_(nfa), index_(nfa), seen_(nfa.n_states, 0), work_(work) {}

  // False when a limit stops it; no work is left if it was that one.
  bool run(std::uint32_t max_states) {
    number_of({kNfaStart});
    for (std::uint32_t i = 0; i < fsm.states.size(); ++i) {
      if (fsm.states.size() > max_states || work_.left == 0) return false;
      expand(i);
    }
    return fsm.states.size() <= max_states && work_.left > 0;
  }

  // As run(), but with a state for each of the NFA's.
  bool run_nondeterministic() {
    std::vector<std::uint32_t> numbers(nfa_.n_states, kUnbounded);
    StateSet order = {kNfaStart};
    numbers[kNfaStart] = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
      fsm.states.emplace_back();
      FsmState& state = fsm.states.back();
      for (const std::uint32_t member : close({order[i]})) {
        if (member == kNfaFinal) state.final = true;
        for (const std::uint32_t e : index_.edges_of(member)) {
          const NfaEdge& edge = nfa_.edges[e];
          if (edge.kind == EdgeKind::kEmpty) continue;
          if (numbers[edge.to] == kUnbounded) {
            numbers[edge.to] = static_cast<std::uint32_t>(order.size());
            order.push_back(edge.to);
          }
          if (edge.kind == EdgeKind::kCall) {
            state.calls.push_back({edge.rule, numbers[edge.to]});
          } else {
            state.edges.push_back({edge.low, edge.high, numbers[edge.to]});
          }
        }
      }
      if (work_.left == 0) return false;
    }
    return true;
  }

  Fsm fsm;

 private:
  // All that empty moves add.
  StateSet close(StateSet set) {
    ++round_;
    for (const std::uint32_t state : set) seen_[state] = round_;
    for (std::size_t i = 0; i < set.size(); ++i) {
      const auto edges = index_.edges_of(set[i]);
      work_.spend(1 + edges.size());
      for (const std::uint32_t e : edges) {
        const NfaEdge& edge = nfa_.edges[e];
        if (edge.kind != EdgeKind::kEmpty || seen_[edge.to] == round_) continue;
        seen_[edge.to] = round_;
        set.push_back(edge.to);
      }
    }
    std::ranges::sort(set);
    return set;
  }

  std::uint32_t number_of(StateSet targets) {
    std::ranges::sort(targets);
    targets.erase(std::ranges::unique(targets).begin(), targets.end());
    StateSet set = close(std::move(targets));
    const auto [found, is_new] =
        numbers_.try_emplace(std::move(set), static_cast<std::uint32_t>(fsm.states.size()));
    if (is_new) {
      sets_.push_back(&found->first);
      fsm.states.emplace_back();
      fsm.states.back().final = std::ranges::binary_search(found->first, kNfaFinal);
    }
    return found->second;
  }

  void expand(std::uint32_t number) {
    std::vector<const NfaEdge*> over_bytes;
    std::map<RuleId, StateSet> calls;
    std::bitset<257> cuts;
    for (const std::uint32_t state : *sets_[number]) {
      for (const std::uint32_t e : index_.edges_of(state)) {
        const NfaEdge& edge = nfa_.edges[e];
        if (edge.kind == EdgeKind::kCall) calls[edge.rule].push_back(edge.to);
        if (edge.kind != EdgeKind::kBytes) continue;
        over_bytes.push_back(&edge);
        cuts.set(edge.low);
        cuts.set(edge.high + 1U);
      }
    }
    expand_bytes(number, over_bytes, cuts);
    for (auto& [rule, targets] : calls) {
      const std::uint32_t target = number_of(std::move(targets));
      fsm.states[number].calls.push_back({rule, target});
    }
  }

  void expand_bytes(std::uint32_t number, const std::vector<const NfaEdge*>& edges,
                    const std::bitset<257>& cuts) {
    std::vector<FsmEdge> out;
    StateSet targets;
    for (unsigned low = 0; low < 256;) {
      unsigned high = low;
      while (high < 255 && !cuts[high + 1]) ++high;
      targets.clear();
      work_.spend(edges.size());
      for (const NfaEdge* edge : edges) {
        if (edge->low <= low && low <= edge->high) targets.push_back(edge->to);
      }
      if (!targets.empty()) {
        const std::uint32_t target = number_of(targets);
        const bool joins =
            !out.empty() && out.back().target == target && out.back().high + 1U == low;
        if (joins) {
          out.back().high = static_cast<std::uint8_t>(high);
        } else {
          out.push_back({static_cast<std::uint8_t>(low), static_cast<std::uint8_t>(high), target});
        }
      }
      low = high + 1;
    }
    fsm.states[number].edges = std::move(out);
  }

  const Nfa& nfa_;
  NfaIndex index_;
  std::vector<std::uint32_t> seen_;
  std::uint32_t round_ = 0;
  CompileWork& work_;
  std::unordered_map<StateSet, std::uint32_t, HashSet> numbers_;
  std::vector<const StateSet*> sets_;  // by number
};

// States in the order in which a walk from the start leaves them: those that a state leads to come
// before it, save where it is in a loop with them.
std::vector<std::uint32_t> leaving_order(const Fsm& fsm) {
  struct Visit {
    std::uint32_t state;
    std::size_t next;
  };
  std::vector<std::uint32_t> order;
  std::vector<bool> seen(fsm.states.size(), false);
  std::vector<Visit> open = {{0, 0}};
  seen[0] = true;
  while (!open.empty()) {
    const FsmState& state = fsm.states[open.back().state];
    const std::size_t i = open.back().next++;
    if (i == state.edges.size() + state.calls.size()) {
      order.push_back(open.back().state);
      open.pop_back();
      continue;
    }
    const std::uint32_t target =
        i < state.edges.size() ? state.edges[i].target : state.calls[i - state.edges.size()].target;
    if (!seen[target]) open.push_back({target, 0});
    seen[target] = true;
  }
  return order;
}

// Where both ranges of bytes lead, for pairs of states.
class Product {
 public:
  Product(const Fsm& a, const Fsm& b, bool subtracts, CompileWork& work)
      : a_(a), b_(b), subtracts_(subtracts), work_(work) {}

  Result<Fsm> run() {
    number_of({0, 0});
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      if (pairs_.size() > kMaxDfaStates) return too_many_states(kMaxDfaStates);
      if (work_.left == 0) return too_much_work();
      expand(static_cast<std::uint32_t>(i));
    }
    return std::move(fsm_);
  }

 private:
  using Pair = std::pair<std::uint32_t, std::uint32_t>;  // kUnbounded: b has come to nothing

  std::uint32_t number_of(Pair pair) {
    const auto [found, is_new] =
        numbers_.try_emplace(pair, static_cast<std::uint32_t>(pairs_.size()));
    if (is_new) {
      const bool in_b = pair.second != kUnbounded && b_.states[pair.second].final;
      pairs_.push_back(pair);
      fsm_.states.emplace_back();
      fsm_.states.back().final = a_.states[pair.first].final && in_b != subtracts_;
    }
    return found->second;
  }

  void expand(std::uint32_t number) {
    const auto [a, b] = pairs_[number];
    const std::size_t n_others = b == kUnbounded ? 0 : b_.states[b].edges.size();
    work_.spend((1 + a_.states[a].edges.size()) * (1 + n_others));
    std::vector<FsmEdge> out;
    for (const FsmEdge& edge : a_.states[a].edges) {
      unsigned low = edge.low;
      if (b != kUnbounded) {
        for (const FsmEdge& other : b_.states[b].edges) {
          if (other.high < low || other.low > edge.high) continue;
          if (subtracts_ && other.low > low) {
            add(out, low, other.low - 1U, {edge.target, kUnbounded});
          }
          const unsigned first = std::max<unsigned>(low, other.low);
          const unsigned last = std::min(edge.high, other.high);
          add(out, first, last, {edge.target, other.target});
          low = last + 1;
        }
      }
      if (subtracts_ && low <= edge.high) add(out, low, edge.high, {edge.target, kUnbounded});
    }
    fsm_.states[number].edges = std::move(out);
  }

  void add(std::vector<FsmEdge>& out, unsigned low, unsigned high, Pair pair) {
    out.push_back(
        {static_cast<std::uint8_t>(low), static_cast<std::uint8_t>(high), number_of(pair)});
  }

  const Fsm& a_;
  const Fsm& b_;
  bool subtracts_;
  CompileWork& work_;
  std::map<Pair, std::uint32_t> numbers_;
  std::vector<Pair> pairs_;
  Fsm fsm_;
};

}  // namespace

std::unexpected<Error> too_much_work() {
  return fail(ErrorCode::kInvalidArgument,
              "the grammar is too complex: making its automaton takes too many steps");
}

Result<Fsm> make_fsm(const Nfa& nfa, const FsmOptions& options, CompileWork& work) {
  Determinizer deterministic(nfa, work);
  if (deterministic.run(options.max_states)) return std::move(deterministic.fsm);
  if (work.left == 0) return too_much_work();
  if (options.require_deterministic) return too_many_states(options.max_states);
  Determinizer as_it_is(nfa, work);
  if (!as_it_is.run_nondeterministic()) return too_much_work();
  return std::move(as_it_is.fsm);
}

Fsm merge_states(const Fsm& fsm) {
  const std::vector<std::uint32_t> order = leaving_order(fsm);
  std::vector<std::uint32_t> numbers(fsm.states.size(), kUnbounded);
  std::unordered_map<StateSet, std::uint32_t, HashSet> known;
  Fsm merged;
  merged.states.resize(1);  // the start, which stays the first
  for (const std::uint32_t s : order) {
    const FsmState& state = fsm.states[s];
    // Targets not yet left are told apart by their old numbers.
    const auto name = [&](std::uint32_t target) {
      return numbers[target] == kUnbounded ? target | 0x80000000U : numbers[target];
    };
    StateSet text = {state.final ? 1U : 0U, static_cast<std::uint32_t>(state.edges.size())};
    for (const FsmEdge& edge : state.edges) {
      text.insert(text.end(), {edge.low * 256U + edge.high, name(edge.target)});
    }
    for (const FsmCall& call : state.calls) {
      text.insert(text.end(), {call.rule, name(call.target)});
    }
    const auto next = s == 0 ? 0 : static_cast<std::uint32_t>(merged.states.size());
    const auto [found, is_new] = known.try_emplace(std::move(text), next);
    numbers[s] = s == 0 ? 0 : found->second;
    if (s == 0) {
      merged.states[0] = state;
    } else if (is_new) {
      merged.states.push_back(state);
    }
  }
  for (FsmState& state : merged.states) {
    for (FsmEdge& edge : state.edges) edge.target = numbers[edge.target];
    for (FsmCall& call : state.calls) call.target = numbers[call.target];
  }
  return merged;
}

Result<Fsm> regular_language(const GrammarBuilder& builder, ExprId expr, CompileWork& work) {
  JARIP_TRY(const Nfa nfa, build_nfa(builder, expr));
  JARIP_TRY(const Fsm fsm, make_fsm(nfa, {.require_deterministic = true}, work));
  return merge_states(fsm);
}

Result<Fsm> intersect(const Fsm& a, const Fsm& b, CompileWork& work) {
  return Product(a, b, false, work).run();
}

Result<Fsm> subtract(const Fsm& a, const Fsm& b, CompileWork& work) {
  return Product(a, b, true, work).run();
}

bool matches_nothing(const Fsm& language) {
  const std::vector<std::uint32_t> reached = leaving_order(language);
  return std::ranges::none_of(reached,
                              [&](std::uint32_t state) { return language.states[state].final; });
}

bool matches(const Fsm& language, std::string_view text) {
  std::uint32_t state = 0;
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    const auto& edges = language.states[state].edges;
    const auto edge = std::ranges::find_if(
        edges, [byte](const FsmEdge& e) { return e.low <= byte && byte <= e.high; });
    if (edge == edges.end()) return false;
    state = edge->target;
  }
  return language.states[state].final;
}

ExprId add_language(GrammarBuilder& builder, const Fsm& language) {
  // States 0 and 1 of the graph are its ends; the language's follow.
  std::vector<GraphEdge> edges = {{0, 2, builder.empty()}};
  for (std::uint32_t s = 0; s < language.states.size(); ++s) {
    std::map<std::uint32_t, ByteSet> sets;
    for (const FsmEdge& edge : language.states[s].edges) {
      for (unsigned byte = edge.low; byte <= edge.high; ++byte) sets[edge.target].set(byte);
    }
    for (const auto& [target, set] : sets) {
      edges.push_back({s + 2, target + 2, builder.bytes(set)});
    }
    if (language.states[s].final) edges.push_back({s + 2, 1, builder.empty()});
  }
  return builder.graph(static_cast<std::uint32_t>(language.states.size()) + 2, edges);
}

}  // namespace jarip
