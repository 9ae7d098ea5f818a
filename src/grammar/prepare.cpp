// What is done to the rules' automata before they become deterministic.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "grammar/nfa.h"

namespace jarip {
namespace {

constexpr std::size_t kMaxCopiedEdges = 48;  // of a rule that is copied into its callers

std::vector<std::vector<RuleId>> calls_of(const std::vector<Nfa>& nfas) {
  std::vector<std::vector<RuleId>> calls(nfas.size());
  for (std::size_t r = 0; r < nfas.size(); ++r) {
    for (const NfaEdge& edge : nfas[r].edges) {
      if (edge.kind == EdgeKind::kCall) calls[r].push_back(edge.rule);
    }
    std::ranges::sort(calls[r]);
    calls[r].erase(std::ranges::unique(calls[r]).begin(), calls[r].end());
  }
  return calls;
}

// The states that empty moves alone reach from a rule's start.
std::vector<std::uint32_t> states_at_start(const Nfa& nfa, const NfaIndex& index) {
  std::vector<std::uint32_t> reached = {kNfaStart};
  std::vector<bool> seen(nfa.n_states, false);
  seen[kNfaStart] = true;
  for (std::size_t i = 0; i < reached.size(); ++i) {
    for (const std::uint32_t e : index.edges_of(reached[i])) {
      const NfaEdge& edge = nfa.edges[e];
      if (edge.kind != EdgeKind::kEmpty || seen[edge.to]) continue;
      seen[edge.to] = true;
      reached.push_back(edge.to);
    }
  }
  return reached;
}

// Which states reach the final state of their rule, where a call can be passed once its rule's
// start is among them. Without bytes: what may match nothing; with them: what may match at all.
class Backward {
 public:
  Backward(const std::vector<Nfa>& nfas, const std::vector<Rule>& rules, bool over_bytes)
      : nfas_(nfas), rules_(rules), over_bytes_(over_bytes), waiting_(nfas.size()) {
    for (const Nfa& nfa : nfas) {
      into_.emplace_back(reversed(nfa));
      reaches.emplace_back(nfa.n_states, false);
    }
  }

  void run() {
    for (RuleId r = 0; r < nfas_.size(); ++r) mark(r, kNfaFinal);
    // A loop that need not be passed once matches nothing, whatever its body is.
    for (RuleId r = 0; r < nfas_.size() && !over_bytes_; ++r) {
      if (rules_[r].is_loop && rules_[r].min == 0) mark(r, kNfaStart);
    }
    while (!open_.empty()) {
      const auto [r, state] = open_.back();
      open_.pop_back();
      for (const std::uint32_t e : into_[r].edges_of(state)) pass(r, nfas_[r].edges[e]);
      if (state == kNfaStart) {
        for (const auto& [caller, from] : waiting_[r]) mark(caller, from);
      }
    }
  }

  std::vector<std::vector<bool>> reaches;  // by rule and state

 private:
  static NfaIndex reversed(const Nfa& nfa) {
    Nfa turned;
    turned.n_states = nfa.n_states;
    turned.edges = nfa.edges;
    for (NfaEdge& edge : turned.edges) std::swap(edge.from, edge.to);
    return NfaIndex(turned);
  }

  void mark(RuleId r, std::uint32_t state) {
    if (reaches[r][state]) return;
    reaches[r][state] = true;
    open_.emplace_back(r, state);
  }

  void pass(RuleId r, const NfaEdge& edge) {
    if (edge.kind == EdgeKind::kBytes && !over_bytes_) return;
    if (edge.kind == EdgeKind::kCall && !reaches[edge.rule][kNfaStart]) {
      waiting_[edge.rule].emplace_back(r, edge.from);
      return;
    }
    mark(r, edge.from);
  }

  const std::vector<Nfa>& nfas_;
  const std::vector<Rule>& rules_;
  bool over_bytes_;
  std::vector<NfaIndex> into_;  // edges by the state they lead to
  std::vector<std::vector<std::pair<RuleId, std::uint32_t>>> waiting_;  // for a rule, by rule
  std::vector<std::pair<RuleId, std::uint32_t>> open_;
};

class Preparation {
 public:
  Preparation(const GrammarBuilder& builder, RuleId root)
      : builder_(builder), rules_(builder.rules()), root_(root) {}

