// The kinds of tokenizers that are not byte-level BPE, through the Tokenizer that has them.
#include "model/text_encoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "model/charsmap.h"
#include "model/tokenizer.h"
#include "model/vocabulary.h"
#include "tests/support/tiny_pieces.h"

namespace jarip {
namespace {

using Ids = std::vector<TokenId>;

Tokenizer make(const Vocabulary& vocabulary) {
  auto tokenizer = Tokenizer::from_vocabulary(vocabulary);
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return *std::move(tokenizer);
}

std::string where_refused(const Vocabulary& vocabulary) {
  const auto tokenizer = Tokenizer::from_vocabulary(vocabulary);
  return tokenizer ? "accepted" : tokenizer.error().where;
}

TokenId byte_token(unsigned char byte) { return 3U + byte; }

TEST(Spm, MergesTheHighestScoreFirstAndOfEqualsTheLeftmost) {
  TinyPieces tiny("llama");
  tiny->add_space_prefix = false;
  const TokenId a = tiny.add("a", -9);
  const TokenId b = tiny.add("b", -9);
  const TokenId ab = tiny.add("ab", -2);
  const TokenId ba = tiny.add("ba", -1);
  const TokenId aa = tiny.add("aa", -3);
  const Tokenizer tokenizer = make(*tiny);
  EXPECT_EQ(tokenizer.encode("ab"), (Ids{ab}));
  EXPECT_EQ(tokenizer.encode("aba"), (Ids{a, ba}));
  EXPECT_EQ(tokenizer.encode("aaa"), (Ids{aa, a}));
  EXPECT_EQ(tokenizer.encode("bb"), (Ids{b, b}));
}

TEST(Spm, SpellsInBytesWhatIsNoToken) {
  TinyPieces tiny("llama");
  tiny->add_space_prefix = false;
  const Tokenizer tokenizer = make(*tiny);
  EXPECT_EQ(tokenizer.encode("é\xFF"), (Ids{byte_token(0xC3), byte_token(0xA9), byte_token(0xFF)}));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("é\xFF")), "é\xFF");
  EXPECT_TRUE(tokenizer.encodes_exactly("é\xFF"));
}

TEST(Spm, ASpaceComesBeforeEveryTextAndGoesAgain) {
  TinyPieces tiny("llama");
  const TokenId hi = tiny.add(" hi", -1);
  tiny.add(" ", -9);
  tiny.add("h", -9);
  tiny.add("i", -9);
  tiny.add("hi", -2);
  const TokenId end = tiny.add("<end>", 0, TokenType::kControl);
  const Tokenizer tokenizer = make(*tiny);
  EXPECT_EQ(tokenizer.encode("hi"), (Ids{hi}));
  EXPECT_EQ(tokenizer.encode("hi<end>hi", SpecialTokens::kParse), (Ids{hi, end, hi}));
  EXPECT_EQ(tokenizer.decode(Ids{hi, end, hi}, true), "hi<end>hi");
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("hi hi")), "hi hi");
  EXPECT_EQ(tokenizer.encode(""), Ids{});
  EXPECT_EQ(tokenizer.token_bytes(hi), " hi");
  EXPECT_TRUE(tokenizer.add_bos());
}

TEST(Spm, TheMarkItselfIsASpace) {
  TinyPieces tiny("llama");
  tiny->add_space_prefix = false;
  const TokenId space = tiny.add(" ", -9);
  const Tokenizer tokenizer = make(*tiny);
  EXPECT_EQ(tokenizer.encode("\u2581"), (Ids{space}));
  EXPECT_FALSE(tokenizer.encodes_exactly("\u2581"));
}

TEST(Spm, WhatIsUnknownIsOneTokenWhereThereAreNoBytes) {
  TinyPieces tiny("llama", /*with_bytes=*/false);
  tiny->add_space_prefix = false;
  const TokenId a = tiny.add("a", -1);
  const Tokenizer tokenizer = make(*tiny);
  EXPECT_EQ(tokenizer.encode("axyza"), (Ids{a, *tiny->unknown, a}));
  EXPECT_FALSE(tokenizer.encodes_exactly("ax"));
  EXPECT_TRUE(tokenizer.encodes_exactly("aa"));
  tiny->unknown.reset();
  EXPECT_EQ(where_refused(*tiny), "key tokenizer.ggml.tokens");
}

