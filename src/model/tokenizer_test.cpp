#include "model/tokenizer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "model/gguf_writer.h"
#include "model/vocabulary.h"
#include "tests/support/tiny_vocabulary.h"

namespace jarip {
namespace {

using namespace std::string_view_literals;
using Ids = std::vector<TokenId>;

std::string error_of(const Vocabulary& vocabulary, ErrorCode code) {
  const auto tokenizer = Tokenizer::from_vocabulary(vocabulary);
  if (tokenizer) return "accepted";
  EXPECT_EQ(tokenizer.error().code, code);
  EXPECT_FALSE(tokenizer.error().where.empty());
  return tokenizer.error().message;
}

std::string random_bytes(std::mt19937& random) {
  std::string bytes(random() % 60, ' ');
  for (char& c : bytes)
    c = static_cast<char>(random() % 4 == 0 ? random() : "ab <|end|>"[random() % 10]);
  return bytes;
}

TEST(Tokenizer, AnyBytesComeBack) {
  std::mt19937 random(6);
  for (const char* pre : {"gpt-2", "llama-bpe", "qwen2", "smollm"}) {
    TinyVocabulary tiny(pre);
    tiny.merge("a", "b");
    tiny.merge(" ", "ab");
    tiny.merge("\xEA", "\xB0");
    tiny.add_token("<|end|>", TokenType::kControl);
    const auto tokenizer = Tokenizer::from_vocabulary(*tiny);
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    for (int round = 0; round < 3000; ++round) {
      const std::string text = random_bytes(random);
      ASSERT_TRUE(tokenizer->encodes_exactly(text));
      ASSERT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
      ASSERT_EQ(tokenizer->decode(tokenizer->encode(text, SpecialTokens::kParse), true), text);
    }
    EXPECT_EQ(tokenizer->decode(tokenizer->encode("\0\xFF\xED\xA0\x80\0"sv)),
              "\0\xFF\xED\xA0\x80\0"sv);
    EXPECT_EQ(tokenizer->encode(""), Ids{});
  }
}

TEST(Tokenizer, AUserCannotTypeAControlToken) {
  TinyVocabulary tiny;
  const TokenId end = tiny.add_token("<|end|>", TokenType::kControl);
  const TokenId turn = tiny.add_token("<|turn|>", TokenType::kUserDefined);  // only looks like one
  const TokenId stop = tiny.add_token("STOP", TokenType::kUserDefined);
  const TokenId normal_eos = tiny.add_token("EOS", TokenType::kNormal);
  tiny->eot = stop;
  tiny->eos = normal_eos;
  const auto tokenizer = Tokenizer::from_vocabulary(*tiny);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const std::string typed = "<|end|><|turn|>STOPEOS";
  for (const TokenId id : tokenizer->encode(typed)) {
    EXPECT_FALSE(tokenizer->is_control(id));
    EXPECT_LT(id, 256U);
  }
  EXPECT_EQ(tokenizer->encode(typed, SpecialTokens::kParse), (Ids{end, turn, stop, normal_eos}));
}

TEST(Tokenizer, ControlTokensAreLeftOutOfAnswersUnlessAskedFor) {
  TinyVocabulary tiny;
  const TokenId end = tiny.add_token("<|end|>", TokenType::kControl);
  const TokenId unused = tiny.add_token("spare", TokenType::kUnused);
  const auto tokenizer = Tokenizer::from_vocabulary(*tiny);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->decode(Ids{'h', end, 'i', unused}), "hi");
  EXPECT_EQ(tokenizer->decode(Ids{'h', end, 'i'}, true), "h<|end|>i");
  EXPECT_EQ(tokenizer->token_bytes(end), "<|end|>");
}

TEST(Tokenizer, UserDefinedTokensMatchInAnyTextLongestFirst) {
  TinyVocabulary tiny;
  const TokenId call = tiny.add_token("<call>", TokenType::kUserDefined);
  const TokenId call_twice = tiny.add_token("<call><call>", TokenType::kUserDefined);
  const auto tokenizer = Tokenizer::from_vocabulary(*tiny);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->encode("x<call>y<call><call>"), (Ids{'x', call, 'y', call_twice}));
  EXPECT_EQ(tokenizer->decode(Ids{call}), "<call>");
  EXPECT_FALSE(tokenizer->is_control(call));
}

