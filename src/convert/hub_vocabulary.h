// What a tokenizer's own file says, in the words of a GGUF file: tokenizer.json, SentencePiece's
// tokenizer.model, or WordPiece's vocab.txt. Values and free functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "convert/json_fields.h"
#include "model/vocabulary.h"

namespace jarip {

struct HubVocabulary {
  static constexpr std::size_t kMaxTokens = 1U << 22U;
  static constexpr std::size_t kMaxMerges = 1U << 23U;
  static constexpr std::size_t kMaxTokenBytes = 1U << 16U;

  std::string model;  // tokenizer.ggml.model
  std::string pre = "default";
  std::vector<std::string> tokens;
  std::vector<TokenType> types;
  std::vector<std::string> merges;
  std::vector<float> scores;
  std::optional<TokenId> unknown;
  std::optional<bool> add_space_prefix;
  std::optional<bool> remove_extra_whitespaces;
  std::optional<bool> lowercase;
  std::optional<bool> strip_accents;
  std::vector<std::byte> charsmap;
  // What the file itself puts around a text, by their ids.
  std::optional<TokenId> first;
  std::optional<TokenId> last;

  [[nodiscard]] std::optional<TokenId> find(std::string_view token) const;
  // Puts a token where its id says. Error: kTooLarge.
  [[nodiscard]] Result<void> put(std::uint64_t id, std::string_view token, TokenType type);
};

// Errors of all: kUnsupported (what would make other tokens here, as the file writes it), kCorrupt,
// kTooLarge.
[[nodiscard]] Result<HubVocabulary> read_tokenizer_json(const JsonFile& file);
[[nodiscard]] Result<HubVocabulary> read_sentencepiece(std::span<const std::byte> bytes);
[[nodiscard]] Result<HubVocabulary> read_wordpiece(std::string_view lines, bool lowercase);

// tokenizer.ggml.pre of a byte-level tokenizer.json, whose vocabulary has been read. Where GGUF
// knows the pre-tokenizer with the other ignore_merges only, it will do if merges make every token.
[[nodiscard]] Result<std::string> name_pretokenizer(const boost::json::value& pre_tokenizer,
                                                    bool ignore_merges,
                                                    const HubVocabulary& vocabulary);

// A token of WordPiece as GGUF writes it: with the mark of a space where a word begins.
[[nodiscard]] std::string wordpiece_token(std::string_view token);

}  // namespace jarip