// Words are encoded one by one and long ones with a heap; neither shows.
TEST(Spm, CutsAndHeapsGiveTheTokensOfThePlainRule) {
  std::mt19937 random(3);
  TinyPieces tiny("llama");
  tiny->add_space_prefix = false;
  std::vector<std::string> words = {"a", "b", "가", " "};
  for (const std::string& word : words) tiny.add(word, -100);
  for (int i = 0; i < 60; ++i) {
    std::string word = words[random() % words.size()] + words[random() % words.size()];
    if (word.size() > 12 || std::ranges::find(words, word) != words.end()) continue;
    tiny.add(word, -static_cast<float>(random() % 20));
    words.push_back(word);
  }
  const Tokenizer tokenizer = make(*tiny);
  const auto plain = [&](std::vector<std::string> parts) {
    for (;;) {
      std::size_t best = parts.size();
      float best_score = -1e9F;
      for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        const auto id = tokenizer.find_token(parts[i] + parts[i + 1]);
        if (!id || tiny->scores[*id] <= best_score) continue;
        best_score = tiny->scores[*id];
        best = i;
      }
      if (best == parts.size()) break;
      parts[best] += parts[best + 1];
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }
    Ids ids;
    for (const std::string& part : parts) ids.push_back(*tokenizer.find_token(part));
    return ids;
  };
  for (int round = 0; round < 500; ++round) {
    std::vector<std::string> parts(random() % 90);
    std::string text;
    for (std::string& part : parts) text += part = words[random() % 4];
    ASSERT_EQ(tokenizer.encode(text), plain(parts)) << text;
  }
}

TEST(Spm, AMegabyteOfAnyOneKindTakesNoLongerThanAnother) {
  TinyPieces tiny("llama");
  tiny.add("a", -9);
  tiny.add("aa", -1);
  tiny.add("aaaa", -2);
  tiny.add(" ", -9);
  tiny.add("  ", -9);
  const Tokenizer tokenizer = make(*tiny);
  for (const char* unit : {"a", " ", "\n", "가", "\x80", "\xF0"}) {
    std::string text;
    while (text.size() < 1'000'000) text += unit;
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  }
}

TEST(Spm, RefusesScoresThatAreMissingOrNoNumbers) {
  TinyPieces tiny("llama");
  tiny->scores.back() = std::nanf("");
  EXPECT_EQ(where_refused(*tiny), "key tokenizer.ggml.scores");
  tiny->scores.pop_back();
  EXPECT_EQ(where_refused(*tiny), "key tokenizer.ggml.scores");
  TinyPieces forged("llama");
  forged.add("<0x4G>", 0, TokenType::kByte);
  EXPECT_EQ(where_refused(*forged), "key tokenizer.ggml.tokens");
  TinyPieces twice("llama");
  twice.add("<0x41>", 0, TokenType::kByte);
  EXPECT_EQ(where_refused(*twice), "key tokenizer.ggml.tokens");
}

TEST(Spm, AUserCannotTypeAControlToken) {
  TinyPieces tiny("llama");
  const TokenId turn = tiny.add("<start_of_turn>", 0, TokenType::kUserDefined);
  const TokenId spaces = tiny.add("   ", 0, TokenType::kUserDefined);
  const Tokenizer tokenizer = make(*tiny);
  for (const TokenId id : tokenizer.encode("<s></s><unk><0x41><start_of_turn>")) {
    EXPECT_FALSE(tokenizer.is_control(id));
  }
  EXPECT_EQ(tokenizer.encode("<start_of_turn>   ", SpecialTokens::kParse), (Ids{turn, spaces}));
}

TEST(Tokenizer, SplitsATemplatesTextAtItsControlTokens) {
  TinyPieces tiny("llama");
  const TokenId end = tiny.add("<end>", 0, TokenType::kControl);
  const Tokenizer tokenizer = make(*tiny);
  const auto parts = tokenizer.split_control("a<end><end> b");
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(parts[0].text, "a");
  EXPECT_EQ(parts[0].control, end);
  EXPECT_EQ(parts[1].text, "");
  EXPECT_EQ(parts[2].text, " b");
  EXPECT_FALSE(parts[2].control);
}

class WordPieceTest : public testing::Test {
 protected:
  WordPieceTest() : tiny_("bert", /*with_bytes=*/false) {
    tiny_->bos.reset();
    tiny_->eos.reset();
    cls_ = tiny_.add("[CLS]", 0, TokenType::kControl);
    sep_ = tiny_.add("[SEP]", 0, TokenType::kControl);
    for (const char* text :
         {" un", "able", " able", " ,", " e", " 中", " 文", " \u1112", "\u1161"}) {
      tiny_.add(text);
    }
  }
  std::vector<std::string> pieces(std::string_view text) {
    const Tokenizer tokenizer = make(*tiny_);
    std::vector<std::string> out;
    for (const TokenId id : tokenizer.encode(text)) out.emplace_back(tokenizer.token_bytes(id));
    return out;
  }
  using Pieces = std::vector<std::string>;
  TinyPieces tiny_;
  TokenId cls_ = 0;
  TokenId sep_ = 0;
};

TEST_F(WordPieceTest, TakesTheLongestTokensOfEachWord) {
  EXPECT_EQ(pieces("unable able,\nun"), (Pieces{" un", "able", " able", " ,", " un"}));
  EXPECT_EQ(pieces("unables able"), (Pieces{"<unk>", " able"}));
  EXPECT_EQ(pieces(std::string(101, 'e') + " e"), (Pieces{"<unk>", " e"}));
}