  Result<PreparedRules> run() {
    JARIP_CHECK(build());
    Backward nullable(nfas_, rules_, false);
    nullable.run();
    for (const auto& reaches : nullable.reaches) nullable_.push_back(reaches[kNfaStart]);
    add_ways_around();
    JARIP_CHECK(drop_dead_ends());
    copy_small_rules();
    if (count_edges() > kMaxNfaEdges) return too_large();
    JARIP_CHECK(remove_left_recursion());
    find_reachable();
    return PreparedRules{std::move(nfas_), std::move(reachable_), std::move(nullable_)};
  }

 private:
  static std::unexpected<Error> too_large() {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the grammar is too large: its rules written out have more than {} "
                            "edges",
                            kMaxNfaEdges));
  }

  std::size_t count_edges() const {
    std::size_t n = 0;
    for (const Nfa& nfa : nfas_) n += nfa.edges.size();
    return n;
  }

  Result<void> build() {
    if (builder_.failed()) return std::unexpected(*builder_.error());
    std::size_t n_edges = 0;
    for (const Rule& rule : rules_) {
      if (!rule.body) {
        return fail(
            ErrorCode::kInvalidArgument,
            fmt::format("the grammar uses the rule \"{}\" and doesn't define it", rule.name));
      }
      JARIP_TRY(Nfa nfa, build_nfa(builder_, *rule.body));
      n_edges += nfa.edges.size();
      if (n_edges > kMaxNfaEdges) return too_large();
      nfas_.push_back(std::move(nfa));
    }
    return {};
  }

  void add_ways_around() {
    for (Nfa& nfa : nfas_) {
      const std::size_t n = nfa.edges.size();
      for (std::size_t e = 0; e < n; ++e) {
        const NfaEdge edge = nfa.edges[e];
        if (edge.kind != EdgeKind::kCall || !nullable_[edge.rule]) continue;
        nfa.edges.push_back({.from = edge.from, .to = edge.to});
      }
    }
  }

