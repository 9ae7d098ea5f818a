// A vocabulary sorted by bytes, for walks over all tokens that share what their beginnings share.
// Immutable; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace jarip {

// A token's text.
struct GrammarToken {
  std::uint32_t id = 0;
  std::string_view bytes;
};

// What grammars write for a token that stands for no text. Its first byte is in no UTF-8, and
// tokens that have it in their text are never allowed.
[[nodiscard]] std::string control_token_bytes(std::uint32_t id);

class TokenTrie {
 public:
  static constexpr std::size_t kMaxTokenBytes = 1024;  // longer tokens are never allowed

  // A step from a prefix of tokens to a longer one.
  struct Node {
    std::uint32_t end = 0;          // the nodes up to here lie below this one
    std::uint32_t first_token = 0;  // the tokens that end at this node, in order of bytes
    std::uint32_t end_token = 0;
    std::uint16_t depth = 0;  // bytes to here
    std::uint8_t byte = 0;
  };

  // n_vocab: every id is below it. control: tokens without text, allowed only where a grammar has
  // control_token_bytes() of them. Ids in neither list are never allowed.
  TokenTrie(std::uint32_t n_vocab, std::span<const GrammarToken> tokens,
            std::span<const std::uint32_t> control = {});

  [[nodiscard]] std::uint32_t n_vocab() const { return n_vocab_; }
  // Words of 64 bits that a set of tokens takes.
  [[nodiscard]] std::size_t n_words() const { return (std::size_t{n_vocab_} + 63) / 64; }
  [[nodiscard]] std::span<const Node> nodes() const { return nodes_; }
  [[nodiscard]] std::uint32_t max_token_bytes() const { return max_token_bytes_; }

  // Places in the order of bytes.
  [[nodiscard]] std::size_t n_tokens() const { return ids_.size(); }
  [[nodiscard]] std::uint32_t id_at(std::size_t place) const { return ids_[place]; }
  [[nodiscard]] std::string_view bytes_at(std::size_t place) const {
    return std::string_view(text_).substr(offsets_[place], offsets_[place + 1] - offsets_[place]);
  }
  // Nothing of an id that is never allowed.
  [[nodiscard]] std::string_view bytes_of(std::uint32_t id) const;

 private:
  void build_nodes();

  std::uint32_t n_vocab_;
  std::uint32_t max_token_bytes_ = 0;
  std::vector<std::uint32_t> ids_;     // by place
  std::vector<std::uint32_t> places_;  // by id; n_tokens() without one
  std::string text_;                   // of all tokens, by place
  std::vector<std::uint32_t> offsets_;
  std::vector<Node> nodes_;  // a node before those below it, these in order of bytes
};

}  // namespace jarip
