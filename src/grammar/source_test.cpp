#include "grammar/source.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "grammar/grammar.h"
#include "grammar/match_text.h"
#include "grammar/matcher.h"

namespace jarip {
namespace {

struct Case {
  GrammarSource source;
  std::vector<std::string> whole;
  std::vector<std::string> others;
};

void check(const Case& one) {
  const auto automaton = compile_source(one.source);
  ASSERT_TRUE(automaton) << automaton.error().message;
  for (const std::string& text : one.whole) {
    EXPECT_EQ(match_text(*automaton, text), TextMatch::kWhole) << text;
  }
  for (const std::string& text : one.others) {
    EXPECT_NE(match_text(*automaton, text), TextMatch::kWhole) << text;
  }
}

TEST(Source, TextsSchemasAndGrammarsAreComposed) {
  const GrammarSource call =
      in_sequence({exact_text("{\"name\": \"add\", \"arguments\": "),
                   json_schema(R"({"properties": {"a": {"type": "integer"}}, "required": ["a"]})"),
                   exact_text("}")});
  check({call, {R"({"name": "add", "arguments": {"a": 3}})"}, {R"({"a": 3})", "{}", ""}});
  check({one_of({exact_text("yes."), {GrammarKind::kRegex, "n(o|ever)"}}),
         {"yes.", "no", "never"},
         {"yes", "yes.no", "n"}});
  check({repeated({GrammarKind::kEbnf, "root ::= [a-c] tail\ntail ::= \";\" | \"(\" root \")\""}, 2,
                  3),
         {"a;b;", "a(b;)c;a;"},
         {"a;", "a;b;c;a;", ""}});
  check({repeated(exact_text("ab"), 0, kUnbounded), {"", "ab", "ababab"}, {"aba"}});
  check({in_sequence({}), {""}, {"a"}});
}

TEST(Source, TextIsFreeUntilTheFirstOfTheWords) {
  const GrammarSource until = text_until({exact_text("<call>"), exact_text("END")});
  check({until,
         {"<call>", "some text <call>", "<<call>", "<cal<call>", "aENEND",
          "한\xff\x01"
          "END"},
         {"", "<call", "<call><call>", "<call>END", "a <call> b"}});
  // A body behind the first word: what is in front can't hold back another one.
  check({in_sequence({text_until({exact_text("aa")}), exact_text("ab")}),
         {"aaab", "baaab", "abaaab"},
         {"aaaab", "ab", "aaaaab"}});
  check({text_without({exact_text("<call>"), exact_text("END")}),
         {"", "<call", "<cal l>", "EN", "any \xfe text"},
         {"<call>", "xENDx"}});
  check({text_without({}), {"", "all", "\xff\xff"}, {}});
}

// As an answer that may call functions, or not.
GrammarSource tools() {
  const GrammarSource call = in_sequence({text_until({exact_text("<call>")}),
                                          json_schema(R"({"type": "object", "properties": {"n":
                                            {"const": 1}}, "required": ["n"]})"),
                                          exact_text("</call>")});
  return in_sequence({repeated(call, 0, kUnbounded), text_without({exact_text("<call>")})});
}

TEST(Source, BehindATriggerTheAnswerIsHeldToIt) {
  check({tools(),
         {"", "no call", "now: <call>{\"n\": 1}</call>",
          "<call>{\"n\":1}</call> and "
          "<call>{\"n\":1}</call>done"},
         {"<call>", "<call>no", "x <call>{\"n\": 2}</call>", "<call>{\"n\":1} </call>"}});
}

TEST(Source, ControlTokensAreWords) {
  const std::vector<std::string> texts = {"a", "b", "{", "}", "\xff"};
  std::vector<GrammarToken> tokens;
  for (std::uint32_t id = 0; id < texts.size(); ++id) tokens.push_back({id, texts[id]});
  const std::vector<std::uint32_t> control = {5, 6, 7};  // 7 ends answers
  const auto trie = std::make_shared<const TokenTrie>(8, tokens, control);
  const auto grammar = std::make_shared<const Grammar>(
      *compile_source(in_sequence({text_until({control_token(6)}), exact_text("{}")})), trie);
  Matcher matcher(grammar, std::vector<std::uint32_t>{7});
  const auto allowed = [&] {
    const auto mask = matcher.mask();
    return mask ? (*mask)[0] : 0;
  };
  EXPECT_EQ(allowed(), 0b0110'1111U);  // all that isn't the end, and no marks as text
  EXPECT_TRUE(matcher.take(0));
  EXPECT_TRUE(matcher.take(5));
  EXPECT_FALSE(matcher.take(4));
  EXPECT_EQ(allowed(), 0b0110'1111U);
  EXPECT_TRUE(matcher.take(6));
  EXPECT_EQ(allowed(), 0b0000'0100U);
  EXPECT_TRUE(matcher.take(2));
  EXPECT_TRUE(matcher.take(3));
  EXPECT_TRUE(matcher.must_end());

  // What a person writes can't ask for them.
  const auto any =
      std::make_shared<const Grammar>(*compile_source({GrammarKind::kRegex, "[^]*"}), trie);
  EXPECT_EQ((*Matcher(any, std::vector<std::uint32_t>{7}).mask())[0], 0b1000'1111U);
}

TEST(Source, WhatIsTooLargeOrBrokenIsRefused) {
  GrammarSource deep = exact_text("a");
  for (unsigned i = 0; i <= kMaxGrammarNesting; ++i) deep = in_sequence({deep});
  const std::vector<GrammarSource> refused = {
      deep,
      one_of({}),
      exact_text("\xff"),
      in_sequence({exact_text("a"), {GrammarKind::kRegex, "("}}),
      in_sequence({exact_text(std::string(kMaxGrammarBytes, 'a')), exact_text("b")}),
      text_until({exact_text(std::string(kMaxDfaStates, 'a'))}),
      text_until({}),
      repeated(exact_text("a"), 3, 2),
  };
  for (const GrammarSource& source : refused) {
    const auto automaton = compile_source(source);
    ASSERT_FALSE(automaton);
    EXPECT_FALSE(automaton.error().message.empty());
  }
}

}  // namespace
}  // namespace jarip
