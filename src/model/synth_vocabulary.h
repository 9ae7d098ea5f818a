// The vocabulary of a made-up model: byte-level BPE of any size, whose merges build short words of
// Latin letters. Works on real text, which it cuts into pieces of one to four bytes. A value.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "model/token.h"

namespace jarip {

struct SynthVocabulary {
  // n_tokens: 257 (the bytes and one control token) to 400,000.
  explicit SynthVocabulary(std::uint32_t n_tokens);

  std::vector<std::string_view> tokens;  // the 256 bytes, the merged, and the control token
  std::vector<std::int32_t> types;       // of TokenType
  std::vector<std::string_view> merges;  // "left right", most important first
  TokenId end = 0;                       // the control token: begins and ends a text

 private:
  std::string_view keep(std::string text);
  void add_merges(std::size_t n_merges);

  std::deque<std::string> texts_;  // a deque, so that views stay good
};

}  // namespace jarip
