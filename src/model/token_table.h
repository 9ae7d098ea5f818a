// Token ids by the bytes they stand for: a hash table that no crafted file can slow down. Immutable
// once filled; usable from any thread then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/token.h"

namespace jarip {

// Slots that a search in a hash table here may cross. Half-empty tables of honest keys stay below a
// hundred.
inline constexpr std::size_t kMostProbes = 500;

inline constexpr TokenId kNoToken = std::numeric_limits<TokenId>::max();

// Keys are borrowed. Searching is inline: it is what encoding does most.
class TokenTable {
 public:
  explicit TokenTable(std::size_t n_tokens);
  // The id that the bytes have from now on: another one than `id` if they had one before. Error:
  // kCorrupt if so many keys collide that the file must have been crafted for it.
  [[nodiscard]] Result<TokenId> insert(std::string_view bytes, TokenId id);
  // kNoToken if absent
  [[nodiscard]] TokenId find(std::string_view bytes) const {
    const std::size_t at = slot_of(bytes);
    return at == kNoSlot ? kNoToken : slots_[at].id;
  }

 private:
  struct Slot {
    const char* bytes = nullptr;
    std::uint32_t length = 0;
    TokenId id = kNoToken;
  };
  static constexpr std::size_t kNoSlot = std::numeric_limits<std::size_t>::max();

  static std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
  }
  static std::uint64_t load(const char* bytes, std::size_t n) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes, n);
    return word;
  }
  static std::uint64_t hash(std::string_view bytes) {
    constexpr std::uint64_t kFirst = 0x9E3779B97F4A7C15U;
    constexpr std::uint64_t kSecond = 0xD6E8FEB86659FD93U;
    std::uint64_t state = (bytes.size() + 1) * kSecond;
    while (bytes.size() > 8) {
      state = mix(state ^ load(bytes.data(), 8), kFirst);
      bytes.remove_prefix(8);
    }
    return mix(state ^ load(bytes.data(), bytes.size()), kFirst);
  }
  // The slot of these bytes, or the empty one that would be theirs; kNoSlot if the search is too
  // far.
  [[nodiscard]] std::size_t slot_of(std::string_view bytes) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = hash(bytes) & mask;
    for (std::size_t i = 0; i < kMostProbes; ++i, at = (at + 1) & mask) {
      const Slot& slot = slots_[at];
      if (slot.bytes == nullptr || std::string_view(slot.bytes, slot.length) == bytes) return at;
    }
    return kNoSlot;
  }

  std::vector<Slot> slots_;
};

}  // namespace jarip
