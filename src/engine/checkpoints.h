// The memory of recurrent layers' states. A state belongs to a sequence that runs, or is the
// checkpoint of a kept page: what its sequence had after the page's last token, from which others
// go on. Owned by the prefix cache; the engine's thread alone calls it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/result.h"
#include "model/model.h"

namespace jarip {

// Where all texts get checkpoints, so that those who share a beginning agree on the place.
inline constexpr std::uint32_t kCheckpointPages = 8;
inline constexpr std::uint32_t kCheckpointTokens = kCheckpointPages * kKvPageTokens;

class Checkpoints {
 public:
  Checkpoints() = default;  // of models that keep no states
  // Only address space is taken. Errors: kUnavailable.
  [[nodiscard]] static Result<Checkpoints> create(std::size_t state_bytes, std::uint32_t n_states,
                                                  std::uint32_t n_pages);

  // Whether the model keeps states at all.
  [[nodiscard]] bool in_use() const { return !slots_.empty(); }
  [[nodiscard]] std::byte* memory() const { return memory_.data(); }
  [[nodiscard]] std::size_t state_bytes() const { return state_bytes_; }
  [[nodiscard]] std::uint32_t n_kept() const { return n_kept_; }

  // A state that nobody has: a free one, or else that of the checkpoint least recently used, which
  // is lost. None when all others are sequences' or pinned.
  [[nodiscard]] std::optional<StateId> take();
  void give_back(StateId state) { free_.push_back(state); }

  // A taken state becomes the page's checkpoint; given back if the page has one.
  void attach(PageId page, StateId state);
  [[nodiscard]] bool has(PageId page) const { return in_use() && of_page_[page] != kNone; }
  // The page's checkpoint is taken, if it has one.
  [[nodiscard]] std::optional<StateId> detach(PageId page);
  // The page is another's now.
  void drop(PageId page);

  // A pinned page's checkpoint stays until all pins are gone. The page has one.
  void pin(PageId page);
  void unpin(PageId page) { --slots_[of_page_[page]].n_pins; }
  // Makes a taken state equal to the page's checkpoint.
  void copy(PageId page, StateId to);

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  struct Slot {
    PageId page = kNone;  // whose checkpoint it is
    std::uint32_t n_pins = 0;
    std::uint64_t used = 0;  // when last, by clock_
  };

  AlignedBuffer memory_;
  std::size_t state_bytes_ = 0;
  std::vector<Slot> slots_;       // [n_states]
  std::vector<StateId> of_page_;  // [n_pages]
  std::vector<StateId> free_;     // the one returned last is used first: it is the warmest
  std::uint64_t clock_ = 0;
  std::uint32_t n_kept_ = 0;
};

}  // namespace jarip
