#include "app/answer_decoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace jarip {
namespace {

TokenDetail detail_of(std::string_view bytes) {
  return {.chosen = {.token = 0, .bytes = std::string(bytes), .logprob = 0}, .alternatives = {}};
}

struct Decoded {
  std::string text;
  std::string detail_bytes;
  std::size_t n_details = 0;
  bool stopped = false;

  void add(const TextDelta& delta) {
    EXPECT_TRUE(is_valid_utf8(delta.text));
    text += delta.text;
    n_details += delta.details.size();
    for (const TokenDetail& detail : delta.details) detail_bytes += detail.chosen.bytes;
  }
};

Decoded decode(const std::vector<std::string>& tokens, const std::vector<std::string>& stops) {
  AnswerDecoder decoder(stops);
  Decoded result;
  for (const std::string& token : tokens) {
    result.add(decoder.push(token, detail_of(token)));
    if (decoder.stopped()) break;
  }
  result.add(decoder.finish());
  result.stopped = decoder.stopped();
  return result;
}

// What the definition says, computed the slow way: the first byte that completes a stop string
// ends the text where the longest stop string completed there begins.
std::string cut_at_stop(const std::string& text, const std::vector<std::string>& stops) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::size_t longest = 0;
    for (const std::string& stop : stops) {
      if (std::string_view(text).substr(0, end).ends_with(stop)) {
        longest = std::max(longest, stop.size());
      }
    }
    if (longest != 0) return text.substr(0, end - longest);
  }
  return text;
}

TEST(AnswerDecoderTest, HoldsBackExactlyWhatMayBecomeAStopString) {
  const std::vector<std::string> stops = {"END", "\n\n"};
  AnswerDecoder decoder(stops);
  EXPECT_EQ(decoder.push("one E", {}).text, "one ");
  EXPECT_EQ(decoder.push("N", {}).text, "");
  EXPECT_EQ(decoder.push("TER\n", {}).text, "ENTER");
  EXPECT_EQ(decoder.push("x", {}).text, "\nx");
  EXPECT_EQ(decoder.push("yEN", {}).text, "y");
  EXPECT_EQ(decoder.push("D and more", {}).text, "");
  EXPECT_TRUE(decoder.stopped());
  EXPECT_EQ(decoder.push("nothing", {}).text, "");
  EXPECT_EQ(decoder.finish().text, "");
}

TEST(AnswerDecoderTest, TellsWhichStopStringItMet) {
  const std::vector<std::string> stops = {"no", "END"};
  AnswerDecoder decoder(stops);
  EXPECT_FALSE(decoder.stop());
  static_cast<void>(decoder.push("the EN", {}));
  EXPECT_FALSE(decoder.stop());
  static_cast<void>(decoder.push("D", {}));
  EXPECT_EQ(decoder.stop(), "END");
}

// However the text comes in pieces.
std::string cut_at_indent(const std::string& text, std::uint32_t min_indent, std::size_t piece) {
  AnswerDecoder decoder({}, min_indent);
  std::string shown;
  for (std::size_t at = 0; at < text.size() && !decoder.stopped(); at += piece) {
    shown += decoder.push(text.substr(at, piece), {}).text;
  }
  shown += decoder.finish().text;
  EXPECT_FALSE(decoder.stop());
  return shown;
}

TEST(AnswerDecoderTest, EndsBeforeALineThatIsIndentedTooLittle) {
  for (const std::size_t piece : {1U, 2U, 5U, 100U}) {
    EXPECT_EQ(cut_at_indent("a\n  b\n \tc\n d\n", 2, piece), "a\n  b\n \tc");
    EXPECT_EQ(cut_at_indent("a\n  b\n\n  c", 2, piece), "a\n  b");
    EXPECT_EQ(cut_at_indent("a\n  b\n ", 2, piece), "a\n  b\n ");  // may still become a line
    EXPECT_EQ(cut_at_indent("a\nb\n", 0, piece), "a\nb\n");
  }
}

TEST(AnswerDecoderTest, TheEndReleasesWhatWasHeld) {
  const std::vector<std::string> stops = {"END"};
  AnswerDecoder decoder(stops);
  EXPECT_EQ(decoder.push("the EN", {}).text, "the ");
  EXPECT_EQ(decoder.finish().text, "EN");
  EXPECT_FALSE(decoder.stopped());
}

TEST(AnswerDecoderTest, TheFirstStopStringToBeCompletedWins) {
  EXPECT_EQ(decode({"xabcy"}, {"abc", "b"}).text, "xa");
  EXPECT_EQ(decode({"xabcy"}, {"bc", "abc"}).text, "x");
  EXPECT_EQ(decode({"aab"}, {"ab"}).text, "a");
  EXPECT_EQ(decode({"aaab", "aac"}, {"aabaac"}).text, "a");
}

