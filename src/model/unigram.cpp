// SentencePiece's unigram model, as t5 and XLM-RoBERTa files hold it: of all ways to cut the
// normalised text into tokens the one of the greatest sum of scores, added from the left in single
// precision. Source: Kudo 2018, "Subword Regularization".
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "model/charsmap.h"
#include "model/space_mark.h"
#include "model/text_encoder.h"
#include "model/vocabulary.h"

namespace jarip {
namespace {

// How much less than the worst token a character is worth that is none.
constexpr float kUnknownPenalty = 10.0F;

// Nodes are 24 bits wide; real vocabularies have about two million.
constexpr std::size_t kMostNodes = std::size_t{1} << 24U;

// Which tokens begin a text: a trie whose edges lie in one hash table.
class TokenTrie {
 public:
  // text_bytes: by id, empty for those left out. Errors: kCorrupt (equal tokens, too many bytes,
  // edges made to collide).
  Result<void> build(std::span<const std::string_view> text_bytes) {
    std::vector<TokenId> order;
    for (TokenId id = 0; id < text_bytes.size(); ++id) {
      if (!text_bytes[id].empty()) order.push_back(id);
    }
    std::ranges::sort(order, {}, [&](TokenId id) { return text_bytes[id]; });
    std::size_t n_nodes = 1;
    std::string_view previous;
    for (const TokenId id : order) {
      const std::string_view bytes = text_bytes[id];
      const auto differs = std::ranges::mismatch(bytes, previous).in1;
      n_nodes += static_cast<std::size_t>(bytes.end() - differs);
      previous = bytes;
    }
    if (n_nodes > kMostNodes) {
      return refuse_key(ErrorCode::kCorrupt, kTokensKey, "has too many bytes in all");
    }
    slots_.resize(std::bit_ceil(2 * n_nodes));
    shift_ = 64U - static_cast<unsigned>(std::countr_zero(slots_.size()));
    tokens_.reserve(n_nodes);
    tokens_.push_back(kNoToken);
    for (const TokenId id : order) JARIP_CHECK(add(text_bytes[id], id));
    return {};
  }

  // Calls visit(length, id) for every token that the text begins with, the shortest first.
  template <class Visit>
  void visit_prefixes(std::string_view text, const Visit& visit) const {
    std::uint32_t node = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const Slot* slot = find(key_of(node, text[i]));
      if (slot == nullptr || slot->child == 0) return;
      node = slot->child;
      if (tokens_[node] != kNoToken) visit(i + 1, tokens_[node]);
    }
  }

  [[nodiscard]] TokenId token_of(std::string_view bytes) const {
    TokenId token = kNoToken;
    visit_prefixes(bytes, [&](std::size_t length, TokenId id) {
      if (length == bytes.size()) token = id;
    });
    return token;
  }

 private:
  struct Slot {
    std::uint32_t key = 0;
    std::uint32_t child = 0;  // 0: an empty slot; the root is nobody's child
  };

  static std::uint32_t key_of(std::uint32_t node, char byte) {
    return node << 8U | static_cast<std::uint8_t>(byte);
  }

  // The slot of this edge, or the empty one that would be its own; null if the search is too far.
  [[nodiscard]] const Slot* find(std::uint32_t key) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = key * 0x9E3779B97F4A7C15U >> shift_;
    for (std::size_t i = 0; i < kMostProbes; ++i, at = (at + 1) & mask) {
      if (slots_[at].child == 0 || slots_[at].key == key) return &slots_[at];
    }
    return nullptr;
  }

  Result<void> add(std::string_view bytes, TokenId id) {
    std::uint32_t node = 0;
    for (const char byte : bytes) {
      const std::uint32_t key = key_of(node, byte);
      const Slot* slot = find(key);
      if (slot == nullptr) {
        return refuse_key(ErrorCode::kCorrupt, kTokensKey, "is made to collide in hash tables");
      }
      if (slot->child == 0) {
        slots_[static_cast<std::size_t>(slot - slots_.data())] = {
            key, static_cast<std::uint32_t>(tokens_.size())};
        tokens_.push_back(kNoToken);
      }
      node = slot->child;
    }
    if (tokens_[node] != kNoToken) {
      return refuse_key(ErrorCode::kCorrupt, kTokensKey,
                        fmt::format("has the same token twice, as {} and {}", tokens_[node], id));
    }
    tokens_[node] = id;
    return {};
  }

  std::vector<Slot> slots_;
  std::vector<TokenId> tokens_;  // by node: the token that ends there, or kNoToken
  unsigned shift_ = 0;
};

class Unigram final : public TextEncoder {
 public:
  Unigram(const EncoderParts& parts, Charsmap charsmap)
      : charsmap_(std::move(charsmap)),
        scores_(parts.vocabulary.scores),
        unknown_(*parts.vocabulary.unknown),
        adds_space_(parts.vocabulary.add_space_prefix.value_or(true)),
        joins_spaces_(parts.vocabulary.remove_extra_whitespaces.value_or(true)) {
    std::ranges::copy(parts.byte_tokens, byte_tokens_.begin());
    spells_bytes_ = std::ranges::find(byte_tokens_, kNoToken) == byte_tokens_.end();
  }

