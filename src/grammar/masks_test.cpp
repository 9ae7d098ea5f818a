#include "grammar/masks.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "grammar/matcher.h"

namespace jarip {
namespace {

// Walks through each grammar. A walk is slow under sanitizers: each step copies a matcher a token.
constexpr unsigned kSeeds = JARIP_SLOW_BUILD ? 3 : 12;

// All bytes, pieces of UTF-8, and random texts over the letters that the grammars below use.
std::vector<std::string> make_tokens(unsigned seed, std::size_t n) {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  for (const char* piece :
       {"\xed\x95", "\x9c\"", "한", "글\"", "\xf0\x9f\x98", "\"}", "\", \"", "\":"}) {
    tokens.emplace_back(piece);
  }
  std::mt19937 random(seed);
  const std::string letters = "ab01x()[]{}\",: .\n\\u";
  while (tokens.size() < n) {
    std::string token;
    const std::size_t length = 1 + random() % 9;
    for (std::size_t i = 0; i < length; ++i) token += letters[random() % letters.size()];
    tokens.push_back(std::move(token));
  }
  tokens.push_back(tokens.back());  // two tokens of one text
  return tokens;
}

std::shared_ptr<const TokenTrie> make_trie(const std::vector<std::string>& tokens,
                                           std::uint32_t n_control) {
  std::vector<GrammarToken> list;
  for (std::uint32_t id = 0; id < tokens.size(); ++id) list.push_back({id, tokens[id]});
  return std::make_shared<TokenTrie>(static_cast<std::uint32_t>(tokens.size()) + n_control, list);
}

const char* const kGrammars[] = {
    R"g(root ::= "a"* "b" | [01]+ "x")g",
    R"g(root ::= "(" root ")" | "[" root "]" | "x"? )g",
    R"g(root ::= value
       value ::= string | object | array | number
       string ::= "\"" ([^"\\\x00-\x1f] | "\\" ["\\u])* "\""
       object ::= "{" ws (string ":" ws value ("," ws string ":" ws value)*)? ws "}"
       array ::= "[" ws (value ("," ws value)*)? ws "]"
       number ::= "0" | "1" [01]* ("." [01]+)?
       ws ::= | " " | "\n" " "{0,20})g",
    R"g(root ::= [ab]{3,30} ":" ([01x] | "한" | "글"){2,40} ".")g",
    R"g(root ::= (item ","){2,9} item  item ::= "(" [ab]{1,400} ")" | "[" item "]")g",
    R"g(root ::= root "," t | t  t ::= [01]+ | "(" root ")" | "{" t "}")g",
    R"g(root ::= s  s ::= s s | "a" | "(" s ")" | s "b")g",
    R"g(root ::= "a" root "a" | "b" root "b" | "x")g",
    // Every byte ends a rule, so that all that is left of a token depends on what lies below.
    R"g(root ::= (c)* "."  c ::= "a" d? | "b" c "x" | "0" | "1"  d ::= "(" c ")" )g",
};

// The mask allows a token exactly when all its bytes can be taken.
TEST(Masks, AllowExactlyTheTokensThatCanBeTaken) {
  const std::vector<std::string> tokens = make_tokens(7, 1500);
  const auto n_tokens = static_cast<std::uint32_t>(tokens.size());
  const auto trie = make_trie(tokens, 2);
  const std::vector<std::uint32_t> end_tokens = {n_tokens + 1};
  for (const char* text : kGrammars) {
    auto automaton = compile_source({GrammarKind::kEbnf, text});
    ASSERT_TRUE(automaton) << automaton.error().message;
    const auto grammar = std::make_shared<const Grammar>(*std::move(automaton), trie);
    for (unsigned seed = 0; seed < kSeeds; ++seed) {
      std::mt19937 random(seed);
      Matcher matcher(grammar, end_tokens);
      for (int step = 0; step < 40 && !matcher.must_end(); ++step) {
        const auto mask = matcher.mask();
        ASSERT_TRUE(mask) << text << mask.error().message;
        std::vector<std::uint32_t> allowed;
        for (std::uint32_t id = 0; id < n_tokens + 2; ++id) {
          const bool is_allowed = ((*mask)[id / 64] >> (id % 64) & 1U) != 0;
          Matcher tried = matcher;
          ASSERT_EQ(is_allowed, tried.take(id))
              << text << " step " << step << " token " << (id < n_tokens ? tokens[id] : "control");
          if (is_allowed && id < n_tokens) allowed.push_back(id);
        }
        EXPECT_EQ(((*mask)[(n_tokens + 1) / 64] >> ((n_tokens + 1) % 64) & 1U) != 0,
                  matcher.may_end());
        if (allowed.empty()) break;
        ASSERT_TRUE(matcher.take(allowed[random() % allowed.size()]));
      }
    }
  }
}

TEST(Masks, TheOrderOfRequestsChangesNothing) {
  const std::vector<std::string> tokens = make_tokens(3, 800);
  const auto trie = make_trie(tokens, 0);
  const auto make = [&] {
    return std::make_shared<const Grammar>(*compile_source({GrammarKind::kEbnf, kGrammars[2]}),
                                           trie);
  };
  const auto warm = make();
  for (unsigned seed = 0; seed < 20; ++seed) {
    Matcher on_warm(warm, {});
    Matcher on_cold(make(), {});
    std::mt19937 random(seed);
    for (int step = 0; step < 30 && !on_warm.must_end(); ++step) {
      const auto a = on_warm.mask();
      const auto b = on_cold.mask();
      ASSERT_TRUE(a && b);
      ASSERT_TRUE(std::ranges::equal(*a, *b));
      std::vector<std::uint32_t> allowed;
      for (std::uint32_t id = 0; id < tokens.size(); ++id) {
        if (((*a)[id / 64] >> (id % 64) & 1U) != 0) allowed.push_back(id);
      }
      const std::uint32_t token = allowed[random() % allowed.size()];
      ASSERT_TRUE(on_warm.take(token) && on_cold.take(token));
    }
  }
}

TEST(Masks, NearTheDeepestStackTheyStillSayWhatCanBeTaken) {
  const std::vector<std::string> tokens = {"[", "]", "[[", "[[[[[[[[", "]]", "[]", "][", "[[[]"};
  const auto trie = make_trie(tokens, 0);
  const auto grammar = std::make_shared<const Grammar>(
      *compile_source({GrammarKind::kEbnf, R"g(root ::= "[" root* "]")g"}), trie);
  Matcher matcher(grammar, {});
  std::mt19937 random(1);
  for (int step = 0; step < 4000 && !matcher.must_end(); ++step) {
    const auto mask = matcher.mask();
    ASSERT_TRUE(mask);
    std::vector<std::uint32_t> allowed;
    for (std::uint32_t id = 0; id < tokens.size(); ++id) {
      Matcher tried = matcher;
      const bool can = tried.take(id);
      ASSERT_EQ(((*mask)[0] >> id & 1U) != 0, can) << step << tokens[id];
      if (can) allowed.push_back(id);
    }
    ASSERT_FALSE(allowed.empty());
    const bool opens = step < 1500;
    ASSERT_TRUE(
        matcher.take(opens && allowed.front() == 0 ? 0 : allowed[random() % allowed.size()]));
  }
}

// Exponentially many readings: an error, or a smaller language, in bounded time.
TEST(Masks, AmbiguityWithoutBoundEndsInAnAnswer) {
  const auto trie = make_trie({"a", "aaaa", "x", "y", "xx"}, 0);
  const auto grammar = std::make_shared<const Grammar>(
      *compile_source({GrammarKind::kEbnf,
                       "root ::= \"a\" root x | \"a\" root y | \"a\" root (x y x) | \"a\"\n"
                       "x ::= \"x\" [a]{0,3000}\ny ::= \"x\" [a]{0,4000} \"y\""}),
      trie);
  Matcher matcher(grammar, {});
  for (int step = 0; step < 60; ++step) {
    const auto mask = matcher.mask();
    if (!mask || ((*mask)[0] & 1U) == 0) break;
    ASSERT_TRUE(matcher.take(0));
  }
}

TEST(Masks, AVocabularyThatCantWriteItIsAnError) {
  const auto trie = make_trie({"b", "c"}, 0);
  const auto grammar = std::make_shared<const Grammar>(
      *compile_source({GrammarKind::kEbnf, "root ::= \"a\""}), trie);
  Matcher matcher(grammar, {});
  const auto mask = matcher.mask();
  ASSERT_FALSE(mask);
  EXPECT_EQ(mask.error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace jarip
