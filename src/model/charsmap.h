// SentencePiece's compiled normalisation ("precompiled_charsmap"): the longest prefix of a text
// that it has something else for. Owned by a unigram encoder; immutable; usable from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace jarip {

class Charsmap {
 public:
  // An empty map changes nothing. Errors: kCorrupt (lengths that don't fit, replacements without
  // an end or too long), by key.
  [[nodiscard]] static Result<Charsmap> parse(std::span<const std::byte> bytes);

  struct Match {
    std::size_t length = 0;        // of the prefix, at least 1
    std::string_view replacement;  // may be empty
  };
  [[nodiscard]] std::optional<Match> longest_prefix(std::string_view text) const;

 private:
  std::vector<std::uint32_t> units_;  // a double-array trie of the prefixes
  std::string replacements_;          // each ended by a zero byte
};

}  // namespace jarip