TEST(Tokenizer, RowsWithoutATokenAreNeverMadeFromText) {
  TinyVocabulary tiny;
  tiny.add_token("[PAD256]", TokenType::kUserDefined);
  tiny.add_token("spare", TokenType::kUnused);
  tiny.add_token("", TokenType::kNormal);
  const auto tokenizer = Tokenizer::from_vocabulary(*tiny);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  for (const TokenId id : tokenizer->encode("[PAD256]spare", SpecialTokens::kParse)) {
    EXPECT_LT(id, 256U);
  }
  EXPECT_EQ(tokenizer->decode(Ids{256, 257, 258}), "");
}

TEST(Tokenizer, ACharacterThatNeedsAMissingByteBecomesTheReplacementCharacter) {
  TinyVocabulary tiny("gpt-2", "\x04\xF1\xFF");
  const auto tokenizer = Tokenizer::from_vocabulary(*tiny);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const auto round_trip = [&](std::string_view text) {
    return tokenizer->decode(tokenizer->encode(text));
  };
  EXPECT_EQ(round_trip("a\x04z"), "a\uFFFDz");
  EXPECT_EQ(round_trip("a\U00040000z"), "a\uFFFDz");
  EXPECT_EQ(round_trip("\xFF\xFE"), "\uFFFD\xFE");
  EXPECT_FALSE(tokenizer->encodes_exactly("a\x04z"));
  EXPECT_TRUE(tokenizer->encodes_exactly("az\xFE"));
}

TEST(Tokenizer, TokensOutsideTheAlphabetStandForTheirOwnBytes) {
  TinyVocabulary tiny;
  const TokenId id = tiny.add_token("한 글", TokenType::kNormal);
  const auto tokenizer = Tokenizer::from_vocabulary(*tiny);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->token_bytes(id), "한 글");
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("한 글")), "한 글");
  EXPECT_EQ(tokenizer->encode("한 글").size(), 7U);
}

TEST(Tokenizer, TokensAreFoundByTheirBytes) {
  TinyVocabulary tiny;
  const TokenId merged = tiny.merge(" ", "a");
  const TokenId control = tiny.add_token("<|end|>", TokenType::kControl);
  const auto tokenizer = Tokenizer::from_vocabulary(*tiny);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->find_token(" a"), merged);
  EXPECT_EQ(tokenizer->find_token("<|end|>"), control);
  EXPECT_FALSE(tokenizer->find_token("Ġa"));
  EXPECT_EQ(tokenizer->n_vocab(), 258U);
  EXPECT_EQ(tokenizer->token_bytes(258), "");
  EXPECT_FALSE(tokenizer->is_control(258));
}

TEST(Tokenizer, EndTokensAreThoseNamedByTheFileAndByConvention) {
  TinyVocabulary tiny;
  const TokenId text_end = tiny.add_token("<|endoftext|>", TokenType::kControl);
  const TokenId turn_end = tiny.add_token("<|im_end|>", TokenType::kControl);
  const TokenId own_end = tiny.add_token("<bye>", TokenType::kControl);
  const TokenId own_eom = tiny.add_token("<wait>", TokenType::kControl);
  tiny.add_token("<|im_start|>", TokenType::kControl);
  tiny.add_token("<|eot_id|>", TokenType::kNormal);  // ordinary text that looks like one
  tiny->eos = turn_end;
  tiny->eot = own_end;
  tiny->eom = own_eom;
  const auto tokenizer = Tokenizer::from_vocabulary(*tiny);
  ASSERT_TRUE(tokenizer);
  const auto ends = tokenizer->end_tokens();
  EXPECT_EQ(Ids(ends.begin(), ends.end()), (Ids{turn_end, own_end, own_eom, text_end}));
  EXPECT_EQ(tokenizer->eos(), turn_end);
}

