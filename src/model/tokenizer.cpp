#include "model/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/utf8.h"
#include "model/byte_alphabet.h"
#include "model/literal_tokens.h"
#include "model/pretokenizer.h"
#include "model/space_mark.h"
#include "model/text_encoder.h"
#include "model/vocabulary.h"

namespace jarip {
namespace {

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

// A kind of tokenizer by the file's tokenizer.ggml.model, and what holds where the file is silent.
struct Kind {
  std::string_view name;
  std::string_view what;  // for people
  MakeEncoder* make;
  bool byte_alphabet;  // tokens are written in it; else with marks for spaces
  bool adds_bos;
  bool adds_eos;
  std::string_view bos_name;  // counts where the file names no token
  std::string_view separator_name;
  std::string_view unknown_name;
};

constexpr std::array kKinds = {
    Kind{"gpt2", "byte-level BPE", make_byte_bpe_encoder, true, false, false, "", "", ""},
    Kind{"llama", "SentencePiece BPE", make_spm_encoder, false, true, false, "", "", ""},
    Kind{"bert", "WordPiece", make_wordpiece_encoder, false, true, true, "[CLS]", "[SEP]", "[UNK]"},
    Kind{"t5", "unigram", make_unigram_encoder, false, false, true, "", "", ""},
};

// What may become a token, and what its bytes are.
enum class TokenClass : std::uint8_t {
  kText,     // made by merging; bytes are what the text says in the kind's way of writing
  kByte,     // one byte, of which characters are spelt that are no tokens
  kLiteral,  // found in any text as it is written (HF's added tokens)
  kControl,  // found only where special tokens are parsed; left out of answers
  kHidden,   // never made from text, left out of answers: unused rows of the embedding
};

// Gemma's marks of turns, which some files call user-defined.
constexpr std::array<std::string_view, 3> kTurnNames = {"<start_of_turn>", "<start_of_image>",
                                                        "<end_of_image>"};

bool looks_like_control(std::string_view text) {
  return (text.starts_with("<|") && text.ends_with("|>")) ||
         (text.starts_with("<\uFF5C") && text.ends_with("\uFF5C>")) ||
         std::ranges::find(kEndNames, text) != kEndNames.end() ||
         std::ranges::find(kTurnNames, text) != kTurnNames.end();
}

bool is_named(const Vocabulary& vocabulary, TokenId id) {
  return id == vocabulary.bos || id == vocabulary.eos || id == vocabulary.eot ||
         id == vocabulary.eom || id == vocabulary.separator || id == vocabulary.unknown;
}

// User-defined tokens are part of the language and match in whatever a user types, as they do in
// Hugging Face's tokenizers ("<tool_call>", runs of spaces). But converters mark some files'
// control tokens as user-defined too, and a user must not be able to type those: a token that is
// written like one, or that the file itself names as the start or end of a text, is control
// whatever its type. "[PAD7]" at id 7 is what converters write for rows that have no token.
TokenClass class_of(const Vocabulary& vocabulary, const Kind& kind, TokenId id) {
  const std::string_view text = vocabulary.tokens[id];
  const TokenType type = vocabulary.types.empty() ? TokenType::kNormal : vocabulary.types[id];
  if (type == TokenType::kUnused || text.empty() ||
      (text.starts_with("[PAD") && text == fmt::format("[PAD{}]", id))) {
    return TokenClass::kHidden;
  }
  if (type == TokenType::kControl || type == TokenType::kUnknown || is_named(vocabulary, id)) {
    return TokenClass::kControl;
  }
  if (type == TokenType::kByte && !kind.byte_alphabet) return TokenClass::kByte;
  if (type != TokenType::kUserDefined) return TokenClass::kText;
  return looks_like_control(text) ? TokenClass::kControl : TokenClass::kLiteral;
}

// The byte of a token like "<0x0A>".
std::optional<std::uint8_t> byte_of(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text.back() != '>') return std::nullopt;
  std::uint8_t byte = 0;
  const char* end = text.data() + 5;
  const auto [stop, error] = std::from_chars(text.data() + 3, end, byte, 16);
  return error == std::errc() && stop == end ? std::optional(byte) : std::nullopt;
}

std::unexpected<Error> corrupt(std::string_view key, std::string_view what) {
  return refuse_key(ErrorCode::kCorrupt, key, what);
}

Result<const Kind*> find_kind(std::string_view name) {
  const auto kind = std::ranges::find(kKinds, name, &Kind::name);
  if (kind != kKinds.end()) return kind;
  std::string supported;
  for (const Kind& known : kKinds) {
    supported += fmt::format("{}{} ({})", supported.empty() ? "" : ", ", known.name, known.what);
  }
  return refuse_key(ErrorCode::kUnsupported, "tokenizer.ggml.model",
                    fmt::format("is \"{}\", which is not supported; supported: {}",
                                replace_invalid(name.substr(0, 100)), supported));
}

Result<void> check_named_tokens(const Vocabulary& vocabulary) {
  const std::size_t n_tokens = vocabulary.tokens.size();
  const std::pair<std::string_view, std::optional<TokenId>> named[] = {
      {"tokenizer.ggml.bos_token_id", vocabulary.bos},
      {"tokenizer.ggml.eos_token_id", vocabulary.eos},
      {"tokenizer.ggml.eot_token_id", vocabulary.eot},
      {"tokenizer.ggml.eom_token_id", vocabulary.eom},
      {"tokenizer.ggml.seperator_token_id", vocabulary.separator},
      {"tokenizer.ggml.unknown_token_id", vocabulary.unknown}};
  for (const auto& [key, id] : named) {
    if (id && *id >= n_tokens) {
      return corrupt(key, fmt::format("is {}, past the last of {} tokens", *id, n_tokens));
    }
  }
  if (vocabulary.add_bos == true && !vocabulary.bos) {
    return corrupt("tokenizer.ggml.add_bos_token", "asks for a BOS that the file does not name");
  }
  if (vocabulary.add_eos == true && !vocabulary.eos) {
    return corrupt("tokenizer.ggml.add_eos_token", "asks for an EOS that the file does not name");
  }
  return {};
}

Result<void> check_shape(const Vocabulary& vocabulary) {
  const std::size_t n_tokens = vocabulary.tokens.size();
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
  JARIP_CHECK(check_named_tokens(vocabulary));
  for (TokenId id = 0; id < n_tokens; ++id) {
    if (vocabulary.tokens[id].size() > kLongestToken) {
      return corrupt(kTokensKey, fmt::format("has token {} of over {} bytes", id, kLongestToken));
    }
  }
  return {};
}

// The vocabulary with the tokens named that its kind knows by their text.
Vocabulary with_names(Vocabulary vocabulary, const Kind& kind) {
  const auto name = [&](std::optional<TokenId>& id, std::string_view text) {
    if (id || text.empty()) return;
    const auto at = std::ranges::find(vocabulary.tokens, text);
    if (at == vocabulary.tokens.end()) return;
    id = static_cast<TokenId>(at - vocabulary.tokens.begin());
  };
  name(vocabulary.bos, kind.bos_name);
  name(vocabulary.separator, kind.separator_name);
  name(vocabulary.unknown, kind.unknown_name);
  return vocabulary;
}

}  // namespace

