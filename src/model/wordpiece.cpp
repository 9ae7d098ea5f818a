// WordPiece, as bert files hold it: text is cleaned, lower-cased and freed of accents, cut into
// words at white space and punctuation, and each word is taken apart into the longest tokens from
// its start. Source: Devlin et al. 2018, "BERT", and its published tokenizer.
#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "model/text_encoder.h"
#include "model/vocabulary.h"

namespace jarip {
namespace {

// A longer word is unknown, whatever it says.
constexpr std::size_t kLongestWord = 100;  // characters

utf8proc_category_t category_of(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

bool is_white_space(char32_t c) {
  if (c == '\t' || c == '\n' || c == '\r') return true;
  const utf8proc_category_t category = category_of(c);
  return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
         category == UTF8PROC_CATEGORY_ZP;
}

// Characters that cleaning takes out without a trace: controls, formats, private ones.
bool is_dropped(char32_t c) {
  if (c == 0 || c == kReplacementCharacter) return true;
  const utf8proc_category_t category = category_of(c);
  return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
         category == UTF8PROC_CATEGORY_CO;
}

// Ideographs, each of which is a word. The ranges are those of the published tokenizer.
bool is_ideograph(char32_t c) {
  constexpr std::array<std::pair<char32_t, char32_t>, 8> kRanges = {{{0x3400, 0x4DBF},
                                                                     {0x4E00, 0x9FFF},
                                                                     {0xF900, 0xFAFF},
                                                                     {0x20000, 0x2A6DF},
                                                                     {0x2A700, 0x2B73F},
                                                                     {0x2B740, 0x2B81F},
                                                                     {0x2B920, 0x2CEAF},
                                                                     {0x2F800, 0x2FA1F}}};
  return std::ranges::any_of(
      kRanges, [c](const auto& range) { return c >= range.first && c <= range.second; });
}

bool is_punctuation(char32_t c) {
  if (c < 0x80) {
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
  }
  switch (category_of(c)) {
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
      return true;
    default:
      return false;
  }
}

int combining_class(char32_t c) {
  return utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class;
}

class WordPiece final : public TextEncoder {
 public:
  explicit WordPiece(const EncoderParts& parts)
      : tokens_(parts.text_bytes.size()),
        unknown_(*parts.vocabulary.unknown),
        lowercase_(parts.vocabulary.lowercase.value_or(true)),
        strips_accents_(parts.vocabulary.strip_accents.value_or(lowercase_)) {}

  Result<void> build(const EncoderParts& parts) {
    for (TokenId id = 0; id < parts.text_bytes.size(); ++id) {
      const std::string_view bytes = parts.text_bytes[id];
      if (bytes.empty()) continue;
      JARIP_TRY(const TokenId owner, tokens_.insert(bytes, id));
      if (owner != id) {
        return refuse_key(ErrorCode::kCorrupt, kTokensKey,
                          fmt::format("has the same token twice, as {} and {}", owner, id));
      }
      longest_token_ = std::max(longest_token_, bytes.size());
    }
    return {};
  }

  void encode(std::string_view text, std::vector<TokenId>& out) const override {
    std::u32string word;
    while (!text.empty()) {
      const Utf8Unit unit = decode_utf8(text);
      text.remove_prefix(unit.length);
      const char32_t c = unit.code_point;
      if (is_white_space(c)) {
        end_word(word, out);
      } else if (!is_dropped(c)) {
        const bool stands_alone = is_ideograph(c);
        if (stands_alone) end_word(word, out);
        add_normalized(c, word, out);
        if (stands_alone) end_word(word, out);
      }
    }
    end_word(word, out);
  }

  // Normalisation leaves some texts as they are; nothing here knows which.
  [[nodiscard]] bool encodes_exactly(std::string_view text) const override { return text.empty(); }
  [[nodiscard]] TokenId find(std::string_view bytes) const override { return tokens_.find(bytes); }
  // The first word's own space.
  [[nodiscard]] bool adds_space() const override { return true; }

 private:
  void add_normalized(char32_t c, std::u32string& word, std::vector<TokenId>& out) const {
    if (c < 0x80) {
      add(lowercase_ && c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c, word, out);
      return;
    }
    std::array<utf8proc_int32_t, 32> parts{static_cast<utf8proc_int32_t>(c)};
    utf8proc_ssize_t n_parts = 1;
    if (strips_accents_) {
      n_parts = std::clamp<utf8proc_ssize_t>(
          utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(), parts.size(),
                                  UTF8PROC_DECOMPOSE, nullptr),
          1, parts.size());
    }
    for (utf8proc_ssize_t i = 0; i < n_parts; ++i) {
      const auto part = static_cast<char32_t>(parts[static_cast<std::size_t>(i)]);
      if (strips_accents_ && category_of(part) == UTF8PROC_CATEGORY_MN) continue;
      add(lowercase_ ? static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(part)))
                     : part,
          word, out);
      // The one letter whose small form is two characters.
      if (lowercase_ && part == 0x130) add(0x307, word, out);
    }
  }

  void add(char32_t c, std::u32string& word, std::vector<TokenId>& out) const {
    if (is_punctuation(c)) {
      end_word(word, out);
      word.push_back(c);
      end_word(word, out);
      return;
    }
    word.push_back(c);
    // What decomposing put side by side stands in Unicode's canonical order.
    const int own_class = strips_accents_ && c >= 0x300 ? combining_class(c) : 0;
    if (own_class == 0) return;
    for (std::size_t i = word.size() - 1; i > 0 && combining_class(word[i - 1]) > own_class; --i) {
      std::swap(word[i - 1], word[i]);
    }
  }

  // A word's first token is written with a space before it, those that follow without.
  void end_word(std::u32string& word, std::vector<TokenId>& out) const {
    if (word.empty()) return;
    const std::size_t n_characters = word.size();
    std::string text = " ";
    if (n_characters <= kLongestWord) {
      for (const char32_t c : word) append_utf8(text, c);
    }
    word.clear();
    const std::size_t n_before = out.size();
    std::string_view rest = n_characters <= kLongestWord ? text : std::string_view();
    if (rest.empty()) out.push_back(unknown_);
    while (!rest.empty()) {
      const std::size_t length = longest_token_of(rest, out);
      if (length == 0) {
        out.resize(n_before);
        out.push_back(unknown_);
        return;
      }
      rest.remove_prefix(length);
    }
  }

  // Appends the longest token that begins the text and returns its length; 0 if there is none.
  std::size_t longest_token_of(std::string_view text, std::vector<TokenId>& out) const {
    for (std::size_t length = std::min(text.size(), longest_token_); length > 0; --length) {
      const bool ends_character =
          length == text.size() || (static_cast<unsigned char>(text[length]) & 0xC0U) != 0x80U;
      if (!ends_character) continue;
      const TokenId id = tokens_.find(text.substr(0, length));
      if (id == kNoToken) continue;
      out.push_back(id);
      return length;
    }
    return 0;
  }

  TokenTable tokens_;
  std::size_t longest_token_ = 0;
  TokenId unknown_;
  bool lowercase_;
  bool strips_accents_;
};

}  // namespace

Result<std::unique_ptr<const TextEncoder>> make_wordpiece_encoder(const EncoderParts& parts) {
  if (!parts.vocabulary.unknown) {
    return refuse_key(ErrorCode::kCorrupt, "tokenizer.ggml.unknown_token_id",
                      "is missing, and no token is called [UNK]");
  }
  auto encoder = std::make_unique<WordPiece>(parts);
  JARIP_CHECK(encoder->build(parts));
  return encoder;
}

}  // namespace jarip
