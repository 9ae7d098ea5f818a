// What a rule that calls no other says about every token, as a walk of its automaton alone over the
// vocabulary. Of a loop it is worked out for all counts at once. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/token_trie.h"

namespace jarip {

struct LeafTokens {
  // A token that fits where the rule may end after so many more rounds and what follows takes the
  // bytes.
  struct Rest {
    std::string_view bytes;  // in the trie
    std::uint32_t rounds = 0;
    std::uint32_t id = 0;
  };

  // Tokens that fit while the loop allows enough more rounds through its body, ascending by how
  // many they take.
  std::vector<std::uint32_t> fitting;
  std::vector<std::size_t> n_within;  // by rounds: how many of them take no more
  std::vector<Rest> rests;            // ascending by bytes
};

// From a state of a leaf (Automaton::is_leaf). Nothing when there are more rests than max_rests.
[[nodiscard]] std::optional<LeafTokens> walk_leaf(const Automaton& automaton, const TokenTrie& trie,
                                                  std::uint32_t state, std::size_t max_rests);

}  // namespace jarip
