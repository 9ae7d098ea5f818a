#include "model/token_table.h"

#include <bit>

#include "model/vocabulary.h"

namespace jarip {

TokenTable::TokenTable(std::size_t n_tokens) : slots_(std::bit_ceil(2 * n_tokens + 2)) {}

Result<TokenId> TokenTable::insert(std::string_view bytes, TokenId id) {
  const std::size_t at = slot_of(bytes);
  if (at == kNoSlot) {
    return refuse_key(ErrorCode::kCorrupt, kTokensKey, "is made to collide in hash tables");
  }
  if (slots_[at].bytes != nullptr) return slots_[at].id;
  slots_[at] = {bytes.data(), static_cast<std::uint32_t>(bytes.size()), id};
  return id;
}

}  // namespace jarip