TEST(Tokenizer, AMessagesEndIsNoAnswersEndInTheHarmonyFormat) {
  TinyVocabulary tiny;
  tiny.add_token("<|channel|>", TokenType::kControl);
  tiny->eot = tiny.add_token("<|end|>", TokenType::kControl);
  const TokenId call = tiny.add_token("<|call|>", TokenType::kControl);
  const TokenId whole = tiny.add_token("<|return|>", TokenType::kControl);
  const auto tokenizer = Tokenizer::from_vocabulary(*tiny);
  ASSERT_TRUE(tokenizer);
  const auto ends = tokenizer->end_tokens();
  EXPECT_EQ(Ids(ends.begin(), ends.end()), (Ids{whole, call}));
}

TEST(Tokenizer, BosIsAddedAsTheFileSaysOrElseAsTheFamilyDoes) {
  for (const bool is_llama : {false, true}) {
    TinyVocabulary tiny(is_llama ? "llama-bpe" : "gpt-2");
    tiny->bos = tiny.add_token("<|begin|>", TokenType::kControl);
    EXPECT_EQ(Tokenizer::from_vocabulary(*tiny)->add_bos(), is_llama);
    tiny->add_bos = false;
    EXPECT_FALSE(Tokenizer::from_vocabulary(*tiny)->add_bos());
    tiny->add_bos = true;
    EXPECT_TRUE(Tokenizer::from_vocabulary(*tiny)->add_bos());
    EXPECT_EQ(Tokenizer::from_vocabulary(*tiny)->bos(), 256U);
  }
}

TEST(Tokenizer, RefusesWhatItCannotDoExactlyByName) {
  TinyVocabulary tiny;
  tiny->model = "rwkv";
  EXPECT_NE(error_of(*tiny, ErrorCode::kUnsupported).find("\"rwkv\""), std::string::npos);
  tiny->model = "gpt2";
  tiny->pre = "poro";
  EXPECT_NE(error_of(*tiny, ErrorCode::kUnsupported).find("\"poro\""), std::string::npos);
  tiny->pre = "gpt-2";
  tiny->add_space_prefix = true;
  EXPECT_NE(error_of(*tiny, ErrorCode::kUnsupported).find("space"), std::string::npos);
}