struct Tokenizer::State {
  explicit State(std::size_t n_tokens) : classes(n_tokens), bytes(n_tokens) {
    byte_tokens.fill(kNoToken);
  }

  // Both borrow nothing from the vocabulary once they return.
  Result<void> add_tokens(const Vocabulary& vocabulary, const Kind& kind);
  void set_ends(const Vocabulary& vocabulary, const Kind& kind);
  void collect_end_tokens(const Vocabulary& vocabulary);

  Result<bool> append_token(const Vocabulary& vocabulary, const Kind& kind, TokenId id);
  void add_literals(std::span<const std::string_view> text_bytes);

  std::vector<TokenClass> classes;
  std::string arena;                    // all tokens' bytes; complete before anyone looks in
  std::vector<std::string_view> bytes;  // by id, into the arena
  std::array<TokenId, 256> byte_tokens{};
  std::unique_ptr<const TextEncoder> encoder;
  LiteralTokens typed;    // kLiteral: what any text may name
  LiteralTokens special;  // and kControl
  LiteralTokens named;    // everything that merging doesn't make
  std::optional<TokenId> bos;
  std::optional<TokenId> eos;
  bool add_bos = false;
  std::optional<TokenId> closing;
  bool closes_twice = false;
  std::vector<TokenId> end_tokens;
};