TEST_F(WordPieceTest, NormalisesAsTheFlagsSay) {
  EXPECT_EQ(pieces("UNABLE \u00C9 e\u0301 u\x07n\u200B"),
            (Pieces{" un", "able", " e", " e", " un"}));
  EXPECT_EQ(pieces("中文"), (Pieces{" 中", " 文"}));
  EXPECT_EQ(pieces("\uD558"), (Pieces{" \u1112", "\u1161"}));  // a syllable of two letters
  tiny_->lowercase = false;
  EXPECT_EQ(pieces("UN un \u00E9"), (Pieces{"<unk>", " un", "<unk>"}));
  tiny_->strip_accents = true;
  EXPECT_EQ(pieces("\u00E9"), (Pieces{" e"}));
}

TEST_F(WordPieceTest, TextsStandBetweenTheTokensOfTheirNames) {
  const Tokenizer tokenizer = make(*tiny_);
  EXPECT_EQ(tokenizer.bos(), cls_);
  EXPECT_TRUE(tokenizer.add_bos());
  EXPECT_EQ(tokenizer.closing(), sep_);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("unable able")), "unable able");
  EXPECT_TRUE(tokenizer.encodes_exactly("unable able"));
  EXPECT_FALSE(tokenizer.encodes_exactly("Unable"));
}

TEST(Unigram, TakesTheCutOfTheGreatestSum) {
  TinyPieces tiny("t5", /*with_bytes=*/false);
  const TokenId space = tiny.add(" ", -3);
  const TokenId a = tiny.add("a", -2);
  tiny.add("ab", -5);
  const TokenId b = tiny.add("b", -2);
  const TokenId aab = tiny.add(" aab", -6);
  const Tokenizer tokenizer = make(*tiny);
  EXPECT_EQ(tokenizer.encode("ab"), (Ids{space, a, b}));
  EXPECT_EQ(tokenizer.encode("aab"), (Ids{aab}));
  EXPECT_EQ(tokenizer.encode("  a  a "), (Ids{space, a, space, a}));
  EXPECT_EQ(tokenizer.encode("xya"), (Ids{space, *tiny->unknown, a}));
  EXPECT_EQ(tokenizer.encode(" \n").size(), 2U);
  EXPECT_EQ(tokenizer.encode("   "), Ids{});
  EXPECT_EQ(tokenizer.closing(), tiny->eos);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("ab a")), "ab a");
}

TEST(Unigram, RefusesWhatCannotBeAdded) {
  TinyPieces tiny("t5");
  tiny->scores.back() = INFINITY;
  EXPECT_EQ(where_refused(*tiny), "key tokenizer.ggml.scores");
  TinyPieces unknown("t5");
  unknown->unknown.reset();
  EXPECT_EQ(where_refused(*unknown), "key tokenizer.ggml.unknown_token_id");
  TinyPieces twice("t5");
  twice.add("a");
  twice.add("a");
  EXPECT_EQ(where_refused(*twice), "key tokenizer.ggml.tokens");
}

std::vector<std::byte> charsmap_bytes(const std::vector<std::uint32_t>& units,
                                      std::string_view replacements) {
  const auto n_bytes = static_cast<std::uint32_t>(units.size() * 4);
  std::vector<std::byte> bytes(4 + n_bytes + replacements.size());
  std::memcpy(bytes.data(), &n_bytes, 4);
  if (n_bytes > 0) std::memcpy(bytes.data() + 4, units.data(), n_bytes);
  if (!replacements.empty()) {
    std::memcpy(bytes.data() + 4 + n_bytes, replacements.data(), replacements.size());
  }
  return bytes;
}

TEST(Charsmap, FindsWhatItsTrieHolds) {
  // The root's offset is 0x80; 'A' stands at 0x80 ^ 'A' with offset 1 and the value there.
  std::vector<std::uint32_t> units(256);
  units[0] = 0x80U << 10U;
  units[0x80U ^ 'A'] = (1U << 10U) | 0x100U | 'A';
  units[0x80U ^ 'A' ^ 1U] = 0x80000000U | 2U;
  const auto bytes = charsmap_bytes(units, std::string_view("x\0aa\0", 5));
  const auto map = Charsmap::parse(bytes);
  ASSERT_TRUE(map) << map.error().message;
  const auto match = map->longest_prefix("AB");
  ASSERT_TRUE(match);
  EXPECT_EQ(match->length, 1U);
  EXPECT_EQ(match->replacement, "aa");
  EXPECT_FALSE(map->longest_prefix("B"));
  EXPECT_FALSE(map->longest_prefix(""));
}

TEST(Charsmap, RefusesLengthsThatDoNotFit) {
  const std::vector<std::uint32_t> units(4);
  EXPECT_FALSE(Charsmap::parse(charsmap_bytes({}, "x")));
  EXPECT_FALSE(Charsmap::parse(charsmap_bytes(units, "no end")));
  EXPECT_FALSE(Charsmap::parse(charsmap_bytes(units, std::string(300, 'x') + '\0')));
  auto bytes = charsmap_bytes(units, std::string_view("\0", 1));
  EXPECT_TRUE(Charsmap::parse(bytes));
  bytes[1] = std::byte{1};
  EXPECT_FALSE(Charsmap::parse(bytes));
  EXPECT_FALSE(Charsmap::parse(std::span(bytes).first(3)));
}

}  // namespace
}  // namespace jarip
