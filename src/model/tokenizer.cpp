#include "model/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/utf8.h"
#include "model/bpe.h"
#include "model/byte_alphabet.h"
#include "model/literal_tokens.h"
#include "model/pretokenizer.h"
#include "model/vocabulary.h"

namespace jarip {
namespace {

constexpr std::string_view kTokensKey = "tokenizer.ggml.tokens";
constexpr std::size_t kMostTokens = std::size_t{1} << 22U;
constexpr std::size_t kMostMerges = std::size_t{1} << 23U;
constexpr std::size_t kLongestToken = std::size_t{1} << 16U;

// Names under which families end an answer or a turn. They count where the vocabulary has them as
// control tokens: files often name only one of several.
constexpr std::array<std::string_view, 12> kEndNames = {
    "<|im_end|>",      "<|eot_id|>",      "<|eom_id|>", "<|endoftext|>",
    "<|end_of_text|>", "<|end_of_turn|>", "<|end|>",    "<|eot|>",
    "<|endofturn|>",   "<end_of_turn>",   "<|return|>", "[|endofturn|]",
};

// What may become a token, and what its bytes are.
enum class TokenClass : std::uint8_t {
  kText,     // made by merging; bytes are the text read in the byte alphabet
  kLiteral,  // found in any text as it is written (HF's added tokens)
  kControl,  // found only where special tokens are parsed; left out of answers
  kHidden,   // never made from text, left out of answers: unused rows of the embedding
};

bool looks_like_control(std::string_view text) {
  return (text.starts_with("<|") && text.ends_with("|>")) ||
         (text.starts_with("<\uFF5C") && text.ends_with("\uFF5C>")) ||
         std::ranges::find(kEndNames, text) != kEndNames.end();
}

bool is_named(const Vocabulary& vocabulary, TokenId id) {
  return id == vocabulary.bos || id == vocabulary.eos || id == vocabulary.eot ||
         id == vocabulary.eom;
}

// User-defined tokens are part of the language and match in whatever a user types, as they do in
// Hugging Face's tokenizers ("<tool_call>", runs of spaces). But converters mark some files'
// control tokens as user-defined too, and a user must not be able to type those: a token that is
// written like one, or that the file itself names as the start or end of a text, is control
// whatever its type. "[PAD7]" at id 7 is what converters write for rows that have no token.
TokenClass class_of(const Vocabulary& vocabulary, TokenId id) {
  const std::string_view text = vocabulary.tokens[id];
  const TokenType type = vocabulary.types.empty() ? TokenType::kNormal : vocabulary.types[id];
  if (type == TokenType::kUnused || text.empty() || text == fmt::format("[PAD{}]", id)) {
    return TokenClass::kHidden;
  }
  if (type == TokenType::kControl || type == TokenType::kUnknown || is_named(vocabulary, id)) {
    return TokenClass::kControl;
  }
  if (type != TokenType::kUserDefined) return TokenClass::kText;
  return looks_like_control(text) ? TokenClass::kControl : TokenClass::kLiteral;
}

Result<void> check_shape(const Vocabulary& vocabulary) {
  const std::size_t n_tokens = vocabulary.tokens.size();
  const auto corrupt = [](std::string_view key, std::string_view what) {
    return refuse_key(ErrorCode::kCorrupt, key, what);
  };
  if (vocabulary.model != "gpt2") {
    return refuse_key(ErrorCode::kUnsupported, "tokenizer.ggml.model",
                      fmt::format("is \"{}\", which is not supported; supported: gpt2 (byte-level "
                                  "BPE)",
                                  replace_invalid(vocabulary.model.substr(0, 100))));
  }
  if (vocabulary.add_space_prefix) {
    return refuse_key(ErrorCode::kUnsupported, "tokenizer.ggml.add_space_prefix",
                      "asks for a space before every text, which is not supported");
  }
  if (n_tokens == 0 || n_tokens > kMostTokens) {
    return corrupt(kTokensKey, fmt::format("has {} tokens, not 1 to {}", n_tokens, kMostTokens));
  }
  if (vocabulary.merges.size() > kMostMerges) {
    return corrupt("tokenizer.ggml.merges", fmt::format("has more than {} merges", kMostMerges));
  }
  if (!vocabulary.types.empty() && vocabulary.types.size() != n_tokens) {
    return corrupt("tokenizer.ggml.token_type",
                   fmt::format("has {} types for {} tokens", vocabulary.types.size(), n_tokens));
  }
  const std::pair<std::string_view, std::optional<TokenId>> named[] = {
      {"tokenizer.ggml.bos_token_id", vocabulary.bos},
      {"tokenizer.ggml.eos_token_id", vocabulary.eos},
      {"tokenizer.ggml.eot_token_id", vocabulary.eot},
      {"tokenizer.ggml.eom_token_id", vocabulary.eom}};
  for (const auto& [key, id] : named) {
    if (id && *id >= n_tokens) {
      return corrupt(key, fmt::format("is {}, past the last of {} tokens", *id, n_tokens));
    }
  }
  if (vocabulary.add_bos == true && !vocabulary.bos) {
    return corrupt("tokenizer.ggml.add_bos_token", "asks for a BOS that the file does not name");
  }
  for (TokenId id = 0; id < n_tokens; ++id) {
    if (vocabulary.tokens[id].size() > kLongestToken) {
      return corrupt(kTokensKey, fmt::format("has token {} of over {} bytes", id, kLongestToken));
    }
  }
  return {};
}

}  // namespace

struct Tokenizer::State {
  State(Pretokenizer the_pretokenizer, std::size_t n_tokens)
      : pretokenizer(std::move(the_pretokenizer)), classes(n_tokens), bytes(n_tokens) {}

