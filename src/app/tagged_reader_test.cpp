#include "app/tagged_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "app/answer_splitter.h"
#include "app/tagged_shapes.h"
#include "base/utf8.h"

namespace jarip {
namespace {

constexpr std::string_view kSchema = R"({"type": "object", "properties": {
    "text": {"type": "string"}, "count": {"type": "integer"}, "on": {"type": "boolean"},
    "list": {"type": "array"}, "maybe": {"type": ["string", "null"]},
    "kind": {"$ref": "#/$defs/kind"}, "any": {}},
    "$defs": {"kind": {"enum": ["a", "1"]}}})";

const std::vector<CallableFunction> kFunctions = {{"f", argument_types(kSchema)}, {"g"}};

// 'text' and name(arguments); pieces of one call joined.
std::string split_in_pieces(const CallShape& shape, std::string_view text, std::size_t n_bytes,
                            bool is_constrained) {
  AnswerSplitter splitter({.reasoning = {},
                           .begins_in_reasoning = false,
                           .shape = &shape,
                           .functions = kFunctions,
                           .is_constrained = is_constrained});
  std::vector<AnswerPart> parts;
  Utf8Stream characters;
  const auto take = [&](std::vector<AnswerPart> more) {
    for (AnswerPart& part : more) parts.push_back(std::move(part));
  };
  for (std::size_t i = 0; i < text.size(); i += n_bytes) {
    characters.feed(text.substr(i, n_bytes));
    take(splitter.push(characters.take()));
  }
  take(splitter.finish());
  std::string out;
  for (const AnswerPart& part : parts) {
    if (const auto* content = std::get_if<ContentPart>(&part)) {
      if (out.ends_with("'")) {
        out.pop_back();
      } else {
        out += "'";
      }
      out += content->text + "'";
      continue;
    }
    const auto& call = std::get<CallPart>(part);
    EXPECT_TRUE(is_valid_utf8(call.arguments));
    if (call.name.empty()) {
      out.pop_back();
    } else {
      out += call.name + "(";
    }
    out += call.arguments + ")";
  }
  return out;
}

// However the text is cut and whether a grammar held it, the outcome is the same.
std::string split(std::string_view name, std::string_view text) {
  const CallShape shape = tagged_shape(name).calls;
  std::string whole = split_in_pieces(shape, text, std::max<std::size_t>(text.size(), 1), false);
  for (const std::size_t n_bytes : {1, 2, 3, 7}) {
    EXPECT_EQ(split_in_pieces(shape, text, n_bytes, false), whole) << "in pieces of " << n_bytes;
  }
  return whole;
}

TEST(TaggedReader, ReadsValuesOnLinesOfTheirOwn) {
  EXPECT_EQ(split("lines",
                  "<tool_call>\n<function=f>\n<parameter=text>\n서울 \"x\"\n\n5 < 6\n</parameter>\n"
                  "<parameter=count>\n7\n</parameter>\n</function>\n</tool_call>"),
            R"(f({"text": "서울 \"x\"\n\n5 < 6", "count": 7}))");
  EXPECT_EQ(split("lines", "<tool_call>\n<function=g>\n</function>\n</tool_call>"), "g({})");
  EXPECT_EQ(
      split("lines",
            "Look.\n<tool_call>\n<function=g>\n</function>\n</tool_call>\n<tool_call>\n"
            "<function=f>\n<parameter=on>\ntrue\n</parameter>\n</function>\n</tool_call>\nSo."),
      "'Look.'g({})f({\"on\": true})'\nSo.'");
}

TEST(TaggedReader, ReadsNamesAndValuesApart) {
  EXPECT_EQ(split("pairs",
                  "<tool_call>f\n<arg_key>text</arg_key>\n<arg_value>1</arg_value>\n<arg_key>list"
                  "</arg_key>\n<arg_value>[1, \"a\"]</arg_value>\n</tool_call>\n<tool_call>g\n"
                  "</tool_call>"),
            R"(f({"text": "1", "list": [1, "a"]})g({}))");
  EXPECT_EQ(
      split("pairs", "<tool_call>f<arg_key>on</arg_key><arg_value>false</arg_value></tool_call>"),
      R"(f({"on": false}))");
}

TEST(TaggedReader, AMarkMayTellStringsFromTheRest) {
  EXPECT_EQ(
      split("typed",
            "<|calls>\n<|invoke name=\"g\">\n<|parameter name=\"a\" string=\"true\">1"
            "</|parameter>\n<|parameter name=\"b\" string=\"false\">1</|parameter>\n</|invoke>\n"
            "<|invoke name=\"f\">\n</|invoke>\n</|calls>"),
      R"(g({"a": "1", "b": 1})f({}))");
}

