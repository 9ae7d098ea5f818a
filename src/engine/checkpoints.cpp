#include "engine/checkpoints.h"

#include <cstring>

namespace jarip {

Result<Checkpoints> Checkpoints::create(std::size_t state_bytes, std::uint32_t n_states,
                                        std::uint32_t n_pages) {
  Checkpoints out;
  std::size_t n_bytes = 0;
  if (__builtin_mul_overflow(state_bytes, std::size_t{n_states}, &n_bytes)) {
    return fail(ErrorCode::kUnavailable, "the states are beyond the address space");
  }
  JARIP_TRY(out.memory_, AlignedBuffer::allocate(n_bytes));
  out.state_bytes_ = state_bytes;
  out.slots_.resize(n_states);
  out.of_page_.assign(n_pages, kNone);
  out.free_.reserve(n_states);
  for (StateId state = n_states; state > 0; --state) out.free_.push_back(state - 1);
  return out;
}

std::optional<StateId> Checkpoints::take() {
  if (free_.empty()) {
    const Slot* oldest = nullptr;
    for (const Slot& slot : slots_) {
      if (slot.page == kNone || slot.n_pins > 0) continue;
      if (oldest == nullptr || slot.used < oldest->used) oldest = &slot;
    }
    if (oldest == nullptr) return std::nullopt;
    drop(oldest->page);
  }
  const StateId state = free_.back();
  free_.pop_back();
  return state;
}

void Checkpoints::attach(PageId page, StateId state) {
  if (has(page)) return give_back(state);
  of_page_[page] = state;
  slots_[state] = {.page = page, .used = ++clock_};
  ++n_kept_;
}

std::optional<StateId> Checkpoints::detach(PageId page) {
  if (!has(page)) return std::nullopt;
  const StateId state = of_page_[page];
  of_page_[page] = kNone;
  slots_[state] = {};
  --n_kept_;
  return state;
}

void Checkpoints::drop(PageId page) {
  if (const auto state = detach(page)) give_back(*state);
}

void Checkpoints::pin(PageId page) {
  Slot& slot = slots_[of_page_[page]];
  ++slot.n_pins;
  slot.used = ++clock_;
}

void Checkpoints::copy(PageId page, StateId to) {
  slots_[of_page_[page]].used = ++clock_;
  std::memcpy(memory() + to * state_bytes_, memory() + of_page_[page] * state_bytes_, state_bytes_);
}

}  // namespace jarip
