#include "app/answer_splitter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"

namespace jarip {
namespace {

CallShape object_shape(std::string_view marker, std::string_view end_marker, bool in_list = false,
                       std::string_view arguments_key = "arguments") {
  CallShape shape;
  shape.marker = marker;
  shape.object =
      CallShape::Object{in_list, "name", std::string(arguments_key), std::string(end_marker)};
  shape.between = ", ";
  return shape;
}

const CallShape kTagged = object_shape("<tool_call>", "</tool_call>");
const CallShape kListed = object_shape("[TOOL_CALLS]", "", true);
const CallShape kBare = [] {
  CallShape shape = object_shape("", "", false, "parameters");
  shape.between.clear();
  return shape;
}();
const CallShape kMarked = [] {
  CallShape shape;
  shape.marker = "<|calls|><|call|>function<|sep|>";
  shape.before_name = shape.marker;
  shape.before_arguments = "\n```json\n";
  shape.between = "\n```<|/call|>\n<|call|>function<|sep|>";
  shape.after = "\n```<|/call|><|/calls|>";
  return shape;
}();
constexpr ReasoningShape kThink{"<think>", "</think>"};

SplitOptions calls_of(const CallShape& shape, bool is_constrained = false) {
  return {.reasoning = {},
          .begins_in_reasoning = false,
          .shape = &shape,
          .functions = {{"f"}, {"get_weather"}},
          .is_constrained = is_constrained};
}

// 'text', {reasoning}, name(arguments); pieces of one call joined.
std::string written(const std::vector<AnswerPart>& parts) {
  std::string out;
  const AnswerPart* last = nullptr;
  for (const AnswerPart& part : parts) {
    if (const auto* content = std::get_if<ContentPart>(&part)) {
      const bool goes_on = last != nullptr && std::holds_alternative<ContentPart>(*last);
      if (goes_on) out.pop_back();
      out += (goes_on ? "" : "'") + content->text + "'";
    } else if (const auto* thought = std::get_if<ReasoningPart>(&part)) {
      const bool goes_on = last != nullptr && std::holds_alternative<ReasoningPart>(*last);
      if (goes_on) out.pop_back();
      out += (goes_on ? "" : "{") + thought->text + "}";
    } else {
      const auto& call = std::get<CallPart>(part);
      if (call.name.empty()) {
        out.pop_back();
      } else {
        out += std::to_string(call.index) + ":" + call.name + "(";
      }
      out += call.arguments + ")";
    }
    last = &part;
  }
  return out;
}

std::vector<AnswerPart> split_in_pieces(const SplitOptions& options, std::string_view text,
                                        std::size_t n_bytes) {
  AnswerSplitter splitter(options);
  std::vector<AnswerPart> all;
  Utf8Stream characters;
  for (std::size_t i = 0; i < text.size(); i += n_bytes) {
    characters.feed(text.substr(i, n_bytes));
    for (AnswerPart& part : splitter.push(characters.take())) {
      if (const auto* content = std::get_if<ContentPart>(&part)) {
        EXPECT_TRUE(is_valid_utf8(content->text));
      }
      all.push_back(std::move(part));
    }
  }
  for (AnswerPart& part : splitter.finish()) all.push_back(std::move(part));
  return all;
}

// However the text is cut, the outcome is the same.
std::string split(const SplitOptions& options, std::string_view text) {
  std::string whole =
      written(split_in_pieces(options, text, std::max<std::size_t>(text.size(), 1)));
  for (const std::size_t n_bytes : {1, 2, 3, 7}) {
    EXPECT_EQ(written(split_in_pieces(options, text, n_bytes)), whole)
        << "in pieces of " << n_bytes;
  }
  return whole;
}

std::string split(const CallShape& shape, std::string_view text) {
  return split(calls_of(shape), text);
}

TEST(AnswerSplitter, WithoutMarksToLookForAllIsText) {
  EXPECT_EQ(split(SplitOptions{}, "  <tool_call>{} <think>\n"), "'  <tool_call>{} <think>\n'");
  EXPECT_EQ(split(SplitOptions{}, ""), "");
}

TEST(AnswerSplitter, TaggedCallsComeApartFromTheText) {
  EXPECT_EQ(split(kTagged, R"(<tool_call>
{"name": "get_weather", "arguments": {"city": "서울", "n": [1, 2]}}
</tool_call>)"),
            R"(0:get_weather({"city": "서울", "n": [1, 2]}))");
  EXPECT_EQ(split(kTagged,
                  "Let me look.\n<tool_call>{\"name\": \"f\", \"arguments\": {}}"
                  "</tool_call>\n<tool_call>{\"name\":\"f\",\"arguments\":{\"a\":1}}"
                  "</tool_call>\nDone.\n"),
            "'Let me look.'0:f({})1:f({\"a\":1})'\nDone.'");
}

TEST(AnswerSplitter, MembersMayComeInAnyOrder) {
  EXPECT_EQ(split(kTagged, R"(<tool_call>{"arguments": {"a": "}"}, "id": 7, "name": "f"})"),
            R"(0:f({"a": "}"}))");
  EXPECT_EQ(split(kTagged, R"(<tool_call> {"name": "f"} </tool_call>)"), "0:f({})");
}

