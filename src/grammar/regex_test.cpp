#include "grammar/regex.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/fsm.h"
#include "grammar/match_text.h"

namespace jarip {
namespace {

Result<Automaton> compile_regex(std::string_view pattern, const RegexOptions& options) {
  GrammarBuilder builder;
  const RuleId root = builder.add_rule("root");
  JARIP_TRY(const ExprId body, parse_regex(pattern, options, builder));
  builder.define(root, body);
  CompileWork work;
  return compile(builder, root, work);
}

struct Case {
  const char* pattern;
  std::vector<std::string> matching;
  std::vector<std::string> refused;
};

void check(const std::vector<Case>& cases, const RegexOptions& options) {
  for (const Case& one : cases) {
    const auto automaton = compile_regex(one.pattern, options);
    ASSERT_TRUE(automaton) << one.pattern << ": " << automaton.error().message;
    for (const std::string& text : one.matching) {
      EXPECT_EQ(match_text(*automaton, text), TextMatch::kWhole) << one.pattern << ": " << text;
    }
    for (const std::string& text : one.refused) {
      EXPECT_NE(match_text(*automaton, text), TextMatch::kWhole) << one.pattern << ": " << text;
    }
  }
}

TEST(Regex, MatchesTheWholeText) {
  check(
      {
          {"abc", {"abc"}, {"", "ab", "abcd"}},
          {"^a|b$", {"a", "b"}, {"ab"}},
          {"a*b+c?", {"b", "aabbc"}, {"a", "c"}},
          {"(a|b(?:c|d)){2}", {"aa", "abc", "bdbc"}, {"a", "b"}},
          {"(?<year>\\d{4})-(?P<m>\\d\\d)", {"2026-11"}, {"26-11", "٢٠٢٦-11"}},
          {"\\w\\W\\s\\S\\D", {"a- xy", "_한\u00a0가y"}, {"- xyz", "a- x1"}},
          {".{2}", {"ab", "한글"}, {"a\n", "a\u2028", "abc"}},
          {"[^\\d\\n]+", {"ab-"}, {"a1", "\n"}},
          {"[\\]a\\-^]+", {"]a-^"}, {"b"}},
          {"[a-]", {"a", "-"}, {"b"}},
          {"\\x41\\u00e9\\u{1F600}\\ud83d\\ude00", {"A\u00e9\U0001F600\U0001F600"}, {"A"}},
          {"\\cA\\0\\/\\.", {std::string("\x01\0/.", 4)}, {"cA"}},
          {"a{,2}", {"a{,2}"}, {"a", "aa"}},
          {"a{2,}?b", {"aab", "aaaab"}, {"ab"}},
          {"[a-z0-9]{3,500}", {"abc", std::string(500, '7')}, {"ab", std::string(501, '7')}},
          {"", {""}, {"a"}},
      },
      {});
}

TEST(Regex, MayStandAnywhereInAString) {
  check(
      {
          {"b", {"b", "abc", "ab\\nc"}, {"", "ac", "a\nbc"}},
          {"^b", {"b", "bc"}, {"ab"}},
          {"b$", {"b", "ab"}, {"ba"}},
          {"^a|b$", {"ax", "xb", "a"}, {"xa", "bx"}},
          {"^\\s\"\\\\$", {"\\t\\\"\\\\"}, {"\t\\\"\\\\", "\\u0009\\\"\\\\"}},
          {"^\\x01$", {"\\u0001"}, {"\x01"}},
          {"", {"", "anything 한 \\n"}, {"\"", "\n"}},
      },
      {.form = TextForm::kJsonString, .reach = RegexReach::kAnywhere});
}

TEST(Regex, WhatIsNotRegularIsRefusedByName) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"a(?=b)", "look-ahead"},
      {"a(?!b)", "look-ahead"},
      {"(?<=a)b", "look-behind"},
      {"(?<!a)b", "look-behind"},
      {"(a)\\1", "back reference"},
      {"(?<n>a)\\k<n>", "back reference"},
      {"\\bword", "word boundary"},
      {"\\p{L}", "\\p"},
      {"(?i)a", "group"},
      {"a^b", "^"},
      {"a$b", "$"},
      {"(^a)", "^"},
      {"(a", "missing"},
      {"a)", "no \"(\""},
      {"[a", "missing"},
      {"*a", "nothing to repeat"},
      {"a**", "repeated"},
      {"a{3,2}", "in order"},
      {"\\q", "no such escape"},
      {"\\u12", "4 hexadecimal"},
      {"\\", "cut off"},
      {"[z-a]", "ends before"},
      {"[\\d-z]", "must be characters"},
  };
  for (const auto& [pattern, message] : cases) {
    const auto automaton = compile_regex(pattern, {});
    ASSERT_FALSE(automaton) << pattern;
    EXPECT_NE(automaton.error().message.find(message), std::string::npos)
        << pattern << ": " << automaton.error().message;
  }
}

Fsm language(std::string_view pattern) {
  GrammarBuilder builder(false);
  const auto expr = parse_regex(pattern, {.form = TextForm::kJsonString}, builder);
  CompileWork work;
  auto fsm = regular_language(builder, *expr, work);
  return *std::move(fsm);
}

TEST(Regex, WhatReadersDisputeIsNeverWritten) {
  const auto automaton = compile_regex("\\s|x\\S", {});
  ASSERT_TRUE(automaton);
  for (const char* text : {" ", "\t", "\u3000", "xy", "x한"}) {
    EXPECT_EQ(match_text(*automaton, text), TextMatch::kWhole) << text;
  }
  for (const char* text : {"\x1c", "\u0085", "\uFEFF", "x\x1f", "x\u0085", "x\uFEFF", "x "}) {
    EXPECT_NE(match_text(*automaton, text), TextMatch::kWhole) << text;
  }
}

TEST(Regex, LanguagesCanBeIntersectedAndSubtracted) {
  CompileWork work;
  const auto both = intersect(language("[a-z]{2,5}"), language(".*[xy].*"), work);
  ASSERT_TRUE(both);
  EXPECT_TRUE(matches(*both, "axb"));
  EXPECT_FALSE(matches(*both, "ab"));
  EXPECT_FALSE(matches(*both, "axbbbb"));
  const auto rest = subtract(language("[a-z]*"), language("name|age"), work);
  ASSERT_TRUE(rest);
  EXPECT_TRUE(matches(*rest, "names"));
  EXPECT_TRUE(matches(*rest, ""));
  EXPECT_FALSE(matches(*rest, "name"));
  EXPECT_FALSE(matches(*rest, "age"));
  EXPECT_TRUE(matches_nothing(*intersect(language("a+"), language("b+"), work)));
  GrammarBuilder builder;
  const RuleId root = builder.add_rule("root");
  builder.define(root, add_language(builder, *rest));
  const auto automaton = compile(builder, root, work);
  ASSERT_TRUE(automaton);
  EXPECT_EQ(match_text(*automaton, "nam"), TextMatch::kWhole);
  EXPECT_NE(match_text(*automaton, "name"), TextMatch::kWhole);
}

}  // namespace
}  // namespace jarip
