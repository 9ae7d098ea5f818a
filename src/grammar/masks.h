// Which tokens may come next. For what lies on top of a stack it is worked out once which tokens
// fit whatever lies below, and which fit if what lies below takes the bytes that they have left
// (Dong et al., XGrammar, 2024); only the latter are looked at again at each position. Entries are
// made when first needed and kept, so that all sequences of a grammar share them. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "grammar/leaf_walk.h"
#include "grammar/stacks.h"
#include "grammar/token_trie.h"

namespace jarip {

using MaskWords = std::vector<std::uint64_t>;  // a bit a token

class MaskCache {
 public:
  // Both outlive the cache.
  MaskCache(const Automaton& automaton, const TokenTrie& trie);
  ~MaskCache();

  // Makes the entries that take longest, of states that most bytes lead on from, as the insides of
  // strings, those an answer comes to first: so that no step of it waits for them. Takes about a
  // tenth of a second at most.
  void prepare();

  // Sets the bits of all tokens that the position allows. Frames may be added to the stacks. The
  // outcome depends on the position alone. Errors: kUnsupported, when telling takes too much work.
  [[nodiscard]] Result<void> add_allowed(Stacks& stacks, const Position& position,
                                         std::span<std::uint64_t> words);

  // The same, by trying every token: what add_allowed() is tested against, and what it does near
  // the limits of a stack.
  [[nodiscard]] Result<void> add_allowed_exactly(const Stacks& stacks, const Position& position,
                                                 std::span<std::uint64_t> words) const;

 private:
  struct Entry;
  struct HashKey {
    std::size_t operator()(const std::vector<std::uint32_t>& key) const;
  };

  [[nodiscard]] Result<void> add_allowed_on(Stacks& stacks, FrameId top,
                                            std::span<std::uint64_t> words, std::uint64_t& work);
  [[nodiscard]] std::shared_ptr<const Entry> entry_of(const Stacks& stacks, FrameId top,
                                                      unsigned n_frames);
  [[nodiscard]] std::shared_ptr<const Entry> make_entry(const Stacks& stacks, FrameId top,
                                                        unsigned n_frames);
  [[nodiscard]] std::shared_ptr<const Entry> make_leaf_entry(const Frame& frame);
  void keep(std::vector<std::uint32_t> key, const std::shared_ptr<const Entry>& entry);
  [[nodiscard]] Result<void> add_fitting(Stacks& stacks, FrameId below, const Entry& entry,
                                         std::span<std::uint64_t> words, std::uint64_t& work) const;
  [[nodiscard]] std::uint32_t count_class(const Frame& frame) const;

  const Automaton& automaton_;
  const TokenTrie& trie_;

  std::mutex mutex_;  // guards the three below
  std::unordered_map<std::vector<std::uint32_t>, std::shared_ptr<const Entry>, HashKey> entries_;
  std::unordered_map<std::uint32_t, std::optional<LeafTokens>> loops_;  // by state
  std::size_t n_bytes_ = 0;
};

}  // namespace jarip