TEST(AnswerSplitter, AListOfCalls) {
  EXPECT_EQ(split(kListed, R"([TOOL_CALLS] [{"name": "f", "arguments": {"a": 1}, "id": "x"},
                              {"name": "get_weather", "arguments": {}}])"),
            R"(0:f({"a": 1})1:get_weather({}))");
  EXPECT_EQ(split(kListed, R"(Well.[TOOL_CALLS][{"name": "f", "arguments": {}}] So.)"),
            "'Well.'0:f({})' So.'");
  EXPECT_EQ(split(kListed, R"([TOOL_CALLS]{"name": "f", "arguments": {}})"),
            R"('[TOOL_CALLS]{"name": "f", "arguments": {}}')");
}

TEST(AnswerSplitter, WithoutAMarkACallIsTheWholeAnswer) {
  EXPECT_EQ(split(kBare, R"({"name": "f", "parameters": {"a": 1}})"), R"(0:f({"a": 1}))");
  EXPECT_EQ(split(kBare, "\n{\"name\": \"f\", \"parameters\": {}}\n"), "0:f({})");
  EXPECT_EQ(split(kBare, R"(So: {"name": "f", "parameters": {}})"),
            R"('So: {"name": "f", "parameters": {}}')");
  EXPECT_EQ(split(kBare, R"({"name": "f", "parameters": {}} {"name": "f", "parameters": {}})"),
            R"(0:f({})' {"name": "f", "parameters": {}}')");
}

TEST(AnswerSplitter, CallsThatAreNoObjects) {
  EXPECT_EQ(split(kMarked,
                  "<|calls|><|call|>function<|sep|>f\n```json\n{\"a\": 1}\n```<|/call|>\n"
                  "<|call|>function<|sep|>get_weather\n```json\n{}\n```<|/call|><|/calls|>"),
            R"(0:f({"a": 1})1:get_weather({}))");
  EXPECT_EQ(split(kMarked, "<|calls|><|call|>function<|sep|>g\n```json\n{}\n```<|/call|>"),
            "'<|calls|><|call|>function<|sep|>g\n```json\n{}\n```<|/call|>'");
}

TEST(AnswerSplitter, WhatEndsTheCallsMayComeBetweenThemToo) {
  CallShape shape = kMarked;
  shape.after = "\n```<|/call|>";
  const std::string call = "f\n```json\n{}\n```<|/call|>";
  const std::string begin(kMarked.marker);
  EXPECT_EQ(split(shape, begin + call + "\n<|call|>function<|sep|>" + call + " So.\n<|call"),
            "0:f({})1:f({})' So.\n<|call'");
}

TEST(AnswerSplitter, SeveralObjectsBetweenOnePairOfMarks) {
  CallShape shape = object_shape("<calls>", "</calls>");
  shape.between = "}\n{\"name\": \"";
  EXPECT_EQ(split(shape,
                  "<calls>\n{\"name\": \"f\"}\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n"
                  "</calls> So."),
            "0:f({})1:f({\"a\": 1})' So.'");
}