TEST(AnswerDecoderTest, CharactersAreNeverSplit) {
  const std::vector<std::string> stops = {"글!"};
  AnswerDecoder decoder(stops);
  EXPECT_EQ(decoder.push("\xED\x95", {}).text, "");
  EXPECT_EQ(decoder.push("\x9C\xEA\xB8", {}).text, "한");
  EXPECT_EQ(decoder.push("\x80", {}).text, "");
  EXPECT_EQ(decoder.push("?", {}).text, "글?");
  EXPECT_EQ(decoder.push("\xED", {}).text, "");
  EXPECT_EQ(decoder.finish().text, "\xEF\xBF\xBD");
}

TEST(AnswerDecoderTest, DetailsComeWithTheTextOfTheirTokens) {
  const std::vector<std::string> stops = {"END"};
  AnswerDecoder decoder(stops);
  EXPECT_EQ(decoder.push("a", detail_of("a")).details.size(), 1U);
  EXPECT_EQ(decoder.push("bE", detail_of("bE")).details.size(), 0U);
  EXPECT_EQ(decoder.push("\xED\x95", detail_of("\xED\x95")).details.size(), 0U);
  const TextDelta delta = decoder.push("\x9C", detail_of("\x9C"));
  EXPECT_EQ(delta.text, "E한");
  EXPECT_EQ(delta.details.size(), 3U);
}

TEST(AnswerDecoderTest, DetailsEndWhereTheTextEnds) {
  const Decoded cut = decode({"ab", "cEN", "D", "more"}, {"END"});
  EXPECT_EQ(cut.text, "abc");
  EXPECT_EQ(cut.detail_bytes, "abc");
  EXPECT_EQ(cut.n_details, 2U);
  const Decoded inside = decode({"\xED\x95", "\x9CXE", "ND"}, {"XEND"});
  EXPECT_EQ(inside.text, "한");
  EXPECT_EQ(inside.detail_bytes, "한");
}

TEST(AnswerDecoderTest, AControlTokenHasADetailAndNoText) {
  const std::vector<std::string> stops = {"END"};
  AnswerDecoder decoder(stops);
  EXPECT_EQ(decoder.push("aE", detail_of("aE")).text, "a");
  EXPECT_EQ(decoder.push("", detail_of("<|control|>")).details.size(), 0U);
  const TextDelta delta = decoder.push("x", detail_of("x"));
  EXPECT_EQ(delta.text, "Ex");
  ASSERT_EQ(delta.details.size(), 3U);
  EXPECT_EQ(delta.details[1].chosen.bytes, "<|control|>");
}

// Characters of every length over a small alphabet, so that stop strings overlap and repeat.
class RandomText {
 public:
  explicit RandomText(std::uint64_t seed) : random_(seed) {}
  std::size_t below(std::size_t n) { return random_() % n; }
  std::string text(std::size_t n_characters) {
    static const std::string kAlphabet[] = {"a", "b", "ab", "é", "è", "글", "귿", "🙂", "🙃"};
    std::string result;
    for (std::size_t i = 0; i < n_characters; ++i) {
      result += kAlphabet[below(std::size(kAlphabet))];
    }
    return result;
  }
  std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> tokens;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t n = below(6);  // a token may be empty
      tokens.push_back(text.substr(at, n));
      at += n;
    }
    return tokens;
  }

 private:
  std::mt19937_64 random_;
};

TEST(AnswerDecoderTest, HoweverTheTextIsCutTheAnswerIsTheSame) {
  RandomText random(20260113);
  std::size_t n_stopped = 0;
  for (int round = 0; round < 5000; ++round) {
    const std::string text = random.text(random.below(40));
    std::vector<std::string> stops;
    for (std::size_t n = random.below(5); n > 0; --n) stops.push_back(random.text(1 + n));
    const std::string expected = cut_at_stop(text, stops);
    for (int cut = 0; cut < 4; ++cut) {
      const Decoded decoded = decode(random.split(text), stops);
      ASSERT_EQ(decoded.text, expected) << text;
      ASSERT_EQ(decoded.detail_bytes, expected) << text;
      ASSERT_EQ(decoded.stopped, expected.size() < text.size()) << text;
      n_stopped += decoded.stopped ? 1 : 0;
    }
  }
  EXPECT_GT(n_stopped, 2000U);  // the rounds did meet stop strings
}

TEST(AnswerDecoderTest, InvalidBytesBecomeTheSameTextHoweverTheyAreCut) {
  RandomText random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = random.text(1 + random.below(20));
    for (int n = 0; n < 3; ++n) bytes[random.below(bytes.size())] = static_cast<char>(0x80 + n);
    const std::vector<std::string> stops = {"\xEF\xBF\xBD\xEF\xBF\xBD", "글a"};
    const std::string expected = cut_at_stop(replace_invalid(bytes), stops);
    ASSERT_EQ(decode(random.split(bytes), stops).text, expected);
  }
}

}  // namespace
}  // namespace jarip
