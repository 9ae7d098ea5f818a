#include "model/literal_tokens.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace jarip {
namespace {

TEST(LiteralTokens, FindsTheFirstPlaceAndThereTheLongest) {
  const LiteralTokens tokens({{"<|a|>", 1}, {"<|a|>b", 2}, {"<", 3}, {"zz", 4}});
  const auto match = tokens.find_in("..<|a|>b..zz", 0);
  ASSERT_TRUE(match);
  EXPECT_EQ(match->start, 2U);
  EXPECT_EQ(match->length, 6U);
  EXPECT_EQ(match->id, 2U);
}

TEST(LiteralTokens, FallsBackToAShorterOneWhenTheLongerBreaksOff) {
  const LiteralTokens tokens({{"ab", 1}, {"abcdef", 2}});
  const auto match = tokens.find_in("abcde", 0);
  ASSERT_TRUE(match);
  EXPECT_EQ(match->id, 1U);
}

TEST(LiteralTokens, SearchesOnlyFromWhereItIsTold) {
  const LiteralTokens tokens({{"ab", 1}});
  const auto match = tokens.find_in("ab ab", 1);
  ASSERT_TRUE(match);
  EXPECT_EQ(match->start, 3U);
  EXPECT_FALSE(tokens.find_in("ab ab", 4));
}

TEST(LiteralTokens, FindsNothingWhenThereAreNone) {
  EXPECT_FALSE(LiteralTokens().find_in("text", 0));
  EXPECT_FALSE(LiteralTokens({{"", 1}}).find_in("text", 0));
}

TEST(LiteralTokens, OfEqualTextsTheLowestIdCounts) {
  EXPECT_EQ(LiteralTokens({{"x", 9}, {"x", 2}}).find("x"), 2U);
}

TEST(LiteralTokens, FindsOnlyTheExactText) {
  const LiteralTokens tokens({{"abc", 1}, {"abd", 2}});
  EXPECT_EQ(tokens.find("abd"), 2U);
  EXPECT_FALSE(tokens.find("ab"));
  EXPECT_FALSE(tokens.find("abda"));
  EXPECT_FALSE(tokens.find(""));
}

TEST(LiteralTokens, AgreesWithTryingEveryTokenEverywhere) {
  std::mt19937 random(3);
  const auto random_text = [&](std::size_t longest) {
    std::string text(random() % longest, ' ');
    for (char& c : text) c = "ab\xC3\xFF"[random() % 4];
    return text;
  };
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> names(random() % 6);
    std::vector<LiteralTokens::Entry> entries;
    for (std::string& name : names) {
      name = random_text(5);
      entries.emplace_back(name, static_cast<TokenId>(entries.size()));
    }
    const std::string text = random_text(12);
    std::size_t start = text.size();
    std::string longest;
    for (std::size_t at = 0; at < text.size() && longest.empty(); ++at) {
      for (const std::string& name : names) {
        if (text.substr(at).starts_with(name) && name.size() > longest.size()) {
          longest = name;
          start = at;
        }
      }
    }
    const auto match = LiteralTokens(entries).find_in(text, 0);
    ASSERT_EQ(match.has_value(), !longest.empty());
    if (!match) continue;
    ASSERT_EQ(match->start, start);
    ASSERT_EQ(text.substr(match->start, match->length), longest);
    ASSERT_EQ(names[match->id], longest);
  }
}

}  // namespace
}  // namespace jarip
