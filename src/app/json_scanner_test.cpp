#include "app/json_scanner.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace jarip {
namespace {

using Step = JsonScanner::Step;

// How many bytes were read, and what the last of them was.
std::pair<Step, std::size_t> scan(std::string_view text) {
  JsonScanner scanner;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const Step step = scanner.push(text[i]);
    if (step != Step::kMore) return {step, i + 1};
  }
  return {Step::kMore, text.size()};
}

TEST(JsonScanner, AValueEndsWithItsLastByte) {
  for (const std::string_view text :
       {R"({})", R"({"a": [1, -2.5e+3, true, false, null], "b\"\u00e9\n": {"c": ""}})", R"([])",
        R"("text")", "true", "[0, 1]", R"(  {"a" : 1 })", R"({"한국": "어"})",
        R"(["\ud83d\uDE00", 1e-9999])"}) {
    EXPECT_EQ(scan(text), std::pair(Step::kLast, text.size())) << text;
  }
}

TEST(JsonScanner, OnlyWhatIsBehindANumberEndsIt) {
  EXPECT_EQ(scan("12 "), std::pair(Step::kBehind, std::size_t{3}));
  EXPECT_EQ(scan("-0.5e7}"), std::pair(Step::kBehind, std::size_t{7}));
  EXPECT_EQ(scan("12"), std::pair(Step::kMore, std::size_t{2}));
}

TEST(JsonScanner, TheFirstWrongByteIsFound) {
  for (const std::string_view text :
       {"}", R"({a)", R"({"a",)", R"({"a":1,})", R"([1,])", R"({"a":01)", "[1.]", "[.", "[+",
        "tru}", "\"a\n", R"("\x)", R"("\u00g)", "[1}", R"({"a":1])", "[--", "[1e,", "[-]"}) {
    EXPECT_EQ(scan(text), std::pair(Step::kWrong, text.size())) << text;
  }
}

// Grammatical, but not every parser takes them.
TEST(JsonScanner, HalvesOfSurrogatePairsAndHugeExponentsAreWrong) {
  for (const std::string_view text :
       {R"("\udc00)", R"("\ud83d")", R"("\ud83dx)", R"("\ud83d\n)", R"("\ud83d\u0041)",
        R"("\ud83d\ud83d)", "[1e00000", "[-2.5E+12345"}) {
    EXPECT_EQ(scan(text), std::pair(Step::kWrong, text.size())) << text;
  }
}

TEST(JsonScanner, DepthHasALimit) {
  const std::string most(JsonScanner::kMaxDepth, '[');
  EXPECT_EQ(scan(most).first, Step::kMore);
  EXPECT_EQ(scan(most + "[").first, Step::kWrong);
}

}  // namespace
}  // namespace jarip