  Result<void> build(const EncoderParts& parts) {
    if (scores_.size() != parts.text_bytes.size()) {
      return refuse_key(
          ErrorCode::kCorrupt, kScoresKey,
          fmt::format("has {} scores for {} tokens", scores_.size(), parts.text_bytes.size()));
    }
    if (!std::ranges::all_of(scores_, [](float score) { return std::isfinite(score); })) {
      return refuse_key(ErrorCode::kCorrupt, kScoresKey, "has a score that is not a finite number");
    }
    float worst = std::numeric_limits<float>::max();
    for (TokenId id = 0; id < scores_.size(); ++id) {
      if (!parts.text_bytes[id].empty()) worst = std::min(worst, scores_[id]);
    }
    unknown_score_ = worst - kUnknownPenalty;
    return trie_.build(parts.text_bytes);
  }

  void encode(std::string_view text, std::vector<TokenId>& out) const override {
    const std::string normalized = normalize(text);
    if (!normalized.empty()) append_best_cut(normalized, out);
  }

  // Normalisation leaves some texts as they are; nothing here knows which.
  [[nodiscard]] bool encodes_exactly(std::string_view text) const override { return text.empty(); }
  [[nodiscard]] TokenId find(std::string_view bytes) const override {
    return trie_.token_of(bytes);
  }
  [[nodiscard]] bool adds_space() const override { return adds_space_; }

 private:
  // What the next characters of a text become, and how many bytes they are.
  [[nodiscard]] Charsmap::Match next_of(std::string_view text) const {
    if (const auto match = charsmap_.longest_prefix(text)) return *match;
    const Utf8Unit unit = decode_utf8(text);
    if (unit.kind != Utf8Kind::kCharacter) return {1, kReplacementUtf8};
    return {unit.length, text.substr(0, unit.length)};
  }

  [[nodiscard]] std::string normalize(std::string_view text) const {
    std::string out;
    bool after_space = joins_spaces_;
    bool is_first = true;
    while (!text.empty()) {
      auto [length, part] = next_of(text);
      text.remove_prefix(length);
      if (joins_spaces_ && is_first && part == " ") continue;
      if (std::exchange(is_first, false) && adds_space_) out += ' ';
      while (after_space && part.starts_with(' ')) part.remove_prefix(1);
      if (part.empty()) continue;
      append_with_spaces(out, part);
      after_space = joins_spaces_ && part.ends_with(' ');
    }
    while (joins_spaces_ && out.ends_with(' ')) out.pop_back();
    return out;
  }

  void append_best_cut(std::string_view text, std::vector<TokenId>& out) const {
    struct Cut {
      float score = 0;           // of the best way to here
      std::uint32_t length = 0;  // of its last token; 0: no way known yet
      TokenId id = kNoToken;
    };
    std::vector<Cut> cuts(text.size() + 1);
    for (std::size_t start = 0; start < text.size();) {
      const std::size_t character = decode_utf8(text.substr(start)).length;
      const float before = cuts[start].score;
      bool is_known = false;
      const auto offer = [&](std::size_t length, TokenId id, float score) {
        Cut& cut = cuts[start + length];
        const float sum = score + before;
        if (cut.length != 0 && !(sum > cut.score)) return;
        cut = {sum, static_cast<std::uint32_t>(length), id};
      };
      trie_.visit_prefixes(text.substr(start), [&](std::size_t length, TokenId id) {
        offer(length, id, scores_[id]);
        is_known = is_known || length == character;
      });
      if (!is_known) offer(character, unknown_, unknown_score_);
      start += character;
    }
    const std::size_t n_before = out.size();
    for (std::size_t end = text.size(); end > 0; end -= cuts[end].length) {
      append_backwards(text.substr(end - cuts[end].length, cuts[end].length), cuts[end].id, out,
                       n_before);
    }
    std::reverse(out.begin() + static_cast<std::ptrdiff_t>(n_before), out.end());
  }

  // What is unknown is spelt in bytes where the vocabulary has them all, else one token however
  // many characters it has.
  void append_backwards(std::string_view bytes, TokenId id, std::vector<TokenId>& out,
                        std::size_t n_before) const {
    if (id != unknown_) {
      out.push_back(id);
    } else if (spells_bytes_) {
      for (std::size_t i = bytes.size(); i > 0; --i) {
        out.push_back(byte_tokens_[static_cast<std::uint8_t>(bytes[i - 1])]);
      }
    } else if (out.size() == n_before || out.back() != unknown_) {
      out.push_back(id);
    }
  }

  Charsmap charsmap_;
  TokenTrie trie_;
  std::vector<float> scores_;  // by id
  std::array<TokenId, 256> byte_tokens_{};
  TokenId unknown_;
  float unknown_score_ = 0;
  bool adds_space_;
  bool joins_spaces_;
  bool spells_bytes_ = false;
};

}  // namespace

Result<std::unique_ptr<const TextEncoder>> make_unigram_encoder(const EncoderParts& parts) {
  if (!parts.vocabulary.unknown) {
    return refuse_key(ErrorCode::kCorrupt, "tokenizer.ggml.unknown_token_id", "is missing");
  }
  JARIP_TRY(Charsmap charsmap, Charsmap::parse(parts.vocabulary.charsmap));
  auto encoder = std::make_unique<Unigram>(parts, std::move(charsmap));
  JARIP_CHECK(encoder->build(parts));
  return encoder;
}

}  // namespace jarip
