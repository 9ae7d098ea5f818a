// What a model file says of its tokenizer, read but not yet judged: Tokenizer::from_vocabulary does
// that. A value that borrows the file's bytes.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
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

struct Vocabulary {
  std::string_view model;  // "gpt2" is byte-level BPE
  std::string_view pre;    // names the pre-tokenizer
  std::vector<std::string_view> tokens;
  std::vector<TokenType> types;          // one a token; empty: all normal
  std::vector<std::string_view> merges;  // "left right", most important first
  std::optional<TokenId> bos;
  std::optional<TokenId> eos;
  std::optional<TokenId> eot;   // end of turn
  std::optional<TokenId> eom;   // end of message, when a tool is to answer
  std::optional<bool> add_bos;  // absent: as the family does
  bool add_space_prefix = false;
};

// An error about one key of a model file, which starts the message.
[[nodiscard]] std::unexpected<Error> refuse_key(ErrorCode code, std::string_view key,
                                                std::string_view what);

// Errors: kCorrupt (a key that is missing, of another type, or a number out of range, by key).
[[nodiscard]] Result<Vocabulary> read_vocabulary(const GgufFile& file);

}  // namespace jarip
