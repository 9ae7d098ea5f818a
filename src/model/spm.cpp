// SentencePiece's BPE, as llama, mistral and gemma files hold it: neighbours whose joined text is a
// token merge, the token of the highest score first and the leftmost of equals; a character that is
// no token is spelt in byte tokens. Source: Kudo and Richardson 2018, "SentencePiece".
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <cmath>
#include <functional>
#include <limits>
#include <queue>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "model/space_mark.h"
#include "model/text_encoder.h"
#include "model/vocabulary.h"

namespace jarip {
namespace {

using Rank = std::uint32_t;  // place of a token's score among all, the highest first
constexpr Rank kNoRank = std::numeric_limits<Rank>::max();

// Up to this many characters a scan over all neighbours beats a heap.
constexpr std::size_t kShortPiece = 48;

// Places in a long piece are 32 bits wide; a longer piece is cut.
constexpr std::size_t kLongestPiece = std::size_t{1} << 30U;

std::uint8_t byte_at(std::string_view text, std::size_t i) {
  return static_cast<std::uint8_t>(text[i]);
}

class Spm final : public TextEncoder {
 public:
  Spm(const EncoderParts& parts, bool adds_space)
      : tokens_(parts.text_bytes.size()),
        unknown_(parts.vocabulary.unknown),
        adds_space_(adds_space) {
    std::ranges::copy(parts.byte_tokens, byte_tokens_.begin());
    spells_bytes_ = std::ranges::find(byte_tokens_, kNoToken) == byte_tokens_.end();
  }

  Result<void> build(const EncoderParts& parts) {
    JARIP_CHECK(rank_tokens(parts));
    is_whole_.resize(parts.text_bytes.size());
    for (TokenId id = 0; id < parts.text_bytes.size(); ++id) {
      const std::string_view bytes = parts.text_bytes[id];
      if (bytes.empty()) continue;
      JARIP_TRY(const TokenId owner, tokens_.insert(bytes, id));
      if (owner != id) {
        return refuse_key(ErrorCode::kCorrupt, kTokensKey,
                          fmt::format("has the same token twice, as {} and {}", owner, id));
      }
      longest_token_ = std::max(longest_token_, bytes.size());
      for (std::size_t i = 1; i < bytes.size(); ++i) {
        may_join_.set(pair_of(bytes, i));
      }
    }
    std::vector<TokenId> ids;
    for (TokenId id = 0; id < parts.text_bytes.size(); ++id) {
      if (parts.text_bytes[id].empty()) continue;
      ids.clear();
      merge(parts.text_bytes[id], ids);
      is_whole_[id] = ids.size() == 1 && ids.front() == id;
    }
    return {};
  }

  void encode(std::string_view text, std::vector<TokenId>& out) const override {
    if (text.empty()) return;
    std::string changed;
    if (adds_space_ || text.contains(kSpaceMark)) {
      changed = adds_space_ ? " " : "";
      append_with_spaces(changed, text);
      text = changed;
    }
    const std::size_t n_before = out.size();
    // No token holds two bytes that never stand together in one, so no merge crosses such a place.
    std::size_t start = 0;
    for (std::size_t i = 1; i < text.size(); ++i) {
      if (may_join_.test(pair_of(text, i)) && i - start < kLongestPiece) continue;
      if (is_continuation(text, i) && i - start < kLongestPiece) continue;
      encode_piece(text.substr(start, i - start), out);
      start = i;
    }
    encode_piece(text.substr(start), out);
    if (!spells_bytes_) join_unknown(out, n_before);
  }

  [[nodiscard]] bool encodes_exactly(std::string_view text) const override {
    if (text.contains(kSpaceMark)) return false;
    if (spells_bytes_) return true;
    std::vector<TokenId> ids;
    encode(text, ids);
    return std::ranges::find(ids, *unknown_) == ids.end();
  }

  [[nodiscard]] TokenId find(std::string_view bytes) const override { return tokens_.find(bytes); }
  [[nodiscard]] bool adds_space() const override { return adds_space_; }

