#include "grammar/ebnf.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "grammar/grammar.h"
#include "grammar/match_text.h"

namespace jarip {
namespace {

Result<Automaton> compile_ebnf(std::string text) {
  return compile_source({GrammarKind::kEbnf, std::move(text)});
}

struct Case {
  const char* grammar;
  std::vector<std::string> matching;
  std::vector<std::string> refused;
};

TEST(Ebnf, MatchesWhatTheGrammarSaysAndNothingElse) {
  const std::vector<Case> cases = {
      {R"g(root ::= "yes" | "no")g", {"yes", "no"}, {"", "y", "yesno", "maybe"}},
      {R"g(root ::= [a-c]+ [^a-c\n]? "\x41\u00e9\"")g",
       {"aA\u00e9\"", "abcxA\u00e9\""},
       {"A\u00e9\"", "a\nA\u00e9\""}},
      {R"g(root ::= ("a" | "b"){2,3} "." # end
         )g",
       {"ab.", "bbb."},
       {"a.", "abab."}},
      {R"g(root ::= "a"{3} | "b"{2,} | "c"{,2})g",
       {"aaa", "bb", "bbbbb", "", "cc"},
       {"aa", "b", "ccc"}},
      {"other ::= \"x\" root ::= other\n  other", {"xx"}, {"x", "xxx"}},
      {"first ::= \"only\"", {"only"}, {"first"}},
      {R"g(root ::= .)g", {"a", "\n", "한"}, {"", "ab", "\xff", "\xed\xa0\x80"}},
      {R"g(root ::= [^"\\] | [가-힣])g", {"가", "z"}, {"\"", "\\"}},
      // Recursion on the right, in the middle, on the left, through another rule and hidden behind
      // what may be nothing.
      {R"g(root ::= "a" root | "b")g", {"b", "aaab"}, {"a", "ba"}},
      {R"g(root ::= "(" root ")" | "")g", {"", "()", "((()))"}, {"(", "(()", "())"}},
      {R"g(root ::= root "+" t | t  t ::= [0-9]+ | "(" root ")")g",
       {"1", "1+2+30", "(1+2)+3"},
       {"+1", "1+", "(1"}},
      {R"g(root ::= a "x" | "r"  a ::= root "y" | "z")g",
       {"r", "zx", "ryx", "zxyx", "ryxyx"},
       {"ry", "z", "xx"}},
      {R"g(root ::= b root "c" | "d"  b ::= "e"?)g",
       {"d", "dc", "dcc", "edc", "eedcc", "edccc"},
       {"ed", "c"}},
      {R"g(root ::= root root | "s")g", {"s", "ss", "sssss"}, {"", "t"}},
      {R"g(root ::= "a" root "a" | "b")g", {"b", "aba", "aabaa"}, {"ab", "abaa"}},
      // Counted without being written out.
      {R"g(root ::= [a-z가-힣]{2,300} ".")g",
       {"ab.", "한글.", std::string(300, 'x') + "."},
       {"a.", std::string(301, 'x') + "."}},
      {R"g(root ::= (item ","){2,4000}  item ::= [a-z가-힣ㄱ-ㅎ]{1,900} "!"?)g",
       {"a,b!,", "ab,cd,ef!,"},
       {"a,", "a,,"}},
      {R"g(root ::= ([a-z가-힣]+ [0-9]?){3,1000} "."  )g",
       {"abc.", "a1b2c3.", "abcdefgh9."},
       {"ab.", "1a."}},
      // A rule that can't be finished is no reason to enter it.
      {R"g(root ::= "a" endless | "b"  endless ::= "x" endless)g", {"b"}, {"a", "ax"}},
  };
  for (const Case& one : cases) {
    const auto automaton = compile_ebnf(one.grammar);
    ASSERT_TRUE(automaton) << one.grammar << ": " << automaton.error().message;
    for (const std::string& text : one.matching) {
      EXPECT_EQ(match_text(*automaton, text), TextMatch::kWhole) << one.grammar << ": " << text;
    }
    for (const std::string& text : one.refused) {
      EXPECT_NE(match_text(*automaton, text), TextMatch::kWhole) << one.grammar << ": " << text;
    }
  }
}

TEST(Ebnf, RefusesAtTheFirstByteThatLeadsNowhere) {
  const auto automaton = compile_ebnf(R"g(root ::= "a" endless | "b"  endless ::= "x" endless)g");
  ASSERT_TRUE(automaton);
  EXPECT_EQ(match_text(*automaton, "a"), TextMatch::kRefused);
}

