// Any text as a tokenizer.json. An id may be up to four million, and memory with it: such are left
// out, for the fuzzer's own limit.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "convert/hub_vocabulary.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto file = jarip::JsonFile::parse(text, "tokenizer.json");
  if (!file) return 0;
  const auto read = jarip::read_tokenizer_json(*file);
  if (!read) return 0;
  const std::size_t n = read->tokens.size();
  if (read->types.size() != n || (!read->scores.empty() && read->scores.size() != n)) std::abort();
  for (const auto& id : {read->unknown, read->first, read->last}) {
    if (id && *id >= n) std::abort();
  }
  return 0;
}