  Result<void> add_tokens(const Vocabulary& vocabulary);
  Result<void> check_bytes();
  void collect_end_tokens(const Vocabulary& vocabulary);
  void encode_text(std::string_view text, std::vector<TokenId>& out) const;
  std::size_t find_missing(std::string_view text) const;
  std::string replace_missing(std::string_view text) const;

  Pretokenizer pretokenizer;
  std::vector<TokenClass> classes;
  std::string arena;                    // all tokens' bytes; complete before anyone looks in
  std::vector<std::string_view> bytes;  // by id, into the arena
  std::optional<BytePairEncoder> encoder;
  LiteralTokens typed;    // kLiteral: what any text may name
  LiteralTokens special;  // and kControl
  LiteralTokens named;    // everything that merging doesn't make
  std::array<bool, 256> is_missing{};
  bool has_all_bytes = true;
  std::optional<TokenId> bos;
  std::optional<TokenId> eos;
  bool add_bos = false;
  std::vector<TokenId> end_tokens;
};

Result<void> Tokenizer::State::add_tokens(const Vocabulary& vocabulary) {
  const std::size_t n_tokens = vocabulary.tokens.size();
  std::vector<std::size_t> ends(n_tokens);
  std::vector<bool> is_merged(n_tokens);
  for (TokenId id = 0; id < n_tokens; ++id) {
    classes[id] = class_of(vocabulary, id);
    // A text token outside the alphabet stands for its own bytes, as in Hugging Face's decoder; no
    // merge can make it.
    is_merged[id] =
        classes[id] == TokenClass::kText && append_alphabet_bytes(arena, vocabulary.tokens[id]);
    if (!is_merged[id]) arena.append(vocabulary.tokens[id]);
    ends[id] = arena.size();
  }
  std::vector<std::string_view> merged_bytes(n_tokens);
  std::vector<LiteralTokens::Entry> typed_entries;
  std::vector<LiteralTokens::Entry> special_entries;
  std::vector<LiteralTokens::Entry> named_entries;
  for (TokenId id = 0; id < n_tokens; ++id) {
    const std::size_t start = id == 0 ? 0 : ends[id - 1];
    bytes[id] = std::string_view(arena).substr(start, ends[id] - start);
    if (is_merged[id]) {
      merged_bytes[id] = bytes[id];
      continue;
    }
    const LiteralTokens::Entry entry{bytes[id], id};
    if (classes[id] == TokenClass::kLiteral) typed_entries.push_back(entry);
    if (classes[id] == TokenClass::kControl || classes[id] == TokenClass::kLiteral) {
      special_entries.push_back(entry);
    }
    named_entries.push_back(entry);
  }
  typed = LiteralTokens(std::move(typed_entries));
  special = LiteralTokens(std::move(special_entries));
  named = LiteralTokens(std::move(named_entries));
  JARIP_TRY(encoder,
            BytePairEncoder::build(merged_bytes, vocabulary.merges, pretokenizer.ignores_merges()));
  return {};
}

Result<void> Tokenizer::State::check_bytes() {
  for (unsigned byte = 0; byte < 256; ++byte) {
    is_missing[byte] = !encoder->has_byte(static_cast<std::uint8_t>(byte));
    has_all_bytes = has_all_bytes && !is_missing[byte];
  }
  if (find_missing(kReplacementUtf8) < kReplacementUtf8.size()) {
    return refuse_key(ErrorCode::kCorrupt, kTokensKey,
                      "lacks bytes, those of U+FFFD among them, so that no text could be encoded "
                      "safely");
  }
  return {};
}

void Tokenizer::State::collect_end_tokens(const Vocabulary& vocabulary) {
  const auto add = [&](std::optional<TokenId> id) {
    if (!id || std::ranges::find(end_tokens, *id) != end_tokens.end()) return;
    end_tokens.push_back(*id);
  };
  add(vocabulary.eos);
  add(vocabulary.eot);
  add(vocabulary.eom);
  for (const std::string_view name : kEndNames) {
    const std::optional<TokenId> id = named.find(name);
    if (id && classes[*id] == TokenClass::kControl) add(id);
  }
}

// Where the first byte lies that has no token; the text's size if all have.
std::size_t Tokenizer::State::find_missing(std::string_view text) const {
  if (has_all_bytes) return text.size();
  const auto at = std::ranges::find_if(
      text, [&](char byte) { return is_missing[static_cast<std::uint8_t>(byte)]; });
  return static_cast<std::size_t>(at - text.begin());
}

std::string Tokenizer::State::replace_missing(std::string_view text) const {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::string_view unit = text.substr(0, decode_utf8(text).length);
    out.append(find_missing(unit) < unit.size() ? kReplacementUtf8 : unit);
    text.remove_prefix(unit.size());
  }
  return out;
}

