#include "base/language.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace jarip {
namespace {

Language of(const std::map<std::string, std::string>& variables) {
  return language_of([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(LanguageTest, EnglishWhenNothingIsSet) { EXPECT_EQ(of({}), Language::kEnglish); }

TEST(LanguageTest, KoreanLocalesMeanKorean) {
  EXPECT_EQ(of({{"LANG", "ko_KR.UTF-8"}}), Language::kKorean);
  EXPECT_EQ(of({{"LC_MESSAGES", "ko"}, {"LANG", "en_US.UTF-8"}}), Language::kKorean);
}

TEST(LanguageTest, TheMoreSpecificVariableDecides) {
  EXPECT_EQ(of({{"JARIP_LANG", "en"}, {"LC_ALL", "ko_KR"}}), Language::kEnglish);
  EXPECT_EQ(of({{"LC_ALL", "C"}, {"LC_MESSAGES", "ko_KR"}, {"LANG", "ko"}}), Language::kEnglish);
  EXPECT_EQ(of({{"JARIP_LANG", "ko"}, {"LC_ALL", "C"}}), Language::kKorean);
}

TEST(LanguageTest, AnEmptyVariableIsAsGoodAsUnset) {
  EXPECT_EQ(of({{"LC_ALL", ""}, {"LANG", "ko_KR.UTF-8"}}), Language::kKorean);
}

}  // namespace
}  // namespace jarip
