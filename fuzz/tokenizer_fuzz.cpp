// Any bytes as text, in families with all bytes and one without, in the kinds that are not
// byte-level, and any lines as a vocabulary: what text becomes decodes to the text where the
// tokenizer says so, and no text becomes a control token unasked. Any bytes as a charsmap.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "model/charsmap.h"
#include "model/tokenizer.h"
#include "model/vocabulary.h"
#include "tests/support/tiny_pieces.h"
#include "tests/support/tiny_vocabulary.h"

namespace jarip {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_text(const Tokenizer& tokenizer, std::string_view text) {
  const std::vector<TokenId> ids = tokenizer.encode(text);
  for (const TokenId id : ids) require(id < tokenizer.n_vocab() && !tokenizer.is_control(id));
  const std::string decoded = tokenizer.decode(ids);
  require(decoded == text || !tokenizer.encodes_exactly(text));
  // What stood in for missing bytes is text like any other, and comes back.
  require(tokenizer.decode(tokenizer.encode(decoded)) == decoded);
  const std::vector<TokenId> parsed = tokenizer.encode(text, SpecialTokens::kParse);
  require(tokenizer.decode(parsed, /*with_control=*/true) == text ||
          !tokenizer.encodes_exactly(text));
}

void check_stream(std::string_view text) {
  Utf8Stream stream;
  std::string whole;
  for (std::size_t at = 0; at < text.size(); at += 3) {
    stream.feed(text.substr(at, 3));
    whole += stream.take();
    require(is_valid_utf8(whole));
  }
  require(whole + stream.finish() == replace_invalid(text));
}

Tokenizer make_tokenizer(std::string_view family, std::string_view missing) {
  TinyVocabulary tiny(family, missing);
  tiny.merge("a", "b");
  tiny.merge("ab", "ab");
  tiny.merge(" ", "a");
  tiny.merge(" ", " ");
  tiny.merge("  ", "  ");
  tiny.merge("1", "2");
  tiny.merge("\xEA", "\xB0");
  tiny.merge("\xEA\xB0", "\x80");
  tiny.add_token("<|end|>", TokenType::kControl);
  tiny.add_token("<|end|><|end|>", TokenType::kControl);
  tiny.add_token("<call>", TokenType::kUserDefined);
  auto tokenizer = Tokenizer::from_vocabulary(*tiny);
  require(tokenizer.has_value());
  return *std::move(tokenizer);
}

// A line is one token, its type in the first byte, or one merge behind an 'm'. Begun with the 256
// bytes, so that many are accepted.
void check_vocabulary(std::string_view lines) {
  TinyVocabulary tiny;
  for (std::string_view rest = lines; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.starts_with('m')) {
      tiny->merges.push_back(line.substr(1));
    } else if (!line.empty()) {
      const auto type = static_cast<std::uint8_t>(line.front());
      tiny.add_token(line.substr(1), static_cast<TokenType>(1 + type % 6));
    }
  }
  const auto tokenizer = Tokenizer::from_vocabulary(*tiny);
  if (tokenizer) check_text(*tokenizer, lines);
}

// Of every kind but byte-level BPE: the unknown token may come of any text.
void check_kind(const Vocabulary& vocabulary, std::string_view text) {
  const auto tokenizer = Tokenizer::from_vocabulary(vocabulary);
  if (!tokenizer) return;
  const std::vector<TokenId> ids = tokenizer->encode(text);
  for (const TokenId id : ids) {
    require(id == vocabulary.unknown || (id < tokenizer->n_vocab() && !tokenizer->is_control(id)));
  }
  if (tokenizer->encodes_exactly(text)) require(tokenizer->decode(ids, true) == text);
  (void)tokenizer->encode(text, SpecialTokens::kParse);
}

// The first two bytes choose the kind and its flags; a line of the rest is a token, its score in
// the first byte.
void check_pieces(std::string_view bytes) {
  if (bytes.size() < 2) return;
  constexpr std::array<std::string_view, 3> kModels = {"llama", "bert", "t5"};
  const auto flags = static_cast<std::uint8_t>(bytes[1]);
  TinyPieces tiny(kModels[static_cast<std::uint8_t>(bytes[0]) % 3], (flags & 1U) != 0);
  tiny->add_space_prefix = (flags & 2U) != 0;
  tiny->remove_extra_whitespaces = (flags & 4U) != 0;
  tiny->lowercase = (flags & 8U) != 0;
  tiny->strip_accents = (flags & 16U) != 0;
  const std::string_view lines = bytes.substr(2);
  if ((flags & 32U) != 0) {
    tiny->charsmap = std::as_bytes(std::span(lines));
    const auto map = Charsmap::parse(tiny->charsmap);
    if (map) (void)map->longest_prefix(lines);
  }
  for (const char* text : {" a", "a", "b", "ab", " ab", " ", "  ", "가", "e"}) {
    tiny.add(text, -static_cast<float>(std::string_view(text).size()));
  }
  for (std::string_view rest = lines; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.size() < 2) continue;
    const auto first = static_cast<std::uint8_t>(line.front());
    tiny.add(line.substr(1), -static_cast<float>(first >> 3U),
             static_cast<TokenType>(1 + first % 6));
  }
  check_kind(*tiny, lines);
}

}  // namespace
}  // namespace jarip

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t n_bytes) {
  using jarip::make_tokenizer;
  static const std::array kTokenizers = {make_tokenizer("gpt-2", ""),
                                         make_tokenizer("llama-bpe", ""),
                                         make_tokenizer("qwen2", ""),
                                         make_tokenizer("smollm", ""),
                                         make_tokenizer("smollm", "\x04\x1D\xF1\xFF"),
                                         make_tokenizer("qwen35", ""),
                                         make_tokenizer("tekken", ""),
                                         make_tokenizer("gpt-4o", "")};
  if (n_bytes == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, n_bytes - 1);
  const std::size_t choice = bytes[0] % (kTokenizers.size() + 3);
  if (choice == kTokenizers.size()) {
    jarip::check_vocabulary(text);
  } else if (choice > kTokenizers.size()) {
    jarip::check_pieces(text);
  } else {
    jarip::check_text(kTokenizers[choice], text);
    jarip::check_stream(text);
  }
  return 0;
}
