#include "model/literal_tokens.h"

#include <algorithm>
#include <cstdint>
#include <span>

namespace jarip {
namespace {

std::uint8_t byte_at(std::string_view text, std::size_t i) {
  return static_cast<std::uint8_t>(text[i]);
}

}  // namespace

LiteralTokens::LiteralTokens(std::vector<Entry> entries) : entries_(std::move(entries)) {
  std::erase_if(entries_, [](const Entry& entry) { return entry.first.empty(); });
  std::ranges::sort(entries_);
  const auto repeats = std::ranges::unique(entries_, {}, &Entry::first);
  entries_.erase(repeats.begin(), repeats.end());
  for (const Entry& entry : entries_) is_first_byte_[byte_at(entry.first, 0)] = true;
}

std::optional<LiteralTokens::Match> LiteralTokens::find_in(std::string_view text,
                                                           std::size_t from) const {
  if (entries_.empty()) return std::nullopt;
  for (std::size_t start = from; start < text.size(); ++start) {
    if (!is_first_byte_[byte_at(text, start)]) continue;
    if (const auto match = longest_at(text, start)) return match;
  }
  return std::nullopt;
}

// Narrows the sorted entries to those that go on as the text does, a byte at a time: a trie's walk
// without a trie.
std::optional<LiteralTokens::Match> LiteralTokens::longest_at(std::string_view text,
                                                              std::size_t start) const {
  std::optional<Match> longest;
  std::span<const Entry> candidates = entries_;
  for (std::size_t depth = 0; start + depth < text.size(); ++depth) {
    const auto byte_here = [depth](const Entry& entry) { return byte_at(entry.first, depth); };
    const auto same =
        std::ranges::equal_range(candidates, byte_at(text, start + depth), {}, byte_here);
    candidates = {same.begin(), same.end()};
    if (candidates.empty()) break;
    // The shortest comes first: one that ends here, if any.
    const auto& [name, id] = candidates.front();
    if (name.size() == depth + 1) {
      longest = {start, name.size(), id};
      candidates = candidates.subspan(1);
    }
  }
  return longest;
}

std::optional<TokenId> LiteralTokens::find(std::string_view text) const {
  const auto at = std::ranges::lower_bound(entries_, text, {}, &Entry::first);
  if (at == entries_.end() || at->first != text) return std::nullopt;
  return at->second;
}

}  // namespace jarip
