#include <algorithm>
#include <cstdint>
#include <vector>

#include "grammar/nfa.h"

namespace jarip {
namespace {

// Tarjan's algorithm (1972) with its own stack: how deep a grammar is must not matter.
class Components {
 public:
  explicit Components(const std::vector<std::vector<std::uint32_t>>& graph)
      : graph_(graph), index_(graph.size(), 0), low_(graph.size(), 0), open_(graph.size(), false) {}

  std::vector<std::vector<std::uint32_t>> find() {
    for (std::uint32_t node = 0; node < graph_.size(); ++node) {
      if (index_[node] == 0) visit(node);
    }
    return std::move(found_);
  }

 private:
  struct Visit {
    std::uint32_t node = 0;
    std::size_t next = 0;  // of its neighbours
  };

  void enter(std::uint32_t node) {
    index_[node] = low_[node] = ++last_index_;
    open_[node] = true;
    path_.push_back(node);
    visits_.push_back({node, 0});
  }

  void visit(std::uint32_t root) {
    enter(root);
    while (!visits_.empty()) {
      const std::uint32_t node = visits_.back().node;
      if (visits_.back().next < graph_[node].size()) {
        const std::uint32_t child = graph_[node][visits_.back().next++];
        if (index_[child] == 0) {
          enter(child);
        } else if (open_[child]) {
          low_[node] = std::min(low_[node], index_[child]);
        }
        continue;
      }
      visits_.pop_back();
      if (!visits_.empty()) {
        std::uint32_t& parent_low = low_[visits_.back().node];
        parent_low = std::min(parent_low, low_[node]);
      }
      if (low_[node] == index_[node]) close(node);
    }
  }

  void close(std::uint32_t node) {
    std::vector<std::uint32_t> members;
    do {
      members.push_back(path_.back());
      open_[path_.back()] = false;
      path_.pop_back();
    } while (members.back() != node);
    found_.push_back(std::move(members));
  }

  const std::vector<std::vector<std::uint32_t>>& graph_;
  std::vector<std::uint32_t> index_;
  std::vector<std::uint32_t> low_;
  std::vector<bool> open_;
  std::vector<std::uint32_t> path_;
  std::vector<Visit> visits_;
  std::uint32_t last_index_ = 0;
  std::vector<std::vector<std::uint32_t>> found_;
};

}  // namespace

std::vector<std::vector<std::uint32_t>> components_of(
    const std::vector<std::vector<std::uint32_t>>& graph) {
  return Components(graph).find();
}

}  // namespace jarip
