// Compiled grammars by their text, so that a schema that many requests carry is compiled once and
// its masks are shared. Bounded; the one not used for longest goes first. Any thread.
#pragma once

#include <list>
#include <memory>
#include <mutex>

#include "base/result.h"
#include "grammar/grammar.h"

namespace jarip {

class GrammarCache {
 public:
  static constexpr std::size_t kMostGrammars = 32;

  explicit GrammarCache(std::shared_ptr<const TokenTrie> trie) : trie_(std::move(trie)) {}

  // Errors: those of compile_source().
  [[nodiscard]] Result<std::shared_ptr<const Grammar>> get(const GrammarSource& source);

 private:
  struct Kept {
    GrammarSource source;
    std::shared_ptr<const Grammar> grammar;
  };

  [[nodiscard]] std::shared_ptr<const Grammar> find(const GrammarSource& source);

  std::shared_ptr<const TokenTrie> trie_;
  std::mutex mutex_;
  std::list<Kept> kept_;  // last used first
};

}  // namespace jarip
