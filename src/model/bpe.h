// Byte-pair merging: the bytes of one piece of text to the token ids that the merges make of them.
// Immutable after build(); usable from any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/token.h"
#include "model/token_table.h"

namespace jarip {

// Two neighbouring tokens to what they merge into.
class MergeTable {
 public:
  // Rank (place in the list of merges) in the high half, resulting token in the low: the smallest
  // is the one to do first.
  using Merge = std::uint64_t;
  static constexpr Merge kNone = std::numeric_limits<Merge>::max();

  explicit MergeTable(std::size_t n_merges);
  // A pair that is there already takes the new merge. Error: kCorrupt, as TokenTable's.
  [[nodiscard]] Result<void> insert(TokenId left, TokenId right, Merge merge);
  [[nodiscard]] Merge find(TokenId left, TokenId right) const;  // kNone if absent

 private:
  struct Slot {
    std::uint64_t pair = 0;
    Merge merge = kNone;
  };
  [[nodiscard]] std::size_t slot_of(std::uint64_t pair) const;
  std::vector<Slot> slots_;
  unsigned shift_;
};

class BytePairEncoder {
 public:
  // token_bytes: what each token stands for, empty for those that text never becomes; the bytes are
  // borrowed. merges: "left right" in the byte alphabet, most important first. whole_pieces: a
  // piece that is a token's bytes is that token, whatever the merges say.
  // Errors: kCorrupt (two tokens of the same bytes; a merge that is no pair, or of or into what is
  // no token), with their numbers.
  [[nodiscard]] static Result<BytePairEncoder> build(std::span<const std::string_view> token_bytes,
                                                     std::span<const std::string_view> merges,
                                                     bool whole_pieces);

  // Appends the piece's tokens. Bytes that have no token (see has_byte) are left out.
  void encode(std::string_view piece, std::vector<TokenId>& out) const;

  [[nodiscard]] bool has_byte(std::uint8_t byte) const { return byte_tokens_[byte] != kNoToken; }
  [[nodiscard]] TokenId find(std::string_view bytes) const { return tokens_.find(bytes); }

 private:
  BytePairEncoder(std::size_t n_tokens, std::size_t n_merges);
  [[nodiscard]] Result<void> add_tokens(std::span<const std::string_view> token_bytes);
  [[nodiscard]] Result<void> add_merges(std::span<const std::string_view> merges);
  void merge(std::string_view piece, std::vector<TokenId>& out) const;
  void merge_short(std::string_view piece, std::vector<TokenId>& out) const;
  void merge_long(std::string_view piece, std::vector<TokenId>& out) const;

  TokenTable tokens_;
  MergeTable merges_;
  std::array<TokenId, 256> byte_tokens_;
  // By id: a piece of just the token's bytes becomes that token. Most pieces of real text are such,
  // and need no merging.
  std::vector<bool> is_whole_;
};

}  // namespace jarip
