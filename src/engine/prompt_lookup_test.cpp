#include "engine/prompt_lookup.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>

namespace jarip {
namespace {

using Tokens = std::vector<TokenId>;

class PromptLookupTest : public testing::Test {
 protected:
  void begin(const Tokens& prompt, std::uint32_t n_most = 1000) {
    text_ = prompt;
    lookup_.begin(text_, n_most);
  }

  void append(const Tokens& tokens) {
    for (const TokenId token : tokens) {
      text_.push_back(token);
      lookup_.append(text_);
    }
  }

  [[nodiscard]] bool has_guess() { return !lookup_.chances(1).empty(); }
  [[nodiscard]] float chance() { return lookup_.chances(1)[0]; }

  Tokens guess(std::size_t n) {
    Tokens guesses(n);
    EXPECT_TRUE(has_guess());
    lookup_.guess(text_, guesses);
    return guesses;
  }

  PromptLookup lookup_;
  Tokens text_;
};

TEST_F(PromptLookupTest, TextThatRepeatsNothingHasNoGuess) {
  begin({1, 2, 3, 4, 5});
  EXPECT_FALSE(has_guess());
  append({6, 1, 7});
  EXPECT_FALSE(has_guess());
}

TEST_F(PromptLookupTest, ThePromptsOwnEndIsLookedUp) {
  begin({1, 2, 3, 4, 5, 9, 1, 2, 3});
  EXPECT_EQ(guess(3), (Tokens{4, 5, 9}));
}

TEST_F(PromptLookupTest, TheAnswerIsLookedUpInThePromptAndInItself) {
  begin({10, 11, 12, 13, 14});
  append({20, 11, 12});
  EXPECT_EQ(guess(2), (Tokens{13, 14}));
  append({30, 31, 32, 33, 30, 31, 32});
  EXPECT_EQ(guess(3), (Tokens{33, 30, 31}));
}

TEST_F(PromptLookupTest, ThreeTokensThatAgreeGoBeforeTwoAndTheLatestPlaceBeforeOthers) {
  begin({1, 2, 3, 50, 1, 2, 3, 60, 9, 2, 3, 70, 1, 2});
  append({3});
  EXPECT_EQ(guess(1), (Tokens{60}));
  begin({1, 2, 50, 1, 2, 60, 1});
  append({2});
  EXPECT_EQ(guess(1), (Tokens{60}));
}

TEST_F(PromptLookupTest, AGuessIsFollowedWhileItIsRight) {
  begin({1, 2, 3, 4, 5, 6, 7, 8, 9, 2, 3});
  append({4, 5});
  EXPECT_EQ(guess(3), (Tokens{6, 7, 8}));
  append({99});
  EXPECT_FALSE(has_guess());
}

TEST_F(PromptLookupTest, PastTheEndTheGuessesThemselvesAreRepeated) {
  begin({5, 6, 7, 5, 6});
  EXPECT_EQ(guess(8), (Tokens{7, 5, 6, 7, 5, 6, 7, 5}));
  begin({4, 4, 4});
  EXPECT_EQ(guess(4), (Tokens{4, 4, 4, 4}));
}

TEST_F(PromptLookupTest, ChancesFallWithEveryFurtherTokenAndAreNoLongerThanAskedFor) {
  begin({1, 2, 3, 4, 1, 2, 3});
  const std::span<const float> chances = lookup_.chances(kMaxDraftTokens);
  ASSERT_EQ(chances.size(), kMaxDraftTokens);
  EXPECT_LT(chances[0], 1.0F);
  EXPECT_GT(chances.back(), 0.0F);
  EXPECT_TRUE(std::ranges::is_sorted(chances, std::greater<>()));
  EXPECT_EQ(lookup_.chances(4).size(), 4U);
  EXPECT_TRUE(lookup_.chances(0).empty());
}

TEST_F(PromptLookupTest, TheMoreTokensAgreeTheLikelierIsTheGuess) {
  begin({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 2, 3});
  float last = chance();
  for (const TokenId token : {4U, 5U, 9U}) {
    if (token == 9) append({6, 7, 8});
    append({token});
    EXPECT_GT(chance(), last);
    last = chance();
  }
}

// A loop that is left and entered again: right guesses, or wrong ones.
TEST_F(PromptLookupTest, ChancesFollowWhatGuessesWereWorthLately) {
  begin({1, 2, 3, 4, 1, 2, 3});
  const float at_first = chance();
  TokenId fresh = 1000;
  for (int i = 0; i < 40; ++i) append({fresh++, fresh++, 1, 2, 3});
  const float after_misses = chance();
  EXPECT_LT(after_misses, 0.2F * at_first);
  for (int i = 0; i < 40; ++i) append({4, fresh++, fresh++, 7, 1, 2, 3});
  EXPECT_GT(chance(), 2 * after_misses);
}

TEST_F(PromptLookupTest, LongPromptsOfOneTokenAndTheShortestTextsAreTakenIn) {
  begin(Tokens(5000, 7), 5001);
  EXPECT_EQ(guess(2), (Tokens{7, 7}));
  begin({1}, 2);
  append({1});
  EXPECT_FALSE(has_guess());
  begin({0, 0, 0}, 4);
  EXPECT_EQ(guess(1), (Tokens{0}));
}

// The tokens before a guess's place always agree with the text's last ones, whatever shares a hash;
// and next to no repetition is missed.
TEST_F(PromptLookupTest, InRandomTextEveryGuessStandsWhereTheLastTwoTokensStoodBefore) {
  std::mt19937 random(1);
  std::uint32_t n_guesses = 0;
  std::uint32_t n_possible = 0;
  begin({0}, 3000);
  for (int i = 0; i < 2900; ++i) {
    append({static_cast<TokenId>(random() % 40)});
    const auto repeats = [&](std::optional<TokenId> next) {
      const std::size_t n = text_.size();
      for (std::size_t place = 2; place < n; ++place) {
        if (text_[place - 2] == text_[n - 2] && text_[place - 1] == text_[n - 1] &&
            (!next || text_[place] == *next)) {
          return true;
        }
      }
      return false;
    };
    if (repeats({})) ++n_possible;
    if (!has_guess()) continue;
    ++n_guesses;
    ASSERT_TRUE(repeats(guess(1)[0])) << i;
  }
  EXPECT_GT(n_guesses, n_possible * 8 / 10);
  EXPECT_LE(n_guesses, n_possible);
}

}  // namespace
}  // namespace jarip
