// Text to token ids and back, for the tokenizer that a model file describes. Immutable after
// from_gguf(); usable from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/gguf.h"
#include "model/token.h"

namespace jarip {

struct Vocabulary;

// Whether control tokens written out in the text ("<|im_end|>") become those tokens. What a user
// typed is always kAsText.
enum class SpecialTokens : std::uint8_t { kAsText, kParse };

class Tokenizer {
 public:
  // Errors: kUnsupported (model or pre-tokenizer, by name), kCorrupt (by key).
  [[nodiscard]] static Result<Tokenizer> from_gguf(const GgufFile& file);
  [[nodiscard]] static Result<Tokenizer> from_vocabulary(const Vocabulary& given);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  // Any bytes, invalid UTF-8 included; no token is added at either end. decode(encode(x)) == x
  // wherever encodes_exactly(x). With byte-level BPE that is everywhere if the vocabulary has all
  // 256 bytes; else a character that needs a missing byte is encoded as U+FFFD. SentencePiece takes
  // the mark "▁" for a space; WordPiece and unigram encode what their normalisation leaves.
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text,
                                            SpecialTokens special = SpecialTokens::kAsText) const;

  [[nodiscard]] bool encodes_exactly(std::string_view text) const;

  // A text that a template wrote, cut after each control token that it names.
  struct Part {
    std::string_view text;           // as written; may be empty
    std::optional<TokenId> control;  // that follows it
  };
  [[nodiscard]] std::vector<Part> split_control(std::string_view text) const;

  // The bytes a token stands for; for a control token, its name ("<|im_end|>"). Empty past the end.
  [[nodiscard]] std::string_view token_bytes(TokenId id) const;
  // Bytes of all tokens, control tokens left out unless asked for, and the space left out that
  // encode() of some kinds puts before a text.
  [[nodiscard]] std::string decode(std::span<const TokenId> ids, bool with_control = false) const;

  [[nodiscard]] std::uint32_t n_vocab() const;
  [[nodiscard]] bool is_control(TokenId id) const;
  // The token whose token_bytes() are exactly these; a control token before any other.
  [[nodiscard]] std::optional<TokenId> find_token(std::string_view name) const;

  [[nodiscard]] std::optional<TokenId> bos() const;
  [[nodiscard]] std::optional<TokenId> eos() const;
  [[nodiscard]] bool add_bos() const;  // the file asks for BOS before plain text
  // What the file asks for after a plain text: of those that read texts rather than write them.
  [[nodiscard]] std::optional<TokenId> closing() const;
  // Of two texts that are read side by side, the first ends with closing() twice: RoBERTa's way,
  // and not BERT's.
  [[nodiscard]] bool closes_twice() const;
  // Tokens that end an answer: EOS, and the end-of-turn tokens that the vocabulary names.
  [[nodiscard]] std::span<const TokenId> end_tokens() const;

 private:
  struct State;
  explicit Tokenizer(std::unique_ptr<const State> state);
  [[nodiscard]] std::string decode_runs(std::span<const TokenId> ids, bool with_control) const;
  std::unique_ptr<const State> state_;
};

}  // namespace jarip