void Tokenizer::State::encode_text(std::string_view text, std::vector<TokenId>& out) const {
  std::string replaced;
  if (find_missing(text) < text.size()) text = replaced = replace_missing(text);
  PieceCursor pieces(pretokenizer, text);
  for (std::string_view piece = pieces.next(); !piece.empty(); piece = pieces.next()) {
    encoder->encode(piece, out);
  }
}

Tokenizer::Tokenizer(std::unique_ptr<const State> state) : state_(std::move(state)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

Result<Tokenizer> Tokenizer::from_gguf(const GgufFile& file) {
  JARIP_TRY(const Vocabulary vocabulary, read_vocabulary(file));
  return from_vocabulary(vocabulary);
}

Result<Tokenizer> Tokenizer::from_vocabulary(const Vocabulary& vocabulary) {
  JARIP_CHECK(check_shape(vocabulary));
  JARIP_TRY(Pretokenizer pretokenizer, Pretokenizer::create(vocabulary.pre));
  auto state = std::make_unique<State>(std::move(pretokenizer), vocabulary.tokens.size());
  JARIP_CHECK(state->add_tokens(vocabulary));
  JARIP_CHECK(state->check_bytes());
  state->bos = vocabulary.bos;
  state->eos = vocabulary.eos;
  state->add_bos = vocabulary.bos && vocabulary.add_bos.value_or(state->pretokenizer.adds_bos());
  state->collect_end_tokens(vocabulary);
  return Tokenizer(std::move(state));
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, SpecialTokens special) const {
  const LiteralTokens& literals =
      special == SpecialTokens::kParse ? state_->special : state_->typed;
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 4 + 1);
  std::size_t at = 0;
  while (const auto match = literals.find_in(text, at)) {
    state_->encode_text(text.substr(at, match->start - at), ids);
    ids.push_back(match->id);
    at = match->start + match->length;
  }
  state_->encode_text(text.substr(at), ids);
  return ids;
}

bool Tokenizer::encodes_exactly(std::string_view text) const {
  return state_->find_missing(text) == text.size();
}

std::string_view Tokenizer::token_bytes(TokenId id) const {
  return id < state_->bytes.size() ? state_->bytes[id] : std::string_view();
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool with_control) const {
  std::string out;
  for (const TokenId id : ids) {
    if (with_control || !is_control(id)) out.append(token_bytes(id));
  }
  return out;
}

std::uint32_t Tokenizer::n_vocab() const {
  return static_cast<std::uint32_t>(state_->bytes.size());
}

bool Tokenizer::is_control(TokenId id) const {
  return id < state_->classes.size() && (state_->classes[id] == TokenClass::kControl ||
                                         state_->classes[id] == TokenClass::kHidden);
}

std::optional<TokenId> Tokenizer::find_token(std::string_view name) const {
  if (const auto id = state_->named.find(name)) return id;
  const TokenId id = state_->encoder->find(name);
  return id == kNoToken ? std::nullopt : std::optional(id);
}

std::optional<TokenId> Tokenizer::bos() const { return state_->bos; }
std::optional<TokenId> Tokenizer::eos() const { return state_->eos; }
bool Tokenizer::add_bos() const { return state_->add_bos; }
std::span<const TokenId> Tokenizer::end_tokens() const { return state_->end_tokens; }

}  // namespace jarip