TEST(TaggedReader, ACallsMarkMayHaveTheNameInIt) {
  EXPECT_EQ(split("flat", R"(<function name="f"><param name="text">a</param></function>
<function name="g"><param name="x">{"a": 1}</param></function> Done.)"),
            R"(f({"text": "a"})g({"x": {"a": 1}})' Done.')");
}

TEST(TaggedReader, TheSchemaSaysHowAValueIsRead) {
  const std::pair<std::string_view, std::string_view> table[] = {
      {"text>\n5", R"("text": "5")"},
      {"count>\n5", R"("count": 5)"},
      {"count>\nfive", R"("count": "five")"},
      {"on>\nTrue", R"("on": true)"},
      {"maybe>\nnull", R"("maybe": null)"},
      {"maybe>\n5", R"("maybe": "5")"},
      {"maybe>\nNone", R"("maybe": "None")"},
      {"kind>\n1", R"("kind": "1")"},
      {"any>\n1", R"("any": 1)"},
      {"any>\n1x", R"("any": "1x")"},
      {"any>\n\"a\"", R"("any": "\"a\"")"},
      {"new>\n[1]", R"("new": [1])"},
      {"list>\n[\"</parameter>\"]", R"("list": ["</parameter>"])"},
      {"text>\n", R"("text": "")"},
      {"text>a", R"("text": "a")"},
      {"text>\n\n a \n", R"("text": "\n a \n")"},
      {"count>\n 5 ", R"("count": 5)"},
  };
  for (const auto& [text, expected] : table) {
    EXPECT_EQ(split("lines", "<tool_call><function=f><parameter=" + std::string(text) +
                                 "\n</parameter></function></tool_call>"),
              "f({" + std::string(expected) + "})")
        << text;
  }
}

TEST(TaggedReader, WhatIsNoCallComesBackAsTheTextItWas) {
  for (const std::string_view text : {
           "<tool_call>",
           "<tool_call>\n<function=f>",
           "<tool_call>\n<function=nobody>\n</function>\n</tool_call>",
           "<tool_call>\n<function=f>\nwords\n</function>\n</tool_call>",
           "<tool_call>\n<function=f>\n<parameter=text>\nopen",
           "<tool_call>\n<function=f>\n<parameter=>\na\n</parameter>\n</function>\n</tool_call>",
           "<tool_call>\n<function=f>\n<parameter=text>\na\n</parameter>\n<parameter=text>\na\n"
           "</parameter>\n</function>\n</tool_call>",
           "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>",
       }) {
    EXPECT_EQ(split("lines", text), "'" + std::string(text) + "'");
  }
  EXPECT_EQ(
      split("lines", "<tool_call>oops</tool_call> <tool_call><function=g></function></tool_call>"),
      "'<tool_call>oops</tool_call>'g({})");
}

TEST(TaggedReader, PiecesOfAStringComeAsTheyAreWritten) {
  const CallShape shape = tagged_shape("lines").calls;
  AnswerSplitter splitter({.reasoning = {},
                           .begins_in_reasoning = false,
                           .shape = &shape,
                           .functions = kFunctions,
                           .is_constrained = true});
  const auto written = [&](std::string_view text) {
    std::string out;
    for (const AnswerPart& part : splitter.push(text)) {
      out += std::get<CallPart>(part).name + std::get<CallPart>(part).arguments;
    }
    return out;
  };
  EXPECT_EQ(written("<tool_call>\n<function=f>\n<parameter=text>"), R"(f{"text": ")");
  EXPECT_EQ(written("\nso\n</para"), "so");
  EXPECT_EQ(written("de>"), "\\n</parade>");
  EXPECT_EQ(written("\n</parameter>"), "\"");
  EXPECT_EQ(written("\n</function>"), "}");
}

TEST(TaggedReader, WhatXmlQuotesIsUnquotedWhereTheTemplateQuotes) {
  CallShape shape = tagged_shape("flat").calls;
  shape.tagged->has_cdata = true;
  EXPECT_EQ(
      split_in_pieces(shape, R"(<function name="f"><param name="text"><![CDATA[<b> ]] ]]></param>
<param name="count">5</param></function>)",
                      3, false),
      R"(f({"text": "<b> ]] ", "count": 5}))");
  EXPECT_EQ(split_in_pieces(
                shape, R"(<function name="f"><param name="text"><![CDATA[]></param></function>)", 1,
                false),
            R"(f({"text": "<![CDATA[]>"}))");
}

TEST(TaggedReader, GapsAreWhiteSpaceBetweenMarks) {
  EXPECT_EQ(without_gaps(" \n</a>\n <b c=\" d\"> e </b> "), "</a><b c=\" d\"> e </b>");
  EXPECT_EQ(without_gaps(""), "");
  EXPECT_EQ(without_gaps(" \n "), "");
}

}  // namespace
}  // namespace jarip
