#include "model/synth_vocabulary.h"

#include <utility>

#include "model/byte_alphabet.h"
#include "model/vocabulary.h"

namespace jarip {
namespace {

constexpr std::string_view kLetters = "etaoinshrdlcumwfgypbvkjxqz";  // English, common ones first

}  // namespace

SynthVocabulary::SynthVocabulary(std::uint32_t n_tokens) {
  tokens.reserve(n_tokens);
  for (int byte = 0; byte < 256; ++byte) {
    const char bytes[] = {static_cast<char>(byte)};
    std::string text;
    append_in_alphabet(text, std::string_view(bytes, 1));
    tokens.push_back(keep(std::move(text)));
  }
  add_merges(n_tokens - tokens.size() - 1);
  types.assign(tokens.size(), std::to_underlying(TokenType::kNormal));
  end = static_cast<TokenId>(tokens.size());
  tokens.push_back(keep("<|endoftext|>"));
  types.push_back(std::to_underlying(TokenType::kControl));
}

std::string_view SynthVocabulary::keep(std::string text) {
  return texts_.emplace_back(std::move(text));
}

// Every word of one length is lengthened by every letter before the next length has its turn. A
// space may begin a word.
void SynthVocabulary::add_merges(std::size_t n_merges) {
  std::vector<std::string_view> words;
  std::string space;
  append_in_alphabet(space, " ");
  words.push_back(keep(std::move(space)));
  for (const char letter : kLetters) words.push_back(keep(std::string(1, letter)));
  for (std::size_t i = 0; merges.size() < n_merges; ++i) {
    for (const char letter : kLetters) {
      if (merges.size() == n_merges) return;
      const std::string left(words[i]);
      merges.push_back(keep(left + " " + letter));
      tokens.push_back(keep(left + letter));
      words.push_back(tokens.back());
    }
  }
}

}  // namespace jarip
