#include "grammar/leaf_walk.h"

#include <algorithm>
#include <array>
#include <memory>
#include <unordered_map>
#include <utility>

namespace jarip {
namespace {

class LeafWalk {
 public:
  LeafWalk(const Automaton& automaton, const TokenTrie& trie, std::uint32_t state,
           std::size_t max_rests)
      : automaton_(automaton),
        trie_(trie),
        following_(automaton.following[automaton.states[state].rule]),
        is_loop_(automaton.states[state].loop != kNoLoop),
        max_rests_(max_rests),
        path_(trie.max_token_bytes() + std::size_t{1}) {
    path_[0] = {row_of(state), 0};
  }

  std::optional<LeafTokens> run() {
    const std::span<const TokenTrie::Node> nodes = trie_.nodes();
    for (std::uint32_t i = 0; i < nodes.size();) {
      const TokenTrie::Node& node = nodes[i];
      enter(node);
      const Place& here = path_[node.depth];
      if (here.row == nullptr && exits_.empty()) {
        i = node.end;
        continue;
      }
      for (std::uint32_t place = node.first_token; place < node.end_token; ++place) {
        // What fits while a loop goes on may also leave it: when it can't go on as long.
        if (here.row == nullptr || is_loop_) add_rests(place);
        if (here.row == nullptr) continue;
        const std::uint32_t rounds = here.rounds + (here.row->is_inside_round ? 1 : 0);
        if (rounds >= fitting_.size()) fitting_.resize(rounds + std::size_t{1});
        fitting_[rounds].push_back(trie_.id_at(place));
      }
      if (out_.rests.size() > max_rests_) return {};
      ++i;
    }
    for (const std::vector<std::uint32_t>& ids : fitting_) {
      out_.fitting.insert(out_.fitting.end(), ids.begin(), ids.end());
      out_.n_within.push_back(out_.fitting.size());
    }
    std::ranges::sort(out_.rests, [](const LeafTokens::Rest& a, const LeafTokens::Rest& b) {
      return a.bytes != b.bytes ? a.bytes < b.bytes : a.id < b.id;
    });
    return std::move(out_);
  }

 private:
  // A state with where each byte leads.
  struct Row {
    std::array<const ByteEdge*, 256> edges = {};
    std::array<Row*, 256> next = {};  // filled as it is needed
    bool may_end = false;
    bool is_inside_round = false;
  };
  struct Place {
    Row* row = nullptr;  // null: the rule has refused a byte
    std::uint32_t rounds = 0;
  };
  struct Exit {
    std::uint32_t n_bytes = 0;
    std::uint32_t rounds = 0;
  };

  Row* row_of(std::uint32_t state) {
    std::unique_ptr<Row>& row = rows_[state];
    if (row == nullptr) {
      row = std::make_unique<Row>();
      const State& from = automaton_.states[state];
      row->may_end = from.final;
      row->is_inside_round = from.loop != kNoLoop && !from.is_head;
      for (const ByteEdge& edge : automaton_.edges_of(from)) {
        for (unsigned byte = edge.low; byte <= edge.high; ++byte) row->edges[byte] = &edge;
      }
    }
    return row.get();
  }

  void enter(const TokenTrie::Node& node) {
    const Place& before = path_[node.depth - 1];
    while (!exits_.empty() && exits_.back().n_bytes + 1 >= node.depth) exits_.pop_back();
    Place& here = path_[node.depth];
    here = {};
    if (before.row == nullptr) return;
    if (node.depth > 1 && before.row->may_end && following_[node.byte]) {
      exits_.push_back({node.depth - 1U, before.rounds});
    }
    const ByteEdge* const edge = before.row->edges[node.byte];
    if (edge == nullptr) return;
    Row*& next = before.row->next[node.byte];
    if (next == nullptr) next = row_of(edge->target);
    here = {next, before.rounds + (edge->counts ? 1 : 0)};
  }

  void add_rests(std::uint32_t place) {
    for (const Exit& exit : exits_) {
      out_.rests.push_back(
          {trie_.bytes_at(place).substr(exit.n_bytes), exit.rounds, trie_.id_at(place)});
    }
  }

  const Automaton& automaton_;
  const TokenTrie& trie_;
  const ByteSet& following_;
  bool is_loop_;
  std::size_t max_rests_;
  std::unordered_map<std::uint32_t, std::unique_ptr<Row>> rows_;
  std::vector<Place> path_;                          // by bytes
  std::vector<std::vector<std::uint32_t>> fitting_;  // by rounds
  std::vector<Exit> exits_;  // bytes after which the rule could end, ascending
  LeafTokens out_;
};

}  // namespace

std::optional<LeafTokens> walk_leaf(const Automaton& automaton, const TokenTrie& trie,
                                    std::uint32_t state, std::size_t max_rests) {
  return LeafWalk(automaton, trie, state, max_rests).run();
}

}  // namespace jarip
