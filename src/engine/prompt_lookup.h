// Guesses how a text goes on: as it did after the latest earlier place with the same last tokens
// (prompt lookup decoding: Saxena 2023, github.com/apoorvumang/prompt-lookup-decoding). Owned by
// one sequence, used by the engine's thread. Guesses decide how fast an answer comes, never what it
// is.
//
// Every token of the answer is compared with the guess for it, whether the guess was fed to the
// model or not. So it is always known how much guesses are worth, and finding out costs nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/engine.h"

namespace jarip {

class PromptLookup {
 public:
  // Takes in the prompt, and all the memory that a text of n_most tokens needs: 16 to 32 bytes
  // each.
  void begin(std::span<const TokenId> prompt, std::uint32_t n_most);

  // Takes in the answer's next token, the last one of text. Constant time, no allocation.
  void append(std::span<const TokenId> text);

  // For the next n_most tokens, how likely the guess is right in this token and all before it.
  // Empty without a guess. Valid until the next call. n_most <= kMaxDraftTokens.
  [[nodiscard]] std::span<const float> chances(std::uint32_t n_most);

  // The guesses for the tokens after text, which is what append() saw last. There is one.
  void guess(std::span<const TokenId> text, std::span<TokenId> guesses) const;

 private:
  // The place after each n tokens that follow one another, under their hash; 0 is none. A place
  // may have been overwritten by that of other tokens: what it says is checked.
  struct Index {
    std::size_t n = 0;
    unsigned shift = 0;
    std::vector<std::uint32_t> places = {};

    void resize(std::uint32_t n_most);
    [[nodiscard]] std::uint32_t& place_after(std::span<const TokenId> text);
  };

  void add(std::span<const TokenId> text);
  void find(std::span<const TokenId> text);
  void judge(bool right);

  // Guesses are the better the more tokens agree before them: classes of 2, 3, 4-7, 8-15 and 16.
  static constexpr std::uint32_t kLongest = 16;
  static constexpr std::size_t kClasses = 5;
  static std::size_t class_of(std::uint32_t n_agreeing);

  Index threes_{.n = 3};
  Index twos_{.n = 2};
  std::uint32_t place_ = 0;       // of the guess for the next token; 0 is none
  std::uint32_t n_agreeing_ = 0;  // tokens before both places that agree, at most kLongest
  // Part of a class's guesses that were right lately; at first what is usual.
  std::array<float, kClasses> rates_ = {0.2F, 0.4F, 0.6F, 0.8F, 0.95F};
  std::array<float, kMaxDraftTokens> chances_{};
};

}  // namespace jarip
