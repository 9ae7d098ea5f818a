#include "model/pretokenizer.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace jarip {
namespace {

using Pieces = std::vector<std::string>;

constexpr std::string_view kFamilies[] = {"gpt-2",  "llama-bpe", "dbrx",   "qwen2",
                                          "qwen35", "tekken",    "gpt-4o", "smollm"};

Pieces cut(std::string_view name, std::string_view text) {
  const auto pretokenizer = Pretokenizer::create(name);
  if (!pretokenizer) return {pretokenizer.error().message};
  PieceCursor cursor(*pretokenizer, text);
  Pieces pieces;
  for (std::string_view piece = cursor.next(); !piece.empty(); piece = cursor.next()) {
    pieces.emplace_back(piece);
  }
  return pieces;
}

TEST(Pretokenizer, Gpt2KeepsNumbersWholeAndContractionsInLowerCase) {
  EXPECT_EQ(cut("gpt-2", "I've 1234 DON'T  x\n\ny"),
            (Pieces{"I", "'ve", " 1234", " DON", "'", "T", " ", " x", "\n", "\n", "y"}));
}

TEST(Pretokenizer, LlamaTakesThreeDigitsAndContractionsInAnyCase) {
  EXPECT_EQ(cut("llama-bpe", "I'VE 1234567 (x)\n\n  y'\u017F"),
            (Pieces{"I", "'VE", " ", "123", "456", "7", " (", "x", ")\n\n", " ", " y", "'\u017F"}));
}

TEST(Pretokenizer, QwenTakesDigitsOneByOne) {
  EXPECT_EQ(cut("qwen2", "in 2024.\n"), (Pieces{"in", " ", "2", "0", "2", "4", ".\n"}));
}

TEST(Pretokenizer, SmollmEndsWhiteSpaceBeforeADigitAsAtTheEndOfTheText) {
  EXPECT_EQ(cut("smollm", "a   12  b  "), (Pieces{"a", "   ", "1", "2", " ", " b", "  "}));
}

TEST(Pretokenizer, Qwen35KeepsMarksInWords) {
  EXPECT_EQ(cut("qwen35", "e\u0301a \u0301!"), (Pieces{"e\u0301a", " \u0301", "!"}));
  EXPECT_EQ(cut("qwen2", "e\u0301a"), (Pieces{"e", "\u0301a"}));
}

TEST(Pretokenizer, TekkenAndO200kEndAWordBeforeACapital) {
  EXPECT_EQ(cut("tekken", "camelCase HTTPServer 12 a/\n"),
            (Pieces{"camel", "Case", " HTTPServer", " ", "1", "2", " a", "/\n"}));
  EXPECT_EQ(cut("gpt-4o", "camelCase I'LL 1234"),
            (Pieces{"camel", "Case", " I'LL", " ", "123", "4"}));
  EXPECT_EQ(cut("gpt-4o", "abc한국어Abc"), (Pieces{"abc한국어", "Abc"}));
}

// Letters of no case belong to both classes: the text that makes a matcher go back most.
TEST(Pretokenizer, CapitalsBehindLettersOfNoCaseCostNoMoreThanOthers) {
  std::string text;
  while (text.size() < 1'000'000) text += "가A";
  for (const std::string_view family : {"tekken", "gpt-4o"}) {
    EXPECT_EQ(cut(family, text).size(), 2U) << family;
  }
}

TEST(Pretokenizer, WhiteSpaceIsUnicodesAndNotTheVowelSeparator) {
  EXPECT_EQ(cut("gpt-2", "a\u3000\u0085b"), (Pieces{"a", "\u3000", "\u0085", "b"}));
  EXPECT_EQ(cut("gpt-2", "a\u180E\u180E"), (Pieces{"a", "\u180E\u180E"}));
}

TEST(Pretokenizer, InvalidBytesAreAPieceAndHideNothingAroundThem) {
  for (const std::string_view family : kFamilies) {
    EXPECT_EQ(cut(family, "ab\xFF\xC3 cd\xF0\x9F"), (Pieces{"ab", "\xFF\xC3", " cd", "\xF0\x9F"}))
        << family;
  }
}

TEST(Pretokenizer, PiecesJoinedAreTheTextForAnyBytes) {
  constexpr std::string_view kBytes = "ab1'sR \t\n\r\v.<|\x80\xBF\xC3\xA9\xEA\xB0\x80\xF0\x9F\xFF";
  std::mt19937 random(4);
  for (int round = 0; round < 4000; ++round) {
    std::string text(random() % 30, ' ');
    for (char& c : text) c = kBytes[random() % kBytes.size()];
    text += std::string(random() % 2, '\0');
    for (const std::string_view family : kFamilies) {
      std::string joined;
      for (const std::string& piece : cut(family, text)) joined += piece;
      ASSERT_EQ(joined, text) << family;
    }
  }
}

// A matcher that gave up would cut single characters; one that backtracked without end would not
// come back.
TEST(Pretokenizer, AMegabyteOfOneKindIsOnePiece) {
  constexpr std::size_t kBytes = 1'000'000;
  for (const std::string_view family : kFamilies) {
    for (const char* unit : {"a", " ", "\n", "!", " \t", "가", "\xFF"}) {
      std::string text;
      while (text.size() < kBytes) text += unit;
      EXPECT_EQ(cut(family, text).size(), 1U) << family << " " << unit;
    }
  }
}

TEST(Pretokenizer, AnUnknownNameIsRefusedByNameWithWhatIsSupported) {
  for (const std::string_view name : {"default", "", "gpt-2 llama-bpe", "\xFF"}) {
    const auto pretokenizer = Pretokenizer::create(name);
    ASSERT_FALSE(pretokenizer);
    EXPECT_EQ(pretokenizer.error().code, ErrorCode::kUnsupported);
    EXPECT_EQ(pretokenizer.error().where, "key tokenizer.ggml.pre");
    EXPECT_NE(pretokenizer.error().message.find("smollm"), std::string::npos);
  }
  EXPECT_NE(Pretokenizer::create("poro").error().message.find("\"poro\""), std::string::npos);
}

}  // namespace
}  // namespace jarip
