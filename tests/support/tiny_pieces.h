// Small vocabularies of the kinds that are not byte-level: SentencePiece BPE, WordPiece, unigram.
// For tests and fuzz targets; a value of the test's own, no thread owns it.
#pragma once

#include <cstdio>
#include <deque>
#include <string>
#include <string_view>

#include "model/vocabulary.h"

namespace jarip {

class TinyPieces {
 public:
  // Begins with <unk>, <s>, </s> and, if asked to, a token for each byte.
  explicit TinyPieces(std::string_view model, bool with_bytes = true) {
    vocabulary_.model = model;
    vocabulary_.unknown = add("<unk>", 0, TokenType::kUnknown);
    vocabulary_.bos = add("<s>", 0, TokenType::kControl);
    vocabulary_.eos = add("</s>", 0, TokenType::kControl);
    for (int byte = 0; with_bytes && byte < 256; ++byte) {
      char text[8];
      std::snprintf(text, sizeof text, "<0x%02X>", static_cast<unsigned>(byte));
      add(text, 0, TokenType::kByte);
    }
  }

  // A space is written as the mark; returns the token's id.
  TokenId add(std::string_view text, float score = 0, TokenType type = TokenType::kNormal) {
    std::string marked;
    for (const char c : text) marked += c == ' ' ? std::string("\u2581") : std::string(1, c);
    vocabulary_.tokens.push_back(texts_.emplace_back(std::move(marked)));
    vocabulary_.types.push_back(type);
    vocabulary_.scores.push_back(score);
    return static_cast<TokenId>(vocabulary_.tokens.size() - 1);
  }

  Vocabulary& operator*() { return vocabulary_; }
  Vocabulary* operator->() { return &vocabulary_; }

 private:
  std::deque<std::string> texts_;  // a deque, so that views stay good
  Vocabulary vocabulary_;
};

}  // namespace jarip
