// Any bytes as text, in four families with all bytes and one without, and any lines as a
// vocabulary: what text becomes decodes to the text, and no text becomes a control token unasked.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "model/tokenizer.h"
#include "model/vocabulary.h"
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

}  // namespace
}  // namespace jarip

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t n_bytes) {
  using jarip::make_tokenizer;
  static const std::array kTokenizers = {
      make_tokenizer("gpt-2", ""), make_tokenizer("llama-bpe", ""), make_tokenizer("qwen2", ""),
      make_tokenizer("smollm", ""), make_tokenizer("smollm", "\x04\x1D\xF1\xFF")};
  if (n_bytes == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, n_bytes - 1);
  const std::size_t choice = bytes[0] % (kTokenizers.size() + 1);
  if (choice == kTokenizers.size()) {
    jarip::check_vocabulary(text);
  } else {
    jarip::check_text(kTokenizers[choice], text);
    jarip::check_stream(text);
  }
  return 0;
}
