// What the kinds of tokenizers have in common: text between literal tokens in, token ids out. Made
// and owned by a Tokenizer, which also owns the bytes that encoders borrow. Immutable once made;
// usable from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/token.h"
#include "model/token_table.h"

namespace jarip {

struct Vocabulary;

class TextEncoder {
 public:
  virtual ~TextEncoder() = default;
  // Appends the tokens of a text that holds no literal token. Any bytes.
  virtual void encode(std::string_view text, std::vector<TokenId>& out) const = 0;
  // Whether the tokens of this text stand for its bytes and no others.
  [[nodiscard]] virtual bool encodes_exactly(std::string_view text) const = 0;
  // The token that text of exactly these bytes may become; kNoToken if there is none.
  [[nodiscard]] virtual TokenId find(std::string_view bytes) const = 0;
  // Whether every text begins with a space of the tokenizer's own, which decoding takes away.
  [[nodiscard]] virtual bool adds_space() const { return false; }
};

// What an encoder is made of. Spans and views are borrowed from the Tokenizer.
struct EncoderParts {
  const Vocabulary& vocabulary;
  // By id, what a token of text stands for; empty for those that merging never makes.
  std::span<const std::string_view> text_bytes;
  // The token of each byte, for vocabularies that spell what they lack; kNoToken where there is
  // none.
  std::span<const TokenId, 256> byte_tokens;
};

// Each refuses what of the vocabulary it can't do exactly, by key: kUnsupported, kCorrupt.
using MakeEncoder = Result<std::unique_ptr<const TextEncoder>>(const EncoderParts& parts);
MakeEncoder make_byte_bpe_encoder;   // tokenizer.ggml.model "gpt2"
MakeEncoder make_spm_encoder;        // "llama"
MakeEncoder make_wordpiece_encoder;  // "bert"
MakeEncoder make_unigram_encoder;    // "t5"

}  // namespace jarip
