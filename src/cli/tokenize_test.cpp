#include "cli/tokenize.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "model/gguf_writer.h"
#include "tests/support/tiny_vocabulary.h"

namespace jarip {
namespace {

using Ids = std::vector<TokenId>;

class Tokenize : public testing::Test {
 protected:
  Tokenize() {
    tiny_.merge("h", "i");
    bos_ = tiny_.add_token("<|begin|>", TokenType::kControl);
    tiny_->bos = bos_;
  }
  Tokenizer make() {
    auto tokenizer = Tokenizer::from_vocabulary(*tiny_);
    EXPECT_TRUE(tokenizer);
    return *std::move(tokenizer);
  }
  TinyVocabulary tiny_{"llama-bpe"};  // a family that puts BOS before text
  TokenId bos_ = 0;
};

TEST_F(Tokenize, NeitherAddsNorParsesControlTokensUnlessAskedTo) {
  const Tokenizer tokenizer = make();
  EXPECT_EQ(tokens_of(tokenizer, "hi", false), (Ids{256}));
  EXPECT_EQ(tokens_of(tokenizer, "hi", true), (Ids{bos_, 256}));
  for (const TokenId id : tokens_of(tokenizer, "<|begin|>hi", false)) EXPECT_NE(id, bos_);
}

TEST_F(Tokenize, DoesNotDoubleTheBosThatTheTextNames) {
  const Tokenizer tokenizer = make();
  EXPECT_EQ(tokens_of(tokenizer, "<|begin|>hi", true), (Ids{bos_, 256}));
  EXPECT_EQ(tokens_of(tokenizer, "", true), (Ids{bos_}));
}

TEST_F(Tokenize, AddsNoBosWhereTheFileSaysNotTo) {
  tiny_->add_bos = false;
  EXPECT_EQ(tokens_of(make(), "hi", true), (Ids{256}));
}

TEST_F(Tokenize, JsonIsOneListOfIds) {
  EXPECT_EQ(tokens_as_json(Ids{1, 22, 333}), "[1,22,333]\n");
  EXPECT_EQ(tokens_as_json({}), "[]\n");
}

TEST_F(Tokenize, TextIsALineForEachTokenWithItsBytesInQuotes) {
  EXPECT_EQ(tokens_as_text(make(), Ids{256, '\n', bos_}),
            "256  \"hi\"\n 10  \"\\n\"\n257  \"<|begin|>\"\n");
  EXPECT_EQ(tokens_as_text(make(), {}), "");
}

TEST_F(Tokenize, QuotesWhatATerminalCannotShow) {
  EXPECT_EQ(quote_bytes(" a\t한\r"), "\" a\\t한\\r\"");
  EXPECT_EQ(quote_bytes("\"\\"), "\"\\\"\\\\\"");
  EXPECT_EQ(quote_bytes("\xEA\xB0"), "\"\\xEA\\xB0\"");
  EXPECT_EQ(quote_bytes("a\xFFz"), "\"a\\xFFz\"");
  EXPECT_EQ(quote_bytes("\x1B[0m\u009B\u202E\u200D\u3000"),
            "\"\\u{1B}[0m\\u{9B}\\u{202E}\\u{200D}\\u{3000}\"");
}

TEST_F(Tokenize, WritesTheAnswerToStandardOutput) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("tokenize_test_" + std::to_string(getpid()) + ".gguf");
  GgufWriter writer;
  writer.add_string("tokenizer.ggml.model", "gpt2");
  writer.add_string("tokenizer.ggml.pre", "gpt-2");
  writer.add_strings("tokenizer.ggml.tokens", tiny_->tokens);
  ASSERT_TRUE(writer.write_to(path));
  testing::internal::CaptureStdout();
  const auto done = run_tokenize({.model = path.native(), .text = "AB", .json = true});
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "[65,66]\n");
  EXPECT_TRUE(done);
  std::filesystem::remove(path);
}

TEST_F(Tokenize, AModelThatIsNotThereIsAnError) {
  const auto done = run_tokenize({.model = "/nowhere/model.gguf", .text = "x"});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace jarip
