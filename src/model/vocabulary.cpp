#include "model/vocabulary.h"

#include <fmt/format.h>

#include <cstddef>
#include <limits>
#include <string>

namespace jarip {
namespace {

Result<std::optional<TokenId>> read_token_id(const GgufFile& file, std::string_view key) {
  if (file.find_value(key) == nullptr) return std::nullopt;
  JARIP_TRY(const std::uint64_t id, file.read_uint(key));
  if (id > std::numeric_limits<TokenId>::max()) {
    return refuse_key(ErrorCode::kCorrupt, key, fmt::format("is {}, which is no token id", id));
  }
  return static_cast<TokenId>(id);
}

Result<std::optional<bool>> read_flag(const GgufFile& file, std::string_view key) {
  if (file.find_value(key) == nullptr) return std::nullopt;
  JARIP_TRY(const bool flag, file.read_bool(key));
  return flag;
}

Result<std::vector<TokenType>> read_types(const GgufFile& file) {
  constexpr std::string_view kKey = "tokenizer.ggml.token_type";
  std::vector<TokenType> types;
  if (file.find_value(kKey) == nullptr) return types;
  JARIP_TRY(const std::vector<std::int64_t> numbers, file.read_ints(kKey));
  types.reserve(numbers.size());
  for (const std::int64_t number : numbers) {
    if (number < static_cast<int>(TokenType::kNormal) ||
        number > static_cast<int>(TokenType::kByte)) {
      return refuse_key(ErrorCode::kCorrupt, kKey,
                        fmt::format("has type {} for token {}, not 1 to 6", number, types.size()));
    }
    types.push_back(static_cast<TokenType>(number));
  }
  return types;
}

// Bytes, whichever of the two types of a byte a converter chose.
Result<std::span<const std::byte>> read_charsmap(const GgufFile& file) {
  constexpr std::string_view kKey = "tokenizer.ggml.precompiled_charsmap";
  const GgufValue* value = file.find_value(kKey);
  if (value == nullptr) return std::span<const std::byte>();
  const bool is_bytes =
      value->element_type == GgufType::kU8 || value->element_type == GgufType::kI8;
  if (value->type != GgufType::kArray || !is_bytes) {
    return refuse_key(ErrorCode::kCorrupt, kKey, "is not an array of bytes");
  }
  return value->bytes;
}

Result<void> read_named_tokens(const GgufFile& file, Vocabulary& vocabulary) {
  JARIP_TRY(vocabulary.bos, read_token_id(file, "tokenizer.ggml.bos_token_id"));
  JARIP_TRY(vocabulary.eos, read_token_id(file, "tokenizer.ggml.eos_token_id"));
  JARIP_TRY(vocabulary.eot, read_token_id(file, "tokenizer.ggml.eot_token_id"));
  JARIP_TRY(vocabulary.eom, read_token_id(file, "tokenizer.ggml.eom_token_id"));
  JARIP_TRY(vocabulary.separator, read_token_id(file, "tokenizer.ggml.seperator_token_id"));
  JARIP_TRY(vocabulary.unknown, read_token_id(file, "tokenizer.ggml.unknown_token_id"));
  return {};
}

Result<void> read_flags(const GgufFile& file, Vocabulary& vocabulary) {
  JARIP_TRY(vocabulary.add_bos, read_flag(file, "tokenizer.ggml.add_bos_token"));
  JARIP_TRY(vocabulary.add_eos, read_flag(file, "tokenizer.ggml.add_eos_token"));
  JARIP_TRY(vocabulary.add_separator, read_flag(file, "tokenizer.ggml.add_sep_token"));
  JARIP_TRY(vocabulary.add_space_prefix, read_flag(file, "tokenizer.ggml.add_space_prefix"));
  JARIP_TRY(vocabulary.remove_extra_whitespaces,
            read_flag(file, "tokenizer.ggml.remove_extra_whitespaces"));
  JARIP_TRY(vocabulary.lowercase, read_flag(file, "tokenizer.ggml.normalizer.lowercase"));
  JARIP_TRY(vocabulary.strip_accents, read_flag(file, "tokenizer.ggml.normalizer.strip_accents"));
  return {};
}

}  // namespace

std::unexpected<Error> refuse_key(ErrorCode code, std::string_view key, std::string_view what) {
  return fail(code, fmt::format("key {} {}", key, what), fmt::format("key {}", key));
}

Result<Vocabulary> read_vocabulary(const GgufFile& file) {
  Vocabulary vocabulary;
  JARIP_TRY(vocabulary.model, file.read_string("tokenizer.ggml.model"));
  if (file.find_value("tokenizer.ggml.pre") != nullptr) {
    JARIP_TRY(vocabulary.pre, file.read_string("tokenizer.ggml.pre"));
  }
  JARIP_TRY(vocabulary.tokens, file.read_strings(kTokensKey));
  JARIP_TRY(vocabulary.types, read_types(file));
  if (file.find_value("tokenizer.ggml.merges") != nullptr) {
    JARIP_TRY(vocabulary.merges, file.read_strings("tokenizer.ggml.merges"));
  }
  if (file.find_value(kScoresKey) != nullptr) {
    JARIP_TRY(vocabulary.scores, file.read_floats(kScoresKey));
  }
  JARIP_TRY(vocabulary.charsmap, read_charsmap(file));
  JARIP_CHECK(read_named_tokens(file, vocabulary));
  JARIP_CHECK(read_flags(file, vocabulary));
  return vocabulary;
}

}  // namespace jarip
