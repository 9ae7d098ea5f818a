#include "cli/text_width.h"

#include <gtest/gtest.h>

namespace jarip {
namespace {

// 한 in three jamo: ᄒ ᅡ ᆫ.
constexpr std::string_view kJamo = "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB";

TEST(TextWidthTest, HangulIsTwoColumnsComposedOrNot) {
  EXPECT_EQ(display_width("한글"), 4U);
  EXPECT_EQ(display_width(kJamo), 2U);
  EXPECT_EQ(display_width("abc 한"), 6U);
}

TEST(TextWidthTest, AGraphemeIsWhatAPersonSeesAsOneCharacter) {
  EXPECT_EQ(grapheme_length(std::string(kJamo) + "a"), kJamo.size());
  EXPECT_EQ(grapheme_length("e\xCC\x81x"), 3U);
  const std::string_view family = "👨‍👩‍👧";
  EXPECT_EQ(grapheme_length(family), family.size());
  EXPECT_EQ(grapheme_width(family), 2U);
  EXPECT_EQ(grapheme_length("글자"), 3U);
}

TEST(TextWidthTest, LinesBreakAtSpacesByWidthAndNotByBytes) {
  EXPECT_EQ(wrap_text("one two three", 7), (std::vector<std::string>{"one two", "three"}));
  EXPECT_EQ(wrap_text("하나 둘 셋", 7), (std::vector<std::string>{"하나 둘", "셋"}));
  EXPECT_EQ(wrap_text("unbreakable x", 4), (std::vector<std::string>{"unbreakable", "x"}));
  EXPECT_TRUE(wrap_text("", 10).empty());
}

}  // namespace
}  // namespace jarip