TEST(AnswerSplitter, WhatIsNoCallComesBackAsTheTextItWas) {
  for (const std::string_view text : {
           R"(<tool_call>)",
           R"(<tool_call>{"name": "f", "arguments": {"a": 1)",
           R"(<tool_call>{"name": "f", "arguments": {"a": 1,}}</tool_call> and more)",
           R"(<tool_call>{"name": "unknown", "arguments": {}}</tool_call>)",
           R"(<tool_call>{"name": "f", "arguments": "text"}</tool_call>)",
           R"(<tool_call>{"name": "f", "name": "f", "arguments": {}}</tool_call>)",
           R"(<tool_call>{"arguments": {}}</tool_call>)",
           R"(<tool_call>{"name": 5, "arguments": {}}</tool_call>)",
           R"(<tool_call>f(a=1)</tool_call>)",
           R"(<tool_call>[]</tool_call>)",
           R"(a < b <tool <tool_cal )",
           " \n x  \n",
       }) {
    EXPECT_EQ(split(kTagged, text), "'" + std::string(text) + "'");
  }
}

TEST(AnswerSplitter, ACallBehindAMalformedOneIsStillFound) {
  EXPECT_EQ(split(kTagged, R"(<tool_call>oops</tool_call> <tool_call>{"name": "f"}</tool_call>)"),
            "'<tool_call>oops</tool_call>'0:f({})");
  EXPECT_EQ(split(kTagged, R"(<tool_call><tool_call>{"name": "f"}</tool_call>)"),
            "'<tool_call>'0:f({})");
}

TEST(AnswerSplitter, AMissingEndMarkLosesNothing) {
  EXPECT_EQ(split(kTagged, R"(<tool_call>{"name": "f"}<tool_call>{"name": "f"})"),
            "0:f({})1:f({})");
  EXPECT_EQ(split(kTagged, R"(<tool_call>{"name": "f"} </tool_box>)"), "0:f({})' </tool_box>'");
}

TEST(AnswerSplitter, ReasoningComesApart) {
  SplitOptions options = calls_of(kTagged);
  options.reasoning = kThink;
  EXPECT_EQ(split(options, "<think>\nHm <b>.\n\nYes.\n</think>\n\nGood.\n"),
            "{Hm <b>.\n\nYes.}'Good.\n'");
  EXPECT_EQ(split(options, " <think></think><tool_call>{\"name\": \"f\"}</tool_call>"), "0:f({})");
  EXPECT_EQ(split(options, "No <think> here.</think>"), "'No <think> here.</think>'");
  EXPECT_EQ(split(options, "<think>cut </thi"), "{cut </thi}");
  options.begins_in_reasoning = true;
  EXPECT_EQ(split(options, "Hm.\n</think>\n\nGood."), "{Hm.}'Good.'");
  options.shape = nullptr;
  EXPECT_EQ(split(options, "Hm.</think> <tool_call>"), "{Hm.}'<tool_call>'");
}

TEST(AnswerSplitter, PiecesOfAConstrainedCallComeAsTheyAreWritten) {
  const std::string_view text =
      R"(<tool_call>{"name": "f", "arguments": {"text": "a long one"}}</tool_call>)";
  const auto parts = split_in_pieces(calls_of(kTagged, true), text, 1);
  EXPECT_EQ(written(parts), R"(0:f({"text": "a long one"}))");
  EXPECT_GT(parts.size(), 20U);
  EXPECT_EQ(std::get<CallPart>(parts.front()).name, "f");
  EXPECT_EQ(split_in_pieces(calls_of(kTagged), text, 1).size(), 1U);
  // Cut in the middle, what was given out stays.
  EXPECT_EQ(split(calls_of(kTagged, true), text.substr(0, text.find("ng one"))),
            R"(0:f({"text": "a lo))");
}

TEST(AnswerSplitter, WhatBreaksAConstrainedCallIsTextAndNotInItsArguments) {
  EXPECT_EQ(
      split(calls_of(kTagged, true), "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": t가"),
      R"(0:f({"a": t)'가')");
  EXPECT_EQ(
      split(calls_of(kMarked, true), "<|calls|><|call|>function<|sep|>f\n```json\n{\"a\": t가"),
      R"(0:f({"a": t)'가')");
}

}  // namespace
}  // namespace jarip
