// A byte-level vocabulary small enough to reason about, for tests and fuzz targets: the 256 bytes,
// whatever merges and named tokens a test adds. A value of the test's own; no thread owns it.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

#include "base/utf8.h"
#include "model/vocabulary.h"

namespace jarip {

// How a byte-level vocabulary writes bytes, as GPT-2 published it: printable Latin-1 stands for
// itself, the others follow from U+0100 on in order.
inline std::string alphabet_text(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    char32_t next = 0x100;
    for (unsigned byte = 0; byte <= static_cast<unsigned char>(c); ++byte) {
      const bool printable =
          (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD && byte < 0x100);
      const bool wanted = byte == static_cast<unsigned char>(c);
      if (wanted) append_utf8(text, printable ? byte : next);
      if (!printable) ++next;
    }
  }
  return text;
}

class TinyVocabulary {
 public:
  // Token b is byte b. Bytes in `missing` get a token that text never becomes.
  explicit TinyVocabulary(std::string_view pre = "gpt-2", std::string_view missing = {}) {
    vocabulary_.model = "gpt2";
    vocabulary_.pre = pre;
    for (int byte = 0; byte < 256; ++byte) {
      const std::string bytes(1, static_cast<char>(byte));
      const bool is_missing = missing.contains(bytes.front());
      add_token(is_missing ? "[none" + std::to_string(byte) + "]" : alphabet_text(bytes),
                is_missing ? TokenType::kUnused : TokenType::kNormal);
    }
  }

  // The merge and, if it is new, the token that it makes; returns the token's id.
  TokenId merge(std::string_view left, std::string_view right) {
    vocabulary_.merges.push_back(keep(alphabet_text(left) + " " + alphabet_text(right)));
    const std::string joined = alphabet_text(std::string(left).append(right));
    for (TokenId id = 0; id < vocabulary_.tokens.size(); ++id) {
      if (vocabulary_.tokens[id] == joined) return id;
    }
    return add_token(joined, TokenType::kNormal);
  }

  // A token of exactly this text; returns its id.
  TokenId add_token(std::string_view text, TokenType type) {
    vocabulary_.tokens.push_back(keep(std::string(text)));
    vocabulary_.types.push_back(type);
    return static_cast<TokenId>(vocabulary_.tokens.size() - 1);
  }

  Vocabulary& operator*() { return vocabulary_; }
  Vocabulary* operator->() { return &vocabulary_; }

 private:
  std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }

  std::deque<std::string> texts_;  // a deque, so that views stay good
  Vocabulary vocabulary_;
};

}  // namespace jarip
