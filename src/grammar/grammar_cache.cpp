#include "grammar/grammar_cache.h"

#include <algorithm>
#include <utility>

namespace jarip {

std::shared_ptr<const Grammar> GrammarCache::find(const GrammarSource& source) {
  const auto found = std::ranges::find(kept_, source, &Kept::source);
  if (found == kept_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, found);
  return found->grammar;
}

Result<std::shared_ptr<const Grammar>> GrammarCache::get(const GrammarSource& source) {
  {
    const std::lock_guard lock(mutex_);
    if (auto grammar = find(source)) return grammar;
  }
  JARIP_TRY(Automaton automaton, compile_source(source));
  auto compiled = std::make_shared<const Grammar>(std::move(automaton), trie_);
  compiled->masks().prepare();
  const std::lock_guard lock(mutex_);
  if (auto grammar = find(source)) return grammar;  // another thread was quicker
  kept_.push_front({source, compiled});
  if (kept_.size() > kMostGrammars) kept_.pop_back();
  return compiled;
}

}  // namespace jarip
