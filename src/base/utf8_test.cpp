#include "base/utf8.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>

namespace jarip {
namespace {

using namespace std::string_view_literals;

// One code point at a time, straight from the definition: the slow truth for the fast functions.
std::string replace_by_units(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Utf8Unit unit = decode_utf8(text);
    out.append(unit.kind == Utf8Kind::kCharacter ? text.substr(0, unit.length) : kReplacementUtf8);
    text.remove_prefix(unit.length);
  }
  return out;
}

// Bytes that are likely to form and to break characters.
std::string random_bytes(std::mt19937& random, std::size_t n) {
  constexpr std::string_view kInteresting =
      "aZ \n\x7F\x80\x8F\x90\x9F\xA0\xBF\xC0\xC1\xC2\xDF\xE0\xED\xEE\xEF\xF0\xF3\xF4\xF5\xFF";
  std::string bytes;
  while (bytes.size() < n) {
    if (random() % 4 == 0) {
      append_utf8(bytes, random() % 2 == 0 ? 0xAC00 + random() % 11172 : 0x1F300 + random() % 512);
    } else {
      bytes += kInteresting[random() % kInteresting.size()];
    }
  }
  return bytes;
}

TEST(Utf8, EveryCodePointComesBackFromItsBytes) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string bytes;
    append_utf8(bytes, c);
    const Utf8Unit unit = decode_utf8(bytes);
    ASSERT_EQ(unit.kind, Utf8Kind::kCharacter) << std::hex << static_cast<unsigned>(c);
    ASSERT_EQ(unit.length, bytes.size());
    ASSERT_EQ(unit.code_point, c);
  }
}

TEST(Utf8, SurrogatesOverlongFormsAndValuesTooLargeAreInvalid) {
  for (const std::string_view bytes :
       {"\xED\xA0\x80"sv, "\xED\xBF\xBF"sv, "\xC0\x80"sv, "\xC1\xBF"sv, "\xE0\x9F\xBF"sv,
        "\xF0\x8F\xBF\xBF"sv, "\xF4\x90\x80\x80"sv, "\xF5\x80\x80\x80"sv, "\x80"sv}) {
    EXPECT_EQ(decode_utf8(bytes).kind, Utf8Kind::kInvalid);
    EXPECT_FALSE(is_valid_utf8(bytes));
  }
}

TEST(Utf8, ReplacesEachMaximalSubpartOnceAsPythonDoes) {
  struct Case {
    std::string_view bytes;
    std::string_view text;  // bytes.decode(errors="replace")
  };
  constexpr Case kCases[] = {
      {"", ""},
      {"plain", "plain"},
      {"a\xFFz", "a\uFFFDz"},
      {"\xF0\x9F\x98", "\uFFFD"},
      {"\xF0\x9F\x98z", "\uFFFDz"},
      {"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},
      {"\xE0\x80", "\uFFFD\uFFFD"},
      {"\xF0\x80\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
      {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", "\uFFFD\uFFFD\uFFFD\uFFFDA"},
      {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDA\uFFFD\uFFFDB"},
      {"\xEA\xB0\x80\xEA\xB0", "\uAC00\uFFFD"},
  };
  for (const Case& c : kCases) EXPECT_EQ(replace_invalid(c.bytes), c.text) << c.text;
}

TEST(Utf8, CountsCharacters) {
  EXPECT_EQ(count_characters(""), 0U);
  EXPECT_EQ(count_characters("a한😀\0"sv), 4U);
}

TEST(Utf8, NulIsACharacterLikeAnyOther) {
  EXPECT_EQ(replace_invalid("a\0b"sv), "a\0b"sv);
  EXPECT_TRUE(is_valid_utf8("\0"sv));
}

TEST(Utf8, FastPathsAgreeWithTheDefinitionOnRandomBytes) {
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    const std::string bytes = random_bytes(random, random() % 40);
    const std::string repaired = replace_invalid(bytes);
    ASSERT_EQ(repaired, replace_by_units(bytes));
    ASSERT_TRUE(is_valid_utf8(repaired));
    ASSERT_EQ(is_valid_utf8(bytes), repaired == bytes);
    ASSERT_TRUE(is_valid_utf8(std::string_view(bytes).substr(0, valid_utf8_prefix(bytes))));
  }
}

TEST(Utf8, WholePrefixLeavesOutOnlyAnIncompleteCharacter) {
  EXPECT_EQ(whole_utf8_prefix(""), 0U);
  EXPECT_EQ(whole_utf8_prefix("ab"), 2U);
  EXPECT_EQ(whole_utf8_prefix("\uAC00"), 3U);
  EXPECT_EQ(whole_utf8_prefix("a\xEA\xB0"), 1U);
  EXPECT_EQ(whole_utf8_prefix("a\xF0\x9F\x98"), 1U);
  EXPECT_EQ(whole_utf8_prefix("\xF0\x9F\x98\x80"), 4U);
  EXPECT_EQ(whole_utf8_prefix("a\xFF"), 2U);     // never becomes a character
  EXPECT_EQ(whole_utf8_prefix("\xED\xA0"), 2U);  // a surrogate's half neither
  EXPECT_EQ(whole_utf8_prefix("\x80\x80\x80"), 3U);
  EXPECT_EQ(whole_utf8_prefix("\xFFx\xC3"), 2U);
}

TEST(Utf8Stream, HoldsACharacterBackUntilItIsWhole) {
  Utf8Stream stream;
  stream.feed("a\xF0\x9F");
  EXPECT_EQ(stream.take(), "a");
  EXPECT_EQ(stream.n_pending(), 2U);
  stream.feed("\x98");
  EXPECT_EQ(stream.take(), "");
  stream.feed("\x80!");
  EXPECT_EQ(stream.take(), "\U0001F600!");
  EXPECT_EQ(stream.finish(), "");
}

TEST(Utf8Stream, GivesUpAnIncompleteCharacterOnlyWhenRefutedOrFinished) {
  Utf8Stream stream;
  stream.feed("\xEA\xB0");
  EXPECT_EQ(stream.take(), "");
  stream.feed("\xEA\xB0\x80");
  EXPECT_EQ(stream.take(), "\uFFFD\uAC00");
  stream.feed("\xF0\x9F\x98");
  EXPECT_EQ(stream.finish(), "\uFFFD");
  stream.feed("again");
  EXPECT_EQ(stream.finish(), "again");
}

TEST(Utf8Stream, AnyCutGivesTheSameTextAndEveryPartIsWhole) {
  std::mt19937 random(2);
  for (int i = 0; i < 20'000; ++i) {
    const std::string bytes = random_bytes(random, random() % 40);
    Utf8Stream stream;
    std::string text;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t n = random() % 5;
      stream.feed(std::string_view(bytes).substr(at, n));
      at += n;
      const std::string part = stream.take();
      ASSERT_TRUE(is_valid_utf8(part));
      text += part;
      ASSERT_LE(stream.n_pending(), 3U);
      if (at < bytes.size()) {
        const std::string_view fed = std::string_view(bytes).substr(0, at);
        ASSERT_EQ(text, replace_invalid(fed.substr(0, whole_utf8_prefix(fed))));
      }
    }
    text += stream.finish();
    ASSERT_EQ(text, replace_invalid(bytes));
  }
}

}  // namespace
}  // namespace jarip
