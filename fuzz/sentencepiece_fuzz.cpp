// Any bytes as SentencePiece's tokenizer.model, and as lines of WordPiece's vocab.txt.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "convert/hub_vocabulary.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (const auto read = jarip::read_sentencepiece(std::as_bytes(std::span(bytes, size)))) {
    const std::size_t n = read->tokens.size();
    if (n > size || read->types.size() != n || read->scores.size() != n) std::abort();
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (const auto read = jarip::read_wordpiece(text, true)) {
    if (read->types.size() != read->tokens.size()) std::abort();
  }
  return 0;
}
