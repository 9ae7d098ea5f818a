#include "model/byte_alphabet.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/tiny_vocabulary.h"

namespace jarip {
namespace {

TEST(ByteAlphabet, ReadsEveryByteAsPublished) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string bytes(1, static_cast<char>(byte));
    std::string out;
    ASSERT_TRUE(append_alphabet_bytes(out, alphabet_text(bytes)));
    EXPECT_EQ(out, bytes);
  }
}

TEST(ByteAlphabet, WritesEveryByteAsPublished) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string bytes(1, static_cast<char>(byte));
    std::string out = "x";
    append_in_alphabet(out, bytes);
    EXPECT_EQ(out, "x" + alphabet_text(bytes));
  }
}

TEST(ByteAlphabet, KnowsTheWellKnownLetters) {
  std::string out;
  ASSERT_TRUE(append_alphabet_bytes(out, "ĠtheĊĉ"));
  EXPECT_EQ(out, " the\n\t");
}

TEST(ByteAlphabet, RefusesWhatIsNotOfTheAlphabetAndLeavesTheOutputAsItWas) {
  for (const char* text : {"a b", "a\n", "a\u00AD", "a\u0144", "가", "a\xFF", "a\xC4"}) {
    std::string out = "before";
    EXPECT_FALSE(append_alphabet_bytes(out, text)) << text;
    EXPECT_EQ(out, "before");
  }
}

}  // namespace
}  // namespace jarip
