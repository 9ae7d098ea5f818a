// What a model file says of its tokenizer, read but not yet judged: Tokenizer::from_vocabulary does
// that. A value that borrows the file's bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/gguf.h"
#include "model/token.h"

namespace jarip {

// Numbers are those of the file format.
enum class TokenType : std::uint8_t {
  kNormal = 1,
  kUnknown,
  kControl,
  kUserDefined,
  kUnused,
  kByte,
};

// The key whose value most errors are about.
inline constexpr std::string_view kTokensKey = "tokenizer.ggml.tokens";
inline constexpr std::string_view kScoresKey = "tokenizer.ggml.scores";

struct Vocabulary {
  std::string_view model;  // "gpt2" (byte-level BPE), "llama", "bert" or "t5"
  std::string_view pre;    // names the pre-tokenizer of byte-level BPE
  std::vector<std::string_view> tokens;
  std::vector<TokenType> types;          // one a token; empty: all normal
  std::vector<std::string_view> merges;  // "left right", most important first
  std::vector<float> scores;             // one a token, the highest first choice; empty: none
  std::optional<TokenId> bos;
  std::optional<TokenId> eos;
  std::optional<TokenId> eot;  // end of turn
  std::optional<TokenId> eom;  // end of message, when a tool is to answer
  std::optional<TokenId> separator;
  std::optional<TokenId> unknown;
  // Flags: absent, as the kind of tokenizer does.
  std::optional<bool> add_bos;
  std::optional<bool> add_eos;
  std::optional<bool> add_separator;
  std::optional<bool> add_space_prefix;
  std::optional<bool> remove_extra_whitespaces;
  std::optional<bool> lowercase;
  std::optional<bool> strip_accents;
  std::span<const std::byte> charsmap;  // SentencePiece's compiled normalisation; empty: none
};

// An error about one key of a model file, which starts the message.
[[nodiscard]] std::unexpected<Error> refuse_key(ErrorCode code, std::string_view key,
                                                std::string_view what);

// Errors: kCorrupt (a key that is missing, of another type, or a number out of range, by key).
[[nodiscard]] Result<Vocabulary> read_vocabulary(const GgufFile& file);

}  // namespace jarip
