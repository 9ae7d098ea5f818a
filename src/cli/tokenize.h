// `jarip tokenize`: the tokens that a model makes of a text. Runs on the main thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/tokenizer.h"

namespace jarip {

struct TokenizeOptions {
  std::string model;                // a name in the library or a path
  std::optional<std::string> text;  // absent: standard input, to its last byte
  bool json = false;
  bool special = false;  // parse control tokens, and add BOS where the model wants one
};

// The answer goes to standard output. Errors: those of ModelLibrary::resolve, GgufFile::open and
// Tokenizer::from_gguf; kTooLarge and kIo of standard input.
[[nodiscard]] Result<void> run_tokenize(const TokenizeOptions& options);

[[nodiscard]] std::vector<TokenId> tokens_of(const Tokenizer& tokenizer, std::string_view text,
                                             bool special);

// The two answers: one list of ids; or a line for each token, its id and its bytes in quotes.
[[nodiscard]] std::string tokens_as_json(std::span<const TokenId> ids);
[[nodiscard]] std::string tokens_as_text(const Tokenizer& tokenizer, std::span<const TokenId> ids);

// Bytes as a terminal can show them and a person tell them apart, in quotes: what is no whole
// character as \xEA, what is invisible or could command the terminal as \n or \u{200D}.
[[nodiscard]] std::string quote_bytes(std::string_view bytes);

}  // namespace jarip
