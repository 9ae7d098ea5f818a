// The stacks of an automaton while bytes go by: all readings of what came so far that can still
// lead to an end, as chains of frames that share their lower parts. Each chain is there once,
// whatever led to it, so equal stacks have equal numbers. Owned by one matcher or one computation
// of a mask, on one thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "grammar/automaton.h"

namespace jarip {

using FrameId = std::uint32_t;

// Below every stack. A stack that has come down to it has come to its end.
inline constexpr FrameId kBottom = 0;

struct Frame {
  std::uint32_t state = 0;
  std::uint32_t count = 0;
  FrameId below = kBottom;
  std::uint32_t depth = 0;  // frames below it, the bottom not counted

  bool operator==(const Frame&) const = default;
};

// Where a text has led: stacks whose top frame can take a byte, ascending, and whether the text may
// end here. No stack and not at the bottom: the text is refused.
struct Position {
  std::vector<FrameId> tops;
  bool at_bottom = false;

  [[nodiscard]] bool refused() const { return tops.empty() && !at_bottom; }
  bool operator==(const Position&) const = default;
};

class Stacks {
 public:
  // limits_depth: stacks from which no end could be reached below kMaxStackDepth are dropped.
  // Without, the caller has seen to it that none can come near the limit.
  explicit Stacks(const Automaton& automaton, bool limits_depth = true);

  [[nodiscard]] Position begin();
  // After a byte. A byte that would lead to more than kMaxStacks stacks is refused.
  void advance(const Position& from, std::uint8_t byte, Position& to);
  // What the frame, next to go on, can do.
  void resume(FrameId frame, Position& to);

  [[nodiscard]] const Frame& frame(FrameId id) const { return frames_[id]; }
  [[nodiscard]] FrameId add(std::uint32_t state, std::uint32_t count, FrameId below);
  [[nodiscard]] std::size_t n_frames() const { return frames_.size(); }
  // The most frames that any stack so far has had, or takes to come to its end.
  [[nodiscard]] std::uint32_t deepest() const { return deepest_; }
  // Whether some text was refused because it has more readings than are followed.
  [[nodiscard]] bool has_overrun() const { return has_overrun_; }

  // Forgets all frames but those that the positions need, and renumbers these.
  void keep_only(std::span<Position> positions);

 private:
  void visit(FrameId frame);
  [[nodiscard]] bool fits(const Frame& frame);
  void settle(Position& to);
  void rehash(std::size_t n_slots);
  [[nodiscard]] std::size_t slot_of(const Frame& frame) const;
  [[nodiscard]] std::uint32_t counted(const State& head, std::uint32_t count) const;

  const Automaton& automaton_;
  bool limits_depth_;
  std::vector<Frame> frames_;           // frames_[kBottom] is the bottom
  std::vector<std::uint32_t> visited_;  // by frame: the last round that saw it
  std::uint32_t round_ = 0;
  std::uint32_t deepest_ = 0;
  bool has_overrun_ = false;
  std::vector<FrameId> slots_;  // hash table of frames; kBottom: free
  std::vector<FrameId> open_;
};

}  // namespace jarip
