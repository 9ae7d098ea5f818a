#include "app/reasoning_budget.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace jarip {
namespace {

constexpr ReasoningShape kThink{"<think>", "</think>"};

// Every byte is a token; above them a few words.
constexpr std::array<std::string_view, 4> kWords = {"<think>", "</think>", "hm ", "m</"};
constexpr TokenId kOpen = 256;
constexpr TokenId kClose = 257;
constexpr TokenId kHm = 258;
constexpr TokenId kPart = 259;

std::string_view text_of(TokenId token) {
  static const std::vector<std::string> kBytes = [] {
    std::vector<std::string> bytes;
    for (int byte = 0; byte < 256; ++byte) bytes.emplace_back(1, static_cast<char>(byte));
    return bytes;
  }();
  return token < 256 ? std::string_view(kBytes[token]) : kWords.at(token - 256);
}

std::vector<TokenId> encode(std::string_view text) {
  if (text == kThink.close) return {kClose};
  std::vector<TokenId> tokens;
  for (const char byte : text) tokens.push_back(static_cast<unsigned char>(byte));
  return tokens;
}

ReasoningBudget budget_of(std::uint32_t max_tokens, bool begun = false) {
  return {kThink, begun, max_tokens, {text_of, encode}};
}

// What comes when the model would write these tokens.
std::vector<TokenId> answer(ReasoningBudget budget, const std::vector<TokenId>& wishes) {
  std::vector<TokenId> tokens;
  std::optional<TokenId> forced = budget({});
  for (const TokenId wish : wishes) {
    tokens.push_back(forced.value_or(wish));
    forced = budget(tokens.back());
  }
  return tokens;
}

using Tokens = std::vector<TokenId>;

TEST(ReasoningBudget, ClosesTheReasoningWhenItIsSpent) {
  EXPECT_EQ(answer(budget_of(2), {kOpen, kHm, kHm, kHm, kHm}),
            (Tokens{kOpen, kHm, kHm, kClose, kHm}));
  EXPECT_EQ(answer(budget_of(1, true), {kHm, kHm, kHm}), (Tokens{kHm, kClose, kHm}));
}

TEST(ReasoningBudget, NothingIsLeftOfReasoningWithoutABudget) {
  EXPECT_EQ(answer(budget_of(0, true), {kHm, kHm}), (Tokens{kClose, kHm}));
  EXPECT_EQ(answer(budget_of(0), {kOpen, kHm, kHm}), (Tokens{kOpen, kClose, kHm}));
}

TEST(ReasoningBudget, LeavesAnAnswerAloneThatKeepsToIt) {
  const Tokens closes = {kOpen, kHm, kClose, kHm, kHm, kOpen, kHm};
  EXPECT_EQ(answer(budget_of(2), closes), closes);
  const Tokens never = {kHm, kOpen, kHm};
  EXPECT_EQ(answer(budget_of(0), never), never);
}

TEST(ReasoningBudget, EndsAMarkThatTheModelHasBegun) {
  EXPECT_EQ(answer(budget_of(1), {kOpen, kPart, kHm, kHm, kHm, kHm, kHm, kHm, kHm}),
            (Tokens{kOpen, kPart, 't', 'h', 'i', 'n', 'k', '>', kHm}));
}

TEST(ReasoningBudget, CutsNoCharacter) {
  EXPECT_EQ(answer(budget_of(1, true), {0xED, 0x95, 0x9C, kHm, kHm}),
            (Tokens{0xED, 0x95, 0x9C, kClose, kHm}));
}

TEST(ReasoningBudget, KnowsWhetherTheMarkCanBeWritten) {
  EXPECT_TRUE(budget_of(1).can_close());
  const auto none = [](std::string_view) { return Tokens{' '}; };
  EXPECT_FALSE(ReasoningBudget(kThink, false, 1, {text_of, none}).can_close());
}

}  // namespace
}  // namespace jarip