 private:
  static std::size_t pair_of(std::string_view text, std::size_t i) {
    return std::size_t{byte_at(text, i - 1)} << 8U | byte_at(text, i);
  }

  // A cut inside a character would spell it byte by byte even where it is a token.
  static bool is_continuation(std::string_view text, std::size_t i) {
    return (byte_at(text, i) & 0xC0U) == 0x80U;
  }

  Result<void> rank_tokens(const EncoderParts& parts) {
    const std::vector<float>& scores = parts.vocabulary.scores;
    if (scores.size() != parts.text_bytes.size()) {
      return refuse_key(
          ErrorCode::kCorrupt, kScoresKey,
          fmt::format("has {} scores for {} tokens", scores.size(), parts.text_bytes.size()));
    }
    if (std::ranges::any_of(scores, [](float score) { return std::isnan(score); })) {
      return refuse_key(ErrorCode::kCorrupt, kScoresKey, "has a score that is not a number");
    }
    std::vector<TokenId> order(scores.size());
    for (TokenId id = 0; id < order.size(); ++id) order[id] = id;
    std::ranges::sort(order, std::greater<>(), [&](TokenId id) { return scores[id]; });
    ranks_.resize(scores.size());
    Rank rank = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (i > 0 && scores[order[i]] != scores[order[i - 1]]) ++rank;
      ranks_[order[i]] = rank;
    }
    return {};
  }

  [[nodiscard]] Rank rank_of(std::string_view bytes) const {
    if (bytes.size() > longest_token_) return kNoRank;
    const TokenId id = tokens_.find(bytes);
    return id == kNoToken ? kNoRank : ranks_[id];
  }

  void encode_piece(std::string_view piece, std::vector<TokenId>& out) const {
    if (piece.size() <= longest_token_) {
      const TokenId id = tokens_.find(piece);
      if (id != kNoToken && is_whole_[id]) {
        out.push_back(id);
        return;
      }
    }
    merge(piece, out);
  }

  void merge(std::string_view piece, std::vector<TokenId>& out) const {
    piece.size() <= kShortPiece ? merge_short(piece, out) : merge_long(piece, out);
  }

  void emit(std::string_view symbol, std::vector<TokenId>& out) const {
    const TokenId id = symbol.size() > longest_token_ ? kNoToken : tokens_.find(symbol);
    if (id != kNoToken) {
      out.push_back(id);
    } else if (spells_bytes_) {
      for (const char byte : symbol) out.push_back(byte_tokens_[static_cast<std::uint8_t>(byte)]);
    } else {
      out.push_back(*unknown_);
    }
  }

  // What is unknown is one token, however many characters it has.
  void join_unknown(std::vector<TokenId>& out, std::size_t from) const {
    const auto repeats = [&](TokenId a, TokenId b) { return a == b && a == *unknown_; };
    out.erase(std::unique(out.begin() + static_cast<std::ptrdiff_t>(from), out.end(), repeats),
              out.end());
  }

  void merge_short(std::string_view piece, std::vector<TokenId>& out) const;
  void merge_long(std::string_view piece, std::vector<TokenId>& out) const;