// Appends a token's bytes to the arena; whether merging may make it.
Result<bool> Tokenizer::State::append_token(const Vocabulary& vocabulary, const Kind& kind,
                                            TokenId id) {
  const std::string_view text = vocabulary.tokens[id];
  classes[id] = class_of(vocabulary, kind, id);
  const bool is_text = classes[id] == TokenClass::kText;
  if (classes[id] == TokenClass::kByte) {
    const std::optional<std::uint8_t> byte = byte_of(text);
    if (!byte || byte_tokens[*byte] != kNoToken) {
      return corrupt(kTokensKey, fmt::format("has byte token {} \"{}\", which is no byte or one "
                                             "that another stands for",
                                             id, replace_invalid(text.substr(0, 100))));
    }
    byte_tokens[*byte] = id;
    arena += static_cast<char>(*byte);
    return false;
  }
  // A text token outside the alphabet stands for its own bytes, as in Hugging Face's decoder; no
  // merge can make it.
  if (kind.byte_alphabet) {
    if (is_text && append_alphabet_bytes(arena, text)) return true;
    arena.append(text);
    return false;
  }
  if (is_text || classes[id] == TokenClass::kLiteral) {
    append_with_spaces(arena, text);
  } else {
    arena.append(text);
  }
  // A text's spaces are marks when it is compared with tokens.
  return is_text && !text.contains(' ');
}

Result<void> Tokenizer::State::add_tokens(const Vocabulary& vocabulary, const Kind& kind) {
  const std::size_t n_tokens = vocabulary.tokens.size();
  std::vector<std::size_t> ends(n_tokens);
  std::vector<bool> is_merged(n_tokens);
  for (TokenId id = 0; id < n_tokens; ++id) {
    JARIP_TRY(is_merged[id], append_token(vocabulary, kind, id));
    ends[id] = arena.size();
  }
  std::vector<std::string_view> text_bytes(n_tokens);
  for (TokenId id = 0; id < n_tokens; ++id) {
    const std::size_t start = id == 0 ? 0 : ends[id - 1];
    bytes[id] = std::string_view(arena).substr(start, ends[id] - start);
    if (is_merged[id]) text_bytes[id] = bytes[id];
  }
  add_literals(text_bytes);
  JARIP_TRY(encoder, kind.make({vocabulary, text_bytes, byte_tokens}));
  return {};
}

void Tokenizer::State::add_literals(std::span<const std::string_view> text_bytes) {
  std::vector<LiteralTokens::Entry> typed_entries;
  std::vector<LiteralTokens::Entry> special_entries;
  std::vector<LiteralTokens::Entry> named_entries;
  for (TokenId id = 0; id < bytes.size(); ++id) {
    if (!text_bytes[id].empty()) continue;
    const LiteralTokens::Entry entry{bytes[id], id};
    if (classes[id] == TokenClass::kLiteral) typed_entries.push_back(entry);
    if (classes[id] == TokenClass::kControl || classes[id] == TokenClass::kLiteral) {
      special_entries.push_back(entry);
    }
    if (classes[id] != TokenClass::kByte) named_entries.push_back(entry);
  }
  typed = LiteralTokens(std::move(typed_entries));
  special = LiteralTokens(std::move(special_entries));
  named = LiteralTokens(std::move(named_entries));
}

void Tokenizer::State::set_ends(const Vocabulary& vocabulary, const Kind& kind) {
  bos = vocabulary.bos;
  eos = vocabulary.eos;
  const bool by_kind =
      kind.adds_bos || (kind.byte_alphabet && pretokenizer_adds_bos(vocabulary.pre));
  add_bos = bos && vocabulary.add_bos.value_or(by_kind);
  closes_twice = kind.separator_name.empty();
  const bool separates = vocabulary.add_separator.value_or(!kind.separator_name.empty());
  if (separates && vocabulary.separator) closing = vocabulary.separator;
  if (!closing && vocabulary.add_eos.value_or(kind.adds_eos)) closing = eos;
  collect_end_tokens(vocabulary);
}