  Result<void> drop_dead_ends() {
    Backward productive(nfas_, rules_, true);
    productive.run();
    if (!productive.reaches[root_][kNfaStart] && !nullable_[root_]) {
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("no text at all matches the grammar's rule \"{}\"", rules_[root_].name));
    }
    for (RuleId r = 0; r < nfas_.size(); ++r) {
      std::erase_if(nfas_[r].edges, [&](const NfaEdge& edge) {
        return !productive.reaches[r][edge.to] ||
               (edge.kind == EdgeKind::kCall && !productive.reaches[edge.rule][kNfaStart]);
      });
    }
    return {};
  }

  // Paull's algorithm on automata. A rule that begins with itself, A = A x | y, is y followed by
  // any number of x: the call goes, and a way leads from the rule's end to behind where it was.
  Result<void> remove_left_recursion() {
    const std::vector<std::vector<RuleId>> calls = left_calls(nfas_);
    for (const std::vector<RuleId>& group : components_of(calls)) {
      const bool recursive =
          group.size() > 1 || std::ranges::find(calls[group[0]], group[0]) != calls[group[0]].end();
      if (!recursive) continue;
      for (std::size_t i = 0; i < group.size(); ++i) {
        if (rules_[group[i]].is_loop) {
          return fail(ErrorCode::kUnsupported,
                      "the grammar has a counted repetition that begins with itself");
        }
        flatten_start(nfas_[group[i]]);
        for (std::size_t j = 0; j < i; ++j) put_in_place_of_call(group[i], group[j]);
        loop_back(group[i]);
        if (count_edges() > kMaxNfaEdges) return too_large();
      }
    }
    return {};
  }

  // Gives the start all that can come first as edges of its own.
  static void flatten_start(Nfa& nfa) {
    const NfaIndex index(nfa);
    std::vector<NfaEdge> first;
    for (const std::uint32_t state : states_at_start(nfa, index)) {
      for (const std::uint32_t e : index.edges_of(state)) {
        if (nfa.edges[e].kind == EdgeKind::kEmpty) continue;
        first.push_back(nfa.edges[e]);
        first.back().from = kNfaStart;
      }
    }
    std::erase_if(nfa.edges, [](const NfaEdge& edge) { return edge.from == kNfaStart; });
    nfa.edges.insert(nfa.edges.end(), first.begin(), first.end());
  }

  // Takes away the calls of a rule from another's start; the states behind them.
  static std::vector<std::uint32_t> take_left_calls(Nfa& nfa, RuleId callee) {
    std::vector<std::uint32_t> targets;
    std::erase_if(nfa.edges, [&](const NfaEdge& edge) {
      const bool found =
          edge.from == kNfaStart && edge.kind == EdgeKind::kCall && edge.rule == callee;
      if (found) targets.push_back(edge.to);
      return found;
    });
    return targets;
  }

  void put_in_place_of_call(RuleId caller, RuleId callee) {
    Nfa& nfa = nfas_[caller];
    const std::vector<std::uint32_t> targets = take_left_calls(nfa, callee);
    if (targets.empty()) return;
    const std::uint32_t first = nfa.n_states;
    const Nfa& copied = nfas_[callee];
    nfa.n_states += copied.n_states;
    for (NfaEdge edge : copied.edges) {
      edge.from = edge.from == kNfaStart ? kNfaStart : edge.from + first;
      edge.to += first;
      nfa.edges.push_back(edge);
    }
    for (const std::uint32_t target : targets) {
      nfa.edges.push_back({.from = first + kNfaFinal, .to = target});
    }
  }

  void loop_back(RuleId rule) {
    for (const std::uint32_t target : take_left_calls(nfas_[rule], rule)) {
      nfas_[rule].edges.push_back({.from = kNfaFinal, .to = target});
    }
  }

  // Callees come first, so that a rule made of small ones can be small itself.
  void copy_small_rules() {
    for (const std::vector<RuleId>& group : components_of(calls_of(nfas_))) {
      if (group.size() == 1) copy_callees_into(nfas_[group[0]]);
    }
  }

  bool is_small(RuleId rule) const {
    const Nfa& nfa = nfas_[rule];
    return !rules_[rule].is_loop && !rules_[rule].shared && nfa.edges.size() <= kMaxCopiedEdges &&
           std::ranges::none_of(nfa.edges,
                                [](const NfaEdge& edge) { return edge.kind == EdgeKind::kCall; });
  }

  void copy_callees_into(Nfa& nfa) {
    const std::size_t n = nfa.edges.size();
    for (std::size_t e = 0; e < n && nfa.edges.size() < kMaxNfaEdges; ++e) {
      const NfaEdge call = nfa.edges[e];
      if (call.kind != EdgeKind::kCall || !is_small(call.rule)) continue;
      const std::uint32_t first = nfa.n_states;
      const Nfa& copied = nfas_[call.rule];
      nfa.n_states += copied.n_states;
      nfa.edges[e] = {.from = call.from, .to = first + kNfaStart};
      nfa.edges.push_back({.from = first + kNfaFinal, .to = call.to});
      for (NfaEdge edge : copied.edges) {
        edge.from += first;
        edge.to += first;
        nfa.edges.push_back(edge);
      }
    }
  }

  void find_reachable() {
    reachable_.assign(nfas_.size(), false);
    reachable_[root_] = true;
    const std::vector<std::vector<RuleId>> calls = calls_of(nfas_);
    std::vector<RuleId> open = {root_};
    while (!open.empty()) {
      const RuleId rule = open.back();
      open.pop_back();
      for (const RuleId callee : calls[rule]) {
        if (!reachable_[callee]) open.push_back(callee);
        reachable_[callee] = true;
      }
    }
  }

  const GrammarBuilder& builder_;
  const std::vector<Rule>& rules_;
  RuleId root_;
  std::vector<Nfa> nfas_;
  std::vector<bool> nullable_;
  std::vector<bool> reachable_;
};

}  // namespace

std::vector<std::vector<RuleId>> left_calls(const std::vector<Nfa>& nfas) {
  std::vector<std::vector<RuleId>> calls(nfas.size());
  for (std::size_t r = 0; r < nfas.size(); ++r) {
    const NfaIndex index(nfas[r]);
    for (const std::uint32_t state : states_at_start(nfas[r], index)) {
      for (const std::uint32_t e : index.edges_of(state)) {
        const NfaEdge& edge = nfas[r].edges[e];
        if (edge.kind == EdgeKind::kCall) calls[r].push_back(edge.rule);
      }
    }
  }
  return calls;
}

Result<PreparedRules> prepare_nfas(const GrammarBuilder& builder, RuleId root) {
  return Preparation(builder, root).run();
}

}  // namespace jarip
