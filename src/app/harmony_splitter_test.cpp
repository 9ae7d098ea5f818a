#include "app/harmony_splitter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "app/answer_splitter.h"
#include "base/utf8.h"

namespace jarip {
namespace {

// 'text', {reasoning}, name(arguments); pieces of one kind joined.
std::string split_in_pieces(std::string_view text, std::size_t n_bytes, bool is_constrained) {
  AnswerSplitter splitter({.reasoning = {},
                           .begins_in_reasoning = false,
                           .shape = nullptr,
                           .functions = {{"f"}, {"g"}},
                           .is_constrained = is_constrained,
                           .is_harmony = true});
  std::vector<AnswerPart> parts;
  Utf8Stream characters;
  for (std::size_t i = 0; i < text.size(); i += n_bytes) {
    characters.feed(text.substr(i, n_bytes));
    for (AnswerPart& part : splitter.push(characters.take())) parts.push_back(std::move(part));
  }
  for (AnswerPart& part : splitter.finish()) parts.push_back(std::move(part));
  std::string out;
  const auto add = [&](char open, char close, std::string_view piece) {
    if (out.ends_with(close)) {
      out.pop_back();
    } else {
      out += open;
    }
    out += piece;
    out += close;
  };
  for (const AnswerPart& part : parts) {
    if (const auto* content = std::get_if<ContentPart>(&part)) {
      add('\'', '\'', content->text);
    } else if (const auto* thought = std::get_if<ReasoningPart>(&part)) {
      add('{', '}', thought->text);
    } else {
      const auto& call = std::get<CallPart>(part);
      if (call.name.empty()) {
        out.pop_back();
      } else {
        out += call.name + "(";
      }
      out += call.arguments + ")";
    }
  }
  return out;
}

// However the text is cut, the outcome is the same.
std::string split(std::string_view text) {
  std::string whole = split_in_pieces(text, std::max<std::size_t>(text.size(), 1), false);
  for (const std::size_t n_bytes : {1, 2, 3, 7}) {
    EXPECT_EQ(split_in_pieces(text, n_bytes, false), whole) << "in pieces of " << n_bytes;
  }
  return whole;
}

TEST(HarmonySplitter, ChannelsSayWhatIsReasoningAndWhatIsSaid) {
  EXPECT_EQ(
      split("<|channel|>analysis<|message|>Hm, 서울 < 5.<|end|><|start|>assistant<|channel|>final"
            "<|message|>Good."),
      "{Hm, 서울 < 5.}'Good.'");
  EXPECT_EQ(split("<|channel|>final<|message|>Good <|e"), "'Good <|e'");
  EXPECT_EQ(split("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>analysis"
                  "<|message|>b<|end|>"),
            "{a\n\nb}");
  EXPECT_EQ(split("<|channel|>commentary<|message|>I look.<|end|><|start|>assistant<|channel|>final"
                  "<|message|>Done.<|return|>"),
            "'I look.\n\nDone.'");
}

TEST(HarmonySplitter, ARecipientMakesACall) {
  EXPECT_EQ(split("<|channel|>analysis<|message|>Hm<|end|><|start|>assistant<|channel|>commentary "
                  "to=functions.f <|constrain|>json<|message|>{\"a\": [1, \"<|\"]}"),
            R"({Hm}f({"a": [1, "<|"]}))");
  EXPECT_EQ(split(" to=functions.g<|channel|>commentary json<|message|> {} <|call|>"), "g({})");
  EXPECT_EQ(
      split("<|channel|>commentary to=functions.f<|message|>{\"a\":1}<|end|><|start|>assistant"
            "<|channel|>commentary to=functions.g<|message|>{}<|call|>"),
      R"(f({"a":1})g({}))");
}

TEST(HarmonySplitter, WhatIsNoCallComesBackAsTheTextItWas) {
  for (const std::string_view text : {
           "<|channel|>commentary to=functions.nobody<|message|>{}",
           "<|channel|>commentary to=functions.f<|message|>{\"a\": 1",
           "<|channel|>commentary to=functions.f<|message|>{\"a\": 1,} 한",
           "<|channel|>commentary to=functions.f<|message|>{} {}",
           "<|channel|>commentary to=functions.f<|message|>[1]",
           "<|channel|>commentary to=functions.f<|message|>",
       }) {
    EXPECT_EQ(split(text), "'" + std::string(text) + "'");
  }
}

TEST(HarmonySplitter, TextWithoutAHeaderIsSaid) {
  EXPECT_EQ(split("Good."), "'Good.'");
  EXPECT_EQ(split("to you"), "'to you'");
  EXPECT_EQ(split("t"), "'t'");
  EXPECT_EQ(split(" <|other|>x"), "' <|other|>x'");
  EXPECT_EQ(split("<|channel|>" + std::string(400, 'x')),
            "'<|channel|>" + std::string(400, 'x') + "'");
}

TEST(HarmonySplitter, ACutHeaderIsNothing) {
  EXPECT_EQ(split("<|channel|>fin"), "");
  EXPECT_EQ(split("<|channel|>final<|message|>a<|end|><|start|>assis"), "'a'");
  EXPECT_EQ(split(""), "");
}

TEST(HarmonySplitter, PiecesOfAConstrainedCallComeAsTheyAreWritten) {
  const std::string_view call =
      "<|channel|>commentary to=functions.f <|constrain|>json<|message|>"
      "{\"text\": \"a long one\"}";
  EXPECT_EQ(split_in_pieces(call, 1, true), R"(f({"text": "a long one"}))");
  EXPECT_EQ(split_in_pieces(call.substr(0, call.size() - 6), 3, true), R"(f({"text": "a long))");
}

}  // namespace
}  // namespace jarip
