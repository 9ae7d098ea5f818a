// What a constrained answer must match: a grammar compiled for a vocabulary. Shared by all requests
// that ask for it, and by the cache of compiled ones; immutable but for masks that are made when
// first needed. Any thread.
#pragma once

#include <memory>
#include <utility>

#include "base/result.h"
#include "grammar/masks.h"
#include "grammar/source.h"

namespace jarip {

// The automaton alone. Errors: kInvalidArgument (a mistake in the text, by place; a limit, by
// name), kUnsupported (what can't be enforced exactly, by name).
[[nodiscard]] Result<Automaton> compile_source(const GrammarSource& source);

class Grammar {
 public:
  Grammar(Automaton automaton, std::shared_ptr<const TokenTrie> trie)
      : automaton_(std::move(automaton)), trie_(std::move(trie)), masks_(automaton_, *trie_) {}

  [[nodiscard]] const Automaton& automaton() const { return automaton_; }
  [[nodiscard]] const TokenTrie& trie() const { return *trie_; }
  [[nodiscard]] MaskCache& masks() const { return masks_; }

 private:
  Automaton automaton_;
  std::shared_ptr<const TokenTrie> trie_;
  mutable MaskCache masks_;
};

}  // namespace jarip
