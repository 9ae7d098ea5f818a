// Tokens that stand in text as they are written ("<|im_end|>"), found before anything is merged.
// Immutable after construction; usable from any thread.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "model/token.h"

namespace jarip {

class LiteralTokens {
 public:
  using Entry = std::pair<std::string_view, TokenId>;  // text and id; the text is borrowed

  struct Match {
    std::size_t start = 0;
    std::size_t length = 0;
    TokenId id = 0;
  };

  LiteralTokens() = default;
  // Empty texts are left out; of equal texts the lowest id counts.
  explicit LiteralTokens(std::vector<Entry> entries);

  // The first place at or after `from` where one stands; the longest that stands there.
  [[nodiscard]] std::optional<Match> find_in(std::string_view text, std::size_t from) const;
  // The token of exactly this text.
  [[nodiscard]] std::optional<TokenId> find(std::string_view text) const;

 private:
  [[nodiscard]] std::optional<Match> longest_at(std::string_view text, std::size_t start) const;

  std::vector<Entry> entries_;             // sorted by text, so that a prefix's are neighbours
  std::array<bool, 256> is_first_byte_{};  // of any of them
};

}  // namespace jarip
