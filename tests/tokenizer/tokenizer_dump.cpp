// Tokenizes many texts in one process, for tests/tokenizer/*.py: tokenizer_dump MODEL.gguf.
// Standard input: for each text a mode byte ('t' as text, 's' special tokens parsed, 'm' measured),
// its length (4 bytes, little-endian) and its bytes. Standard output: a line for each, the ids
// separated by spaces, then a tab and "exact" or "inexact": whether they decode to the text; of
// those measured the number of tokens and the seconds of the quickest of five times.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "model/gguf.h"
#include "model/tokenizer.h"

namespace jarip {
namespace {

bool read_bytes(char* bytes, std::size_t n) { return std::fread(bytes, 1, n, stdin) == n; }

void measure(const Tokenizer& tokenizer, std::string_view text) {
  double best_s = 1e9;
  std::size_t n_tokens = 0;
  for (int round = 0; round < 5; ++round) {
    const auto start = std::chrono::steady_clock::now();
    n_tokens = tokenizer.encode(text).size();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    best_s = std::min(best_s, took.count());
  }
  fmt::print("{} tokens in {:.4f} s\n", n_tokens, best_s);
}

int dump(const char* path) {
  const auto file = GgufFile::open(path);
  const auto tokenizer = file ? Tokenizer::from_gguf(*file) : std::unexpected(file.error());
  if (!tokenizer) {
    fmt::print(stderr, "tokenizer_dump: {}\n", tokenizer.error().message);
    return 1;
  }
  std::string text;
  for (char mode = 0; read_bytes(&mode, 1);) {
    char length[4];
    std::uint32_t n_bytes = 0;
    if (!read_bytes(length, sizeof length)) return 1;
    std::memcpy(&n_bytes, length, sizeof n_bytes);
    text.resize(n_bytes);
    if (!read_bytes(text.data(), n_bytes)) return 1;
    if (mode == 'm') {
      measure(*tokenizer, text);
      continue;
    }
    const auto special = mode == 's' ? SpecialTokens::kParse : SpecialTokens::kAsText;
    const std::vector<TokenId> ids = tokenizer->encode(text, special);
    const bool exact = tokenizer->decode(ids, /*with_control=*/true) == text;
    fmt::print("{}\t{}\n", fmt::join(ids, " "), exact ? "exact" : "inexact");
  }
  return 0;
}

}  // namespace
}  // namespace jarip

int main(int argc, char** argv) {
  if (argc == 2) return jarip::dump(argv[1]);
  fmt::print(stderr, "usage: tokenizer_dump MODEL.gguf\n");
  return 2;
}