TEST(Ebnf, NamesTheMistakeAndItsPlace) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "no rules"},
      {"root ::= \"a", "\" is missing"},
      {"root ::= (\"a\"", "\")\" is missing"},
      {"root ::= [a", "\"]\" is missing"},
      {"root ::= [b-a]", "ends before it begins"},
      {"root ::= other", "\"other\""},
      {"root ::= \"a\"\nroot ::= \"b\"", "defined twice"},
      {"root ::= \"a\" )", "line 1, column 14"},
      {"root ::= \"a\"{3,2}", "in order"},
      {"root ::= \"a\"{99999999}", "at most"},
      {"root ::= \"\\q\"", "no such escape"},
      {"root ::= \"\\ud800\"", "Unicode"},
      {"root = \"a\"", "name ::="},
      {"root ::= \"a\" root", "no text at all"},
      {"root ::= (root \"x\"){50,60000} | \"y\"", "counted repetition"},
      {"root ::= \"\xff\"", "UTF-8"},
  };
  for (const auto& [grammar, message] : cases) {
    const auto automaton = compile_ebnf(grammar);
    ASSERT_FALSE(automaton) << grammar;
    EXPECT_NE(automaton.error().message.find(message), std::string::npos)
        << grammar << ": " << automaton.error().message;
  }
}

std::string times(std::string_view text, std::size_t n) {
  std::string out;
  for (std::size_t i = 0; i < n; ++i) out += text;
  return out;
}

// None of these ends the process, and all end soon.
TEST(Ebnf, HugeGrammarsAreErrors) {
  std::string chain = "root ::= r0\n";
  std::string doubling = "root ::= r0\n";
  for (int i = 0; i < 60'000; ++i) {
    chain += "r" + std::to_string(i) + " ::= r" + std::to_string(i + 1) + "\n";
  }
  for (int i = 0; i < 40; ++i) {
    const std::string next = "r" + std::to_string(i + 1);
    doubling +=
        "r" + std::to_string(i) + " ::= " + next + " \"a\" | " + next + " \"b\" | \"c\" r0\n";
  }
  const std::vector<std::string> grammars = {
      "root ::= " + times("(", 60'000) + "\"a\"" + times(")", 60'000),
      "root ::= " + times("(", 60'000),
      chain,
      doubling + "r40 ::= r0 \"x\" | \"y\"",
      "root ::= " + times("(", 150) + "\"a\"" + times("{9}){9}", 75) + times(")", 75),
      "root ::= " + times("(", 100) + "\"ab\"" + times("{3})", 100),
      "root ::= ((\"a\"|\"b\")* \"a\" (\"a\"|\"b\"){30}){1,1000}",
      "root ::= \"" + std::string(200'000, 'x') + "\"",
  };
  for (const std::string& grammar : grammars) {
    const auto start = std::chrono::steady_clock::now();
    const auto automaton = compile_ebnf(grammar);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    EXPECT_LT(seconds.count(), 10) << grammar.substr(0, 60);
    if (!automaton) EXPECT_FALSE(automaton.error().message.empty());
  }
}

TEST(Ebnf, NestsToALimitAndStaysAbleToEnd) {
  const auto automaton = compile_ebnf(R"g(root ::= "[" root? "]")g");
  ASSERT_TRUE(automaton);
  EXPECT_EQ(match_text(*automaton, times("[", 900) + times("]", 900)), TextMatch::kWhole);
  EXPECT_EQ(match_text(*automaton, times("[", 3000)), TextMatch::kRefused);
  Stacks stacks(*automaton);
  Position from = stacks.begin();
  Position to;
  std::size_t depth = 0;
  for (;; ++depth) {
    stacks.advance(from, '[', to);
    if (to.refused()) break;
    std::swap(from, to);
  }
  EXPECT_GT(depth, 900U);
  for (std::size_t i = 0; i < depth; ++i) {
    stacks.advance(from, ']', to);
    ASSERT_FALSE(to.refused());
    std::swap(from, to);
  }
  EXPECT_TRUE(from.at_bottom);
}

TEST(Ebnf, RecursionAtTheEndTakesNoStack) {
  const auto automaton = compile_ebnf("root ::= word (\" \" root)?\nword ::= [a-z]{1,2000}");
  ASSERT_TRUE(automaton);
  EXPECT_EQ(match_text(*automaton, times("ab ", 5000) + "c"), TextMatch::kWhole);
}

}  // namespace
}  // namespace jarip