TEST(Tokenizer, RefusesAVocabularyThatContradictsItself) {
  TinyVocabulary past_end;
  past_end->eos = 256;
  EXPECT_NE(error_of(*past_end, ErrorCode::kCorrupt).find("eos_token_id is 256"),
            std::string::npos);

  TinyVocabulary types;
  types->types.pop_back();
  EXPECT_NE(error_of(*types, ErrorCode::kCorrupt).find("255 types for 256 tokens"),
            std::string::npos);

  TinyVocabulary empty;
  empty->tokens.clear();
  EXPECT_NE(error_of(*empty, ErrorCode::kCorrupt).find("0 tokens"), std::string::npos);

  TinyVocabulary no_bos;
  no_bos->add_bos = true;
  EXPECT_NE(error_of(*no_bos, ErrorCode::kCorrupt).find("BOS"), std::string::npos);

  TinyVocabulary too_long;
  too_long.add_token(std::string(100'000, 'x'), TokenType::kNormal);
  EXPECT_NE(error_of(*too_long, ErrorCode::kCorrupt).find("token 256"), std::string::npos);

  TinyVocabulary no_replacement("gpt-2", "\x01\xBF");
  EXPECT_NE(error_of(*no_replacement, ErrorCode::kCorrupt).find("U+FFFD"), std::string::npos);

  // A merge must not make a control token out of what a user types.
  TinyVocabulary forged;
  forged.merge("<", "e");
  forged->types.back() = TokenType::kControl;
  EXPECT_NE(error_of(*forged, ErrorCode::kCorrupt).find("merge 0 "), std::string::npos);
}

GgufWriter tiny_file() {
  TinyVocabulary tiny;
  GgufWriter writer;
  writer.add_string("tokenizer.ggml.model", "gpt2");
  writer.add_string("tokenizer.ggml.pre", "gpt-2");
  writer.add_strings("tokenizer.ggml.tokens", tiny->tokens);
  return writer;
}

std::string file_error(const GgufWriter& writer) {
  const std::vector<std::byte> bytes = writer.finish();
  const auto file = GgufFile::parse(bytes);
  EXPECT_TRUE(file);
  const auto tokenizer = Tokenizer::from_gguf(*file);
  return tokenizer ? "accepted" : tokenizer.error().where;
}

TEST(Tokenizer, ReadsAFileWithOnlyWhatIsNeeded) {
  const std::vector<std::byte> bytes = tiny_file().finish();
  const auto file = GgufFile::parse(bytes);
  ASSERT_TRUE(file);
  const auto tokenizer = Tokenizer::from_gguf(*file);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ(tokenizer->encode("hi"), (Ids{'h', 'i'}));
  EXPECT_FALSE(tokenizer->bos());
  EXPECT_FALSE(tokenizer->eos());
  EXPECT_TRUE(tokenizer->end_tokens().empty());
}

TEST(Tokenizer, NamesTheKeyOfAFileThatIsWrong) {
  EXPECT_EQ(file_error(GgufWriter()), "key tokenizer.ggml.model");
  EXPECT_EQ(file_error(GgufWriter()
                           .add_string("tokenizer.ggml.model", "gpt2")
                           .add_string("tokenizer.ggml.pre", "gpt-2")),
            "key tokenizer.ggml.tokens");
  const std::string key = "tokenizer.ggml.token_type";
  EXPECT_EQ(file_error(tiny_file().add_ints(key, std::vector<std::int32_t>(256, 0))), "key " + key);
  EXPECT_EQ(file_error(tiny_file().add_ints(key, std::vector<std::int32_t>(256, 7))), "key " + key);
  EXPECT_EQ(file_error(tiny_file().add_ints(key, {1})), "key " + key);
  EXPECT_EQ(file_error(tiny_file().add_u64("tokenizer.ggml.eos_token_id", 1ULL << 32U)),
            "key tokenizer.ggml.eos_token_id");
  EXPECT_EQ(file_error(tiny_file().add_u32("tokenizer.ggml.merges", 1)),
            "key tokenizer.ggml.merges");
  EXPECT_EQ(file_error(tiny_file().add_string("tokenizer.ggml.add_bos_token", "yes")),
            "key tokenizer.ggml.add_bos_token");
}

class DefaultModelTokenizer : public testing::Test {
 protected:
  void SetUp() override {
    const char* path = std::getenv("JARIP_TEST_MODEL");
    if (path == nullptr) GTEST_SKIP() << "JARIP_TEST_MODEL does not name a model file";
    auto file = GgufFile::open(path);
    ASSERT_TRUE(file) << file.error().message;
    auto tokenizer = Tokenizer::from_gguf(*file);
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    tokenizer_.emplace(*std::move(tokenizer));  // it needs the file no more
  }
  std::optional<Tokenizer> tokenizer_;
};

TEST_F(DefaultModelTokenizer, GivesTheIdsOfTheReference) {
  EXPECT_EQ(tokenizer_->encode("The capital of France is"), (Ids{504, 3575, 282, 4649, 314}));
}

TEST_F(DefaultModelTokenizer, ParsesItsChatTokensOnlyWhenAskedTo) {
  EXPECT_EQ(tokenizer_->encode("<|im_start|>user\n", SpecialTokens::kParse).front(), 1U);
  for (const TokenId id : tokenizer_->encode("<|im_start|><|im_end|><|endoftext|>")) {
    EXPECT_FALSE(tokenizer_->is_control(id));
  }
}

TEST_F(DefaultModelTokenizer, EndsAnAnswerAtItsTurnAndTextEnds) {
  const auto ends = tokenizer_->end_tokens();
  EXPECT_EQ(Ids(ends.begin(), ends.end()), (Ids{2, 0}));
  EXPECT_FALSE(tokenizer_->add_bos());
}

}  // namespace
}  // namespace jarip
