#include "grammar/stacks.h"

#include <algorithm>
#include <utility>

namespace jarip {
namespace {

constexpr std::size_t kMaxVisits = std::size_t{64} * kMaxStacks;  // frames looked at for one byte

}  // namespace

Stacks::Stacks(const Automaton& automaton, bool limits_depth)
    : automaton_(automaton),
      limits_depth_(limits_depth),
      frames_(1),
      visited_(1, 0),
      slots_(64, kBottom) {}

Position Stacks::begin() {
  Position position;
  resume(add(automaton_.start, 0, kBottom), position);
  position.at_bottom = automaton_.matches_empty;
  return position;
}

std::size_t Stacks::slot_of(const Frame& frame) const {
  std::uint64_t hash = (std::uint64_t{frame.state} << 32U | frame.below) * 0x9E3779B97F4A7C15U;
  hash = (hash ^ (hash >> 31U) ^ frame.count) * 0xBF58476D1CE4E5B9U;
  std::size_t slot = (hash >> 20U) & (slots_.size() - 1);
  while (slots_[slot] != kBottom) {
    const Frame& other = frames_[slots_[slot]];
    if (other.state == frame.state && other.count == frame.count && other.below == frame.below) {
      break;
    }
    slot = (slot + 1) & (slots_.size() - 1);
  }
  return slot;
}

void Stacks::rehash(std::size_t n_slots) {
  slots_.assign(n_slots, kBottom);
  for (FrameId id = 1; id < frames_.size(); ++id) slots_[slot_of(frames_[id])] = id;
}

FrameId Stacks::add(std::uint32_t state, std::uint32_t count, FrameId below) {
  const Frame frame{state, count, below, below == kBottom ? 0 : frames_[below].depth + 1};
  const std::size_t slot = slot_of(frame);
  if (slots_[slot] != kBottom) return slots_[slot];
  const auto id = static_cast<FrameId>(frames_.size());
  frames_.push_back(frame);
  visited_.push_back(0);
  slots_[slot] = id;
  if (frames_.size() * 2 > slots_.size()) rehash(slots_.size() * 2);
  return id;
}

// One more time through a loop's body. Without a max, the count only tells when the min is reached.
std::uint32_t Stacks::counted(const State& head, std::uint32_t count) const {
  const Loop& loop = automaton_.loops[head.loop];
  return loop.max == kUnbounded ? std::min(count + 1, loop.min) : count + 1;
}

void Stacks::visit(FrameId frame) {
  if (visited_[frame] == round_) return;
  visited_[frame] = round_;
  open_.push_back(frame);
}

void Stacks::advance(const Position& from, std::uint8_t byte, Position& to) {
  to.tops.clear();
  to.at_bottom = false;
  ++round_;
  for (const FrameId top : from.tops) {
    const Frame frame = frames_[top];
    for (const ByteEdge& edge : automaton_.edges_of(automaton_.states[frame.state])) {
      if (byte < edge.low || byte > edge.high) continue;
      const std::uint32_t count =
          edge.counts ? counted(automaton_.states[edge.target], frame.count) : frame.count;
      visit(add(edge.target, count, frame.below));
    }
  }
  settle(to);
}

void Stacks::resume(FrameId frame, Position& to) {
  to.tops.clear();
  to.at_bottom = false;
  ++round_;
  visit(frame);
  settle(to);
}

// Whether its rule can still come to an end below the limit.
bool Stacks::fits(const Frame& frame) {
  const std::uint64_t most = frame.depth + std::uint64_t{automaton_.states[frame.state].height};
  if (most >= kUnbounded || (limits_depth_ && most > kMaxStackDepth)) return false;
  deepest_ = std::max(deepest_, static_cast<std::uint32_t>(most));
  return true;
}

// Calls rules and ends them until every stack waits for a byte.
void Stacks::settle(Position& to) {
  std::size_t n_visits = 0;
  while (!open_.empty()) {
    if (++n_visits > kMaxVisits || to.tops.size() > kMaxStacks) {
      open_.clear();
      to = {};
      has_overrun_ = true;
      return;
    }
    const FrameId id = open_.back();
    open_.pop_back();
    const Frame frame = frames_[id];
    const State& state = automaton_.states[frame.state];
    if (!fits(frame)) continue;
    bool may_enter = true;
    bool may_leave = state.final;
    if (state.is_head) {
      const Loop& loop = automaton_.loops[state.loop];
      may_enter = frame.count < loop.max;
      may_leave = frame.count >= loop.min;
    }
    if (may_enter && state.n_edges > 0) to.tops.push_back(id);
    for (const CallEdge& call : automaton_.calls_of(state)) {
      if (!may_enter) break;
      FrameId below = frame.below;
      if (!call.is_last) {
        const std::uint32_t count =
            call.counts ? counted(automaton_.states[call.target], frame.count) : frame.count;
        below = add(call.target, count, frame.below);
        if (!fits(frames_[below])) continue;
      }
      visit(add(call.start, 0, below));
    }
    if (!may_leave) continue;
    if (frame.below == kBottom) {
      to.at_bottom = true;
    } else {
      visit(frame.below);
    }
  }
  if (to.tops.size() > kMaxStacks) {
    to = {};
    has_overrun_ = true;
  }
  std::ranges::sort(to.tops);
}

void Stacks::keep_only(std::span<Position> positions) {
  ++round_;
  for (const Position& position : positions) {
    for (const FrameId top : position.tops) {
      for (FrameId id = top; id != kBottom && visited_[id] != round_; id = frames_[id].below) {
        visited_[id] = round_;
      }
    }
  }
  // A frame lies above those below it, so that one pass in order renumbers them all.
  std::vector<FrameId> numbers(frames_.size(), kBottom);
  std::size_t n = 1;
  for (FrameId id = 1; id < frames_.size(); ++id) {
    if (visited_[id] != round_) continue;
    Frame frame = frames_[id];
    frame.below = numbers[frame.below];
    numbers[id] = static_cast<FrameId>(n);
    frames_[n++] = frame;
  }
  frames_.resize(n);
  visited_.assign(n, 0);
  round_ = 0;
  rehash(slots_.size());
  for (Position& position : positions) {
    for (FrameId& top : position.tops) top = numbers[top];
  }
}

}  // namespace jarip