void Tokenizer::State::collect_end_tokens(const Vocabulary& vocabulary) {
  const auto control = [&](std::string_view name) {
    const std::optional<TokenId> id = named.find(name);
    return id && classes[*id] == TokenClass::kControl ? id : std::nullopt;
  };
  // In the harmony format an answer has several messages, which end with <|end|>.
  const bool is_harmony = control("<|channel|>") && control("<|call|>") && control("<|return|>");
  const std::optional<TokenId> message_end = is_harmony ? control("<|end|>") : std::nullopt;
  const auto add = [&](std::optional<TokenId> id) {
    if (!id || id == message_end) return;
    if (std::ranges::find(end_tokens, *id) == end_tokens.end()) end_tokens.push_back(*id);
  };
  add(vocabulary.eos);
  add(vocabulary.eot);
  add(vocabulary.eom);
  for (const std::string_view name : kEndNames) add(control(name));
  if (is_harmony) add(control("<|call|>"));
}

Tokenizer::Tokenizer(std::unique_ptr<const State> state) : state_(std::move(state)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

Result<Tokenizer> Tokenizer::from_gguf(const GgufFile& file) {
  JARIP_TRY(const Vocabulary vocabulary, read_vocabulary(file));
  return from_vocabulary(vocabulary);
}

Result<Tokenizer> Tokenizer::from_vocabulary(const Vocabulary& given) {
  JARIP_TRY(const Kind* kind, find_kind(given.model));
  JARIP_CHECK(check_shape(given));
  const Vocabulary vocabulary = with_names(given, *kind);
  auto state = std::make_unique<State>(vocabulary.tokens.size());
  JARIP_CHECK(state->add_tokens(vocabulary, *kind));
  state->set_ends(vocabulary, *kind);
  return Tokenizer(std::move(state));
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, SpecialTokens special) const {
  const LiteralTokens& literals =
      special == SpecialTokens::kParse ? state_->special : state_->typed;
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 4 + 1);
  std::size_t at = 0;
  while (const auto match = literals.find_in(text, at)) {
    state_->encoder->encode(text.substr(at, match->start - at), ids);
    ids.push_back(match->id);
    at = match->start + match->length;
  }
  state_->encoder->encode(text.substr(at), ids);
  return ids;
}

std::vector<Tokenizer::Part> Tokenizer::split_control(std::string_view text) const {
  std::vector<Part> parts;
  std::size_t text_start = 0;
  std::size_t at = 0;
  while (const auto match = state_->special.find_in(text, at)) {
    at = match->start + match->length;
    if (!is_control(match->id)) continue;
    parts.push_back({text.substr(text_start, match->start - text_start), match->id});
    text_start = at;
  }
  if (text_start < text.size()) parts.push_back({text.substr(text_start), std::nullopt});
  return parts;
}

bool Tokenizer::encodes_exactly(std::string_view text) const {
  return state_->encoder->encodes_exactly(text) ||
         decode(encode(text), /*with_control=*/true) == text;
}

std::string_view Tokenizer::token_bytes(TokenId id) const {
  return id < state_->bytes.size() ? state_->bytes[id] : std::string_view();
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool with_control) const {
  if (state_->encoder->adds_space()) return decode_runs(ids, with_control);
  std::string out;
  for (const TokenId id : ids) {
    if (with_control || !is_control(id)) out.append(token_bytes(id));
  }
  return out;
}

std::string Tokenizer::decode_runs(std::span<const TokenId> ids, bool with_control) const {
  std::string out;
  bool begins = true;  // a run of text, to which encode() adds a space
  for (const TokenId id : ids) {
    const bool is_text = !is_control(id);
    const bool is_literal =
        id < state_->classes.size() && state_->classes[id] == TokenClass::kLiteral;
    std::string_view text = token_bytes(id);
    if (begins && is_text && !is_literal && text.starts_with(' ')) text.remove_prefix(1);
    if (with_control || is_text) out.append(text);
    begins = !is_text || is_literal;
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
  TokenId id = state_->encoder->find(name);
  if (id == kNoToken && name.size() == 1) {
    id = state_->byte_tokens[static_cast<std::uint8_t>(name.front())];
  }
  return id == kNoToken ? std::nullopt : std::optional(id);
}

std::optional<TokenId> Tokenizer::bos() const { return state_->bos; }
std::optional<TokenId> Tokenizer::eos() const { return state_->eos; }
bool Tokenizer::add_bos() const { return state_->add_bos; }
std::optional<TokenId> Tokenizer::closing() const { return state_->closing; }
bool Tokenizer::closes_twice() const { return state_->closes_twice; }
std::span<const TokenId> Tokenizer::end_tokens() const { return state_->end_tokens; }

}  // namespace jarip