  TokenTable tokens_;
  std::vector<Rank> ranks_;  // by id
  // By id: a piece of just the token's bytes becomes that token. Most words are such.
  std::vector<bool> is_whole_;
  std::bitset<65536> may_join_;  // pairs of neighbouring bytes that some token holds
  std::size_t longest_token_ = 0;
  std::array<TokenId, 256> byte_tokens_{};
  std::optional<TokenId> unknown_;
  bool adds_space_;
  bool spells_bytes_ = false;
};

void Spm::merge_short(std::string_view piece, std::vector<TokenId>& out) const {
  std::array<std::uint8_t, kShortPiece + 1> starts;  // of the symbols; starts[n] is the end
  std::array<Rank, kShortPiece> ranks;               // ranks[i] of symbols i and i + 1 joined
  std::size_t n = 0;
  for (std::size_t at = 0; at < piece.size(); at += decode_utf8(piece.substr(at)).length) {
    starts[n++] = static_cast<std::uint8_t>(at);
  }
  starts[n] = static_cast<std::uint8_t>(piece.size());
  const auto text_of = [&](std::size_t i, std::size_t n_symbols) {
    return piece.substr(starts[i], starts[i + n_symbols] - starts[i]);
  };
  for (std::size_t i = 0; i + 1 < n; ++i) ranks[i] = rank_of(text_of(i, 2));
  while (n > 1) {
    // The first of equals, so that of one rank the leftmost goes first.
    const auto best = std::min_element(ranks.begin(), ranks.begin() + (n - 1));
    if (*best == kNoRank) break;
    const auto at = static_cast<std::size_t>(best - ranks.begin());
    std::copy(starts.begin() + at + 2, starts.begin() + n + 1, starts.begin() + at + 1);
    std::copy(ranks.begin() + at + 1, ranks.begin() + (n - 1), ranks.begin() + at);
    --n;
    if (at > 0) ranks[at - 1] = rank_of(text_of(at - 1, 2));
    if (at + 1 < n) ranks[at] = rank_of(text_of(at, 2));
  }
  for (std::size_t i = 0; i < n; ++i) emit(text_of(i, 1), out);
}

// The same in O(n log n): a linked list of symbols and a heap of the merges that were possible at
// some time. An entry counts only while it is still what its place would do.
void Spm::merge_long(std::string_view piece, std::vector<TokenId>& out) const {
  constexpr std::uint32_t kEnd = std::numeric_limits<std::uint32_t>::max();
  struct Node {
    std::uint32_t start;
    std::uint32_t previous;
    std::uint32_t next;
    Rank rank;  // joined with the next node
  };
  std::vector<Node> nodes;
  for (std::uint32_t at = 0; at < piece.size(); at += decode_utf8(piece.substr(at)).length) {
    const auto index = static_cast<std::uint32_t>(nodes.size());
    nodes.push_back({at, index == 0 ? kEnd : index - 1, index + 1, kNoRank});
  }
  nodes.back().next = kEnd;
  const auto end_of = [&](const Node& node) {
    return node.next == kEnd ? static_cast<std::uint32_t>(piece.size()) : nodes[node.next].start;
  };
  using Entry = std::pair<Rank, std::uint32_t>;  // ties: the leftmost first
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue;
  const auto update = [&](std::uint32_t at) {
    Node& node = nodes[at];
    node.rank = node.next == kEnd
                    ? kNoRank
                    : rank_of(piece.substr(node.start, end_of(nodes[node.next]) - node.start));
    if (node.rank != kNoRank) queue.emplace(node.rank, at);
  };
  for (std::uint32_t at = 0; at < nodes.size(); ++at) update(at);
  while (!queue.empty()) {
    const auto [rank, at] = queue.top();
    queue.pop();
    if (nodes[at].rank != rank) continue;
    Node& node = nodes[at];
    Node& joined = nodes[node.next];
    node.next = joined.next;
    joined.rank = kNoRank;
    if (node.next != kEnd) nodes[node.next].previous = at;
    update(at);
    if (node.previous != kEnd) update(node.previous);
  }
  for (std::uint32_t at = 0; at != kEnd; at = nodes[at].next) {
    emit(piece.substr(nodes[at].start, end_of(nodes[at]) - nodes[at].start), out);
  }
}

}  // namespace

Result<std::unique_ptr<const TextEncoder>> make_spm_encoder(const EncoderParts& parts) {
  const bool spells_bytes =
      std::ranges::find(parts.byte_tokens, kNoToken) == parts.byte_tokens.end();
  if (!spells_bytes && !parts.vocabulary.unknown) {
    return refuse_key(ErrorCode::kCorrupt, kTokensKey,
                      "has neither a token for every byte nor an unknown token");
  }
  auto encoder = std::make_unique<Spm>(parts, parts.vocabulary.add_space_prefix.value_or(true));
  JARIP_CHECK(encoder->build(parts));
  return encoder;
}

}  // namespace jarip
