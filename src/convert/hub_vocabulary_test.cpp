#include "convert/hub_vocabulary.h"

#include <gtest/gtest.h>

#include <bit>

namespace jarip {
namespace {

// A protobuf message, written by hand.
class Message {
 public:
  Message& number(unsigned field, std::uint64_t value) {
    return varint(std::uint64_t{field} << 3U).varint(value);
  }
  Message& real(unsigned field, float value) {
    varint(std::uint64_t{field} << 3U | 5U);
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (unsigned i = 0; i < 4; ++i) bytes_ += static_cast<char>(bits >> (8 * i) & 0xFFU);
    return *this;
  }
  Message& text(unsigned field, std::string_view value) {
    varint(std::uint64_t{field} << 3U | 2U).varint(value.size());
    bytes_ += value;
    return *this;
  }
  Message& varint(std::uint64_t value) {
    for (; value >= 0x80U; value >>= 7U) bytes_ += static_cast<char>((value & 0x7FU) | 0x80U);
    bytes_ += static_cast<char>(value);
    return *this;
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

std::string piece(std::string_view text, float score, unsigned type) {
  return Message().text(1, text).real(2, score).number(3, type).bytes();
}

Result<HubVocabulary> read(const std::string& bytes) {
  return read_sentencepiece(std::as_bytes(std::span(bytes)));
}

std::string settings(unsigned model_type, bool joins_spaces, std::string_view charsmap = "") {
  Message normalizer;
  if (!charsmap.empty()) normalizer.text(2, charsmap);
  normalizer.number(3, 1).number(4, joins_spaces ? 1 : 0);
  return Message()
      .text(2, Message().number(3, model_type).bytes())
      .text(3, normalizer.bytes())
      .bytes();
}

TEST(SentencePieceFile, HoldsPiecesAndHowTextIsRead) {
  const std::string pieces =
      Message().text(1, piece("<unk>", 0, 2)).text(1, piece("\u2581a", -1.5F, 1)).bytes();
  const auto bpe = read(pieces + settings(2, false));
  ASSERT_TRUE(bpe) << bpe.error().message;
  EXPECT_EQ(bpe->model, "llama");
  EXPECT_EQ(bpe->tokens, (std::vector<std::string>{"<unk>", "\u2581a"}));
  EXPECT_EQ(bpe->types, (std::vector{TokenType::kUnknown, TokenType::kNormal}));
  EXPECT_EQ(bpe->scores[1], -1.5F);
  EXPECT_EQ(bpe->unknown, 0);
  EXPECT_EQ(bpe->add_space_prefix, true);
  const auto unigram = read(pieces + settings(1, true, "map"));
  ASSERT_TRUE(unigram) << unigram.error().message;
  EXPECT_EQ(unigram->model, "t5");
  EXPECT_EQ(unigram->charsmap.size(), 3);
}

TEST(SentencePieceFile, IsRefusedWhereItCanNotBeHonoured) {
  const std::string pieces = Message().text(1, piece("a", 0, 1)).bytes();
  struct Case {
    std::string bytes;
    std::string_view told;
  };
  const Case cases[] = {
      {"", "no tokens"},
      {pieces + settings(3, false), "type 3"},
      {pieces + settings(2, true), "joins spaces"},
      {pieces + settings(2, false, "map"), "changes characters"},
      {Message().text(1, piece("a", 0, 9)).bytes(), "type 9"},
      {Message().text(1, piece("\xFF", 0, 1)).bytes(), "UTF-8"},
      {pieces.substr(0, pieces.size() - 1), "bytes where"},
      {std::string(11, '\xFF'), "too many bytes"},
      {"\x0B", "kind 3"},
      {std::string("\0\0", 2), "without a number"},
  };
  for (const Case& one : cases) {
    const auto vocabulary = read(one.bytes);
    ASSERT_FALSE(vocabulary) << one.told;
    EXPECT_TRUE(vocabulary.error().message.contains(one.told)) << vocabulary.error().message;
  }
}

TEST(WordPiece, MarksWhereWordsBegin) {
  const auto read = read_wordpiece("[CLS]\r\n[UNK]\nthe\n##ing\n##\n[unused1]\n", true);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->tokens, (std::vector<std::string>{"[CLS]", "[UNK]", "\u2581the", "ing",
                                                    "\u2581##", "[unused1]"}));
  EXPECT_EQ(read->types[5], TokenType::kUnused);
  EXPECT_EQ(read->unknown, 1);
  EXPECT_FALSE(read_wordpiece("\xFF\n", true));
}

}  // namespace
}  // namespace jarip
