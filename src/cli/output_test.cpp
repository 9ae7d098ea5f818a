#include "cli/output.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <string_view>

namespace jarip {
namespace {

TEST(Output, TablesAlignTheirColumnsAndEndLinesWithoutSpaces) {
  EXPECT_EQ(format_table({{"name"}, {"size", Align::kRight}, {"note"}},
                         {{"a", "1 B", "x"}, {"longer", "10.0 KiB", ""}}, "  "),
            "  name        size  note\n"
            "  a            1 B  x\n"
            "  longer  10.0 KiB  \n");
}

TEST(Output, TablesCountCharactersAndNotBytes) {
  EXPECT_EQ(format_table({{"é"}, {"b"}}, {{"ü", "1"}, {"xy", "2"}}), "é   b\nü   1\nxy  2\n");
}

TEST(Output, SizesHaveOneDigitAfterThePoint) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.0 KiB");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_bytes((1U << 20U) - 1), "1.0 MiB");
  EXPECT_EQ(format_bytes(std::numeric_limits<std::uint64_t>::max()), "16.0 EiB");
}

TEST(Output, CountsAreGroupedByThousands) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1,000");
  EXPECT_EQ(format_count(134515008), "134,515,008");
}

TEST(Output, UntrustedTextCannotSteerTheTerminal) {
  EXPECT_EQ(excerpt("a\nb\tc", 10), "a\\nb\\tc");
  EXPECT_EQ(excerpt("\x1b[2J", 10), "\\x1b[2J");
  EXPECT_EQ(excerpt("\xc2\x9b"
                    "31m",
                    10),
            "\\x9b31m");
  EXPECT_EQ(excerpt("a\xff"
                    "b",
                    10),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(excerpt(std::string_view("\0", 1), 10), "\\x00");
}

TEST(Output, LongTextIsCutBetweenCharacters) {
  EXPECT_EQ(excerpt("가나다", 3), "가나다");
  EXPECT_EQ(excerpt("가나다라", 3), "가나다…");
  EXPECT_EQ(excerpt(std::string(1000000, 'x'), 5), "xxxxx…");
  EXPECT_EQ(excerpt("", 0), "");
}

}  // namespace
}  // namespace jarip
