#include "model/charsmap.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "model/vocabulary.h"

namespace jarip {
namespace {

constexpr std::string_view kKey = "tokenizer.ggml.precompiled_charsmap";

// Real prefixes are a few characters, the longest replacement 33 bytes.
constexpr std::size_t kLongestPrefix = 64;
constexpr std::size_t kLongestReplacement = 256;

// A unit of the trie, as the Darts library lays it out.
std::uint32_t offset_of(std::uint32_t unit) { return (unit >> 10U) << ((unit & 0x200U) >> 6U); }
std::uint32_t label_of(std::uint32_t unit) { return unit & 0x800000FFU; }
bool has_value(std::uint32_t unit) { return (unit & 0x100U) != 0; }
std::uint32_t value_of(std::uint32_t unit) { return unit & 0x7FFFFFFFU; }

}  // namespace

Result<Charsmap> Charsmap::parse(std::span<const std::byte> bytes) {
  Charsmap map;
  if (bytes.empty()) return map;
  std::uint32_t n_trie_bytes = 0;
  if (bytes.size() < sizeof n_trie_bytes) {
    return refuse_key(ErrorCode::kCorrupt, kKey, "is too short to say how long its trie is");
  }
  std::memcpy(&n_trie_bytes, bytes.data(), sizeof n_trie_bytes);
  bytes = bytes.subspan(sizeof n_trie_bytes);
  if (n_trie_bytes == 0 || n_trie_bytes % 4 != 0 || n_trie_bytes > bytes.size()) {
    return refuse_key(
        ErrorCode::kCorrupt, kKey,
        fmt::format("has a trie of {} bytes where {} are left", n_trie_bytes, bytes.size()));
  }
  map.units_.resize(n_trie_bytes / 4);
  std::memcpy(map.units_.data(), bytes.data(), n_trie_bytes);
  bytes = bytes.subspan(n_trie_bytes);
  map.replacements_.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (map.replacements_.empty() || map.replacements_.back() != '\0') {
    return refuse_key(ErrorCode::kCorrupt, kKey, "has a replacement without an end");
  }
  std::size_t start = 0;
  for (std::size_t i = 0; i < map.replacements_.size(); ++i) {
    if (map.replacements_[i] != '\0') continue;
    if (i - start > kLongestReplacement) {
      return refuse_key(ErrorCode::kCorrupt, kKey,
                        fmt::format("has a replacement of over {} bytes", kLongestReplacement));
    }
    start = i + 1;
  }
  return map;
}

std::optional<Charsmap::Match> Charsmap::longest_prefix(std::string_view text) const {
  if (units_.empty()) return std::nullopt;
  std::optional<Match> longest;
  std::uint32_t at = offset_of(units_.front());
  const std::size_t end = std::min(text.size(), kLongestPrefix);
  for (std::size_t i = 0; i < end; ++i) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    at ^= byte;
    if (at >= units_.size() || label_of(units_[at]) != byte) break;
    const std::uint32_t unit = units_[at];
    at ^= offset_of(unit);
    if (!has_value(unit)) continue;
    if (at >= units_.size()) break;
    const std::uint32_t value = value_of(units_[at]);
    if (value < replacements_.size()) longest = {i + 1, replacements_.c_str() + value};
  }
  return longest;
}

}  // namespace jarip
