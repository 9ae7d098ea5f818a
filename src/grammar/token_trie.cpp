#include "grammar/token_trie.h"

#include <algorithm>

namespace jarip {
namespace {

constexpr char kControlMark = '\xFF';
constexpr unsigned char kFirstDigit = 0xF5;  // of eight bytes that are in no UTF-8 either

}  // namespace

std::string control_token_bytes(std::uint32_t id) {
  constexpr unsigned kBitsOfDigit = 3;
  std::string bytes(1, kControlMark);
  for (unsigned shift = 0; shift < 32; shift += kBitsOfDigit) {
    bytes += static_cast<char>(kFirstDigit + (id >> shift & 7U));
  }
  return bytes;
}

TokenTrie::TokenTrie(std::uint32_t n_vocab, std::span<const GrammarToken> tokens,
                     std::span<const std::uint32_t> control)
    : n_vocab_(n_vocab) {
  std::vector<GrammarToken> sorted;
  for (const GrammarToken& token : tokens) {
    const std::size_t size = token.bytes.size();
    if (size == 0 || size > kMaxTokenBytes || token.id >= n_vocab ||
        token.bytes.find(kControlMark) != std::string_view::npos) {
      continue;
    }
    sorted.push_back(token);
  }
  std::vector<std::string> spelled;
  spelled.reserve(control.size());
  for (const std::uint32_t id : control) {
    if (id >= n_vocab) continue;
    spelled.push_back(control_token_bytes(id));
    sorted.push_back({id, spelled.back()});
  }
  std::ranges::sort(sorted, [](const GrammarToken& a, const GrammarToken& b) {
    return a.bytes != b.bytes ? a.bytes < b.bytes : a.id < b.id;
  });
  places_.assign(n_vocab, static_cast<std::uint32_t>(sorted.size()));
  offsets_.push_back(0);
  for (const GrammarToken& token : sorted) {
    places_[token.id] = static_cast<std::uint32_t>(ids_.size());
    ids_.push_back(token.id);
    text_ += token.bytes;
    offsets_.push_back(static_cast<std::uint32_t>(text_.size()));
    max_token_bytes_ = std::max(max_token_bytes_, static_cast<std::uint32_t>(token.bytes.size()));
  }
  build_nodes();
}

void TokenTrie::build_nodes() {
  std::vector<std::uint32_t> path;  // nodes of the token before, by depth
  std::string_view before;
  const auto close = [&](std::size_t depth) {
    while (path.size() > depth) {
      nodes_[path.back()].end = static_cast<std::uint32_t>(nodes_.size());
      path.pop_back();
    }
  };
  for (std::uint32_t place = 0; place < ids_.size(); ++place) {
    const std::string_view bytes = bytes_at(place);
    const auto shared =
        static_cast<std::size_t>(std::ranges::mismatch(bytes, before).in1 - bytes.begin());
    close(shared);
    for (std::size_t depth = shared; depth < bytes.size(); ++depth) {
      path.push_back(static_cast<std::uint32_t>(nodes_.size()));
      nodes_.push_back({.end = 0,
                        .first_token = place,
                        .end_token = place,
                        .depth = static_cast<std::uint16_t>(depth + 1),
                        .byte = static_cast<std::uint8_t>(bytes[depth])});
    }
    nodes_[path.back()].end_token = place + 1;
    before = bytes;
  }
  close(0);
}

std::string_view TokenTrie::bytes_of(std::uint32_t id) const {
  if (id >= n_vocab_ || places_[id] == ids_.size()) return {};
  return bytes_at(places_[id]);
}

}  // namespace jarip
