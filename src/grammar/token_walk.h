// A walk over a vocabulary from one position: every prefix of tokens is followed once, and what
// bytes do to a position is remembered. Owned by the computation of one mask.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "grammar/stacks.h"
#include "grammar/token_trie.h"

namespace jarip {

class TokenWalk {
 public:
  // Work: one a stack and byte that isn't remembered.
  TokenWalk(Stacks& stacks, std::uint64_t max_work) : stacks_(stacks), work_left_(max_work) {}

  // Calls on_token(place, fits) for tokens that fit; for those that don't but have left the bottom
  // behind with one of `following` as next byte, on_rest(place, n_bytes) for each number of bytes
  // after which they did. False when the work is too much, or a callback says so.
  template <class OnToken, class OnRest>
  [[nodiscard]] bool run(const TokenTrie& trie, const Position& start, const ByteSet& following,
                         OnToken on_token, OnRest on_rest) {
    path_.assign(trie.max_token_bytes() + std::size_t{1}, kDead);
    path_[0] = number_of(start);
    const std::span<const TokenTrie::Node> nodes = trie.nodes();
    for (std::uint32_t i = 0; i < nodes.size();) {
      const TokenTrie::Node& node = nodes[i];
      const std::uint32_t before = path_[node.depth - 1];
      while (!exits_.empty() && exits_.back() + 1 >= node.depth) exits_.pop_back();
      if (node.depth > 1 && known_[before]->position.at_bottom && following[node.byte]) {
        exits_.push_back(node.depth - 1U);
      }
      depth_ = node.depth;
      path_[node.depth] = before == kDead ? kDead : next(before, node.byte);
      if (work_left_ == 0) return false;
      const bool fits = path_[node.depth] != kDead;
      if (!fits && exits_.empty()) {
        i = node.end;
        continue;
      }
      for (std::uint32_t place = node.first_token; place < node.end_token; ++place) {
        if (fits) {
          on_token(place);
          continue;
        }
        for (const std::uint32_t n_bytes : exits_) {
          if (!on_rest(place, n_bytes)) return false;
        }
      }
      ++i;
    }
    return true;
  }

  [[nodiscard]] std::uint64_t work_left() const { return work_left_; }

 private:
  static constexpr std::uint32_t kDead = 0;
  static constexpr std::uint32_t kUnknown = 0xFFFFFFFF;
  static constexpr std::size_t kMaxKnown = 2048;

  struct Known {
    Position position;
    std::array<std::uint32_t, 256> next = {};
  };
  struct HashPosition {
    std::size_t operator()(const Position& position) const {
      std::uint64_t hash = position.at_bottom ? 1 : 2;
      for (const FrameId top : position.tops) hash = (hash ^ top) * 0x9E3779B97F4A7C15U;
      return hash ^ (hash >> 32U);
    }
  };

  std::uint32_t number_of(const Position& position) {
    if (known_.empty()) add(Position{});
    const auto found = numbers_.find(position);
    return found != numbers_.end() ? found->second : add(position);
  }

  std::uint32_t add(const Position& position) {
    const auto number = static_cast<std::uint32_t>(known_.size());
    known_.push_back(std::make_unique<Known>());
    known_.back()->position = position;
    known_.back()->next.fill(kUnknown);
    numbers_.emplace(position, number);
    return number;
  }

  std::uint32_t next(std::uint32_t from, std::uint8_t byte) {
    std::uint32_t number = known_[from]->next[byte];
    if (number != kUnknown) return number;
    const Position& position = known_[from]->position;
    work_left_ -= std::min<std::uint64_t>(work_left_, 1 + position.tops.size());
    stacks_.advance(position, byte, reached_);
    number = number_of(reached_);
    known_[from]->next[byte] = number;
    if (known_.size() > kMaxKnown) number = forget(number);
    return number;
  }

  // Keeps of what is known only the way to here.
  std::uint32_t forget(std::uint32_t here) {
    std::vector<Position> kept;
    for (std::uint32_t depth = 0; depth < depth_; ++depth) {
      kept.push_back(known_[path_[depth]]->position);
    }
    kept.push_back(known_[here]->position);
    stacks_.keep_only(kept);
    known_.clear();
    numbers_.clear();
    for (std::uint32_t depth = 0; depth < depth_; ++depth) path_[depth] = number_of(kept[depth]);
    return number_of(kept[depth_]);
  }

  Stacks& stacks_;
  std::uint64_t work_left_;
  std::vector<std::unique_ptr<Known>> known_;  // by number; kDead is the refused position
  std::unordered_map<Position, std::uint32_t, HashPosition> numbers_;
  std::vector<std::uint32_t> path_;   // by bytes: where the current prefix has led
  std::vector<std::uint32_t> exits_;  // bytes after which it was at the bottom, ascending
  std::uint32_t depth_ = 0;
  Position reached_;
};

}  // namespace jarip
