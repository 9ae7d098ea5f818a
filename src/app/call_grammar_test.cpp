#include "app/call_grammar.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "app/answer_splitter.h"
#include "app/harmony_splitter.h"
#include "app/tagged_shapes.h"
#include "grammar/match_text.h"
#include "grammar/matcher.h"

namespace jarip {
namespace {

using Kind = ToolChoice::Kind;

Tool tool(std::string_view name, std::string_view parameters, bool is_strict = false) {
  return {std::string(name), "", std::string(parameters), is_strict, "tools"};
}

const std::vector<Tool> kTools = {
    tool("get_weather", R"({"type":"object","properties":{"city":{"type":"string"}},
                            "required":["city"]})"),
    tool("now", R"({"type":"object","properties":{}})")};

AnswerShape shape_of(std::string_view name) {
  AnswerShape shape;
  CallShape& calls = shape.calls;
  calls.before_arguments = R"(", "arguments": )";
  if (name == "tagged") {
    calls.before_name = "<tool_call>\n{\"name\": \"";
    calls.between = "}\n</tool_call>\n<tool_call>\n{\"name\": \"";
    calls.after = "}\n</tool_call>";
    calls.marker = "<tool_call>";
    calls.object = CallShape::Object{false, "name", "arguments", "</tool_call>"};
  } else if (name == "listed") {
    calls.before_name = R"([TOOL_CALLS] [{"name": ")";
    calls.between = R"(}, {"name": ")";
    calls.after = "}]";
    calls.marker = "[TOOL_CALLS]";
    calls.object = CallShape::Object{true, "name", "arguments", ""};
    shape.markers = {{300, "[TOOL_CALLS]"}};
  } else if (name == "bare") {
    calls.before_name = R"({"name": ")";
    calls.after = "}";
    calls.object = CallShape::Object{false, "name", "arguments", ""};
  } else {
    calls.before_name = "<|calls|><|call|>function<|sep|>";
    calls.before_arguments = "\n```json\n";
    calls.between = "\n```<|/call|>\n<|call|>function<|sep|>";
    calls.after = "\n```<|/call|><|/calls|>";
    calls.marker = calls.before_name;
    shape.markers = {{301, "<|calls|>"}, {302, "<|call|>"}, {303, "<|sep|>"}};
  }
  return shape;
}

constexpr std::array<std::string_view, 4> kTaggedShapes = {"lines", "pairs", "typed", "flat"};

constexpr std::array<std::string_view, 4> kShapes = {"tagged", "listed", "bare", "marked"};

// The bytes 0 to 255, and the shapes' control tokens at their ids.
std::shared_ptr<const Grammar> compiled(const GrammarSource& source) {
  static const auto kTrie = [] {
    static std::vector<std::string> texts;
    std::vector<GrammarToken> tokens;
    for (int byte = 0; byte < 256; ++byte) texts.emplace_back(1, static_cast<char>(byte));
    for (std::uint32_t id = 0; id < 256; ++id) tokens.push_back({id, texts[id]});
    const std::vector<std::uint32_t> control = {300, 301, 302, 303, 304, 305, 306, 307, 308, 309};
    return std::make_shared<const TokenTrie>(400, tokens, control);
  }();
  auto automaton = compile_source(source);
  EXPECT_TRUE(automaton) << automaton.error().message;
  return std::make_shared<const Grammar>(*std::move(automaton), kTrie);
}

// Tokens of a text in which the markers are control tokens.
std::vector<std::uint32_t> tokens_of(std::string_view text, const AnswerShape& shape) {
  std::vector<std::uint32_t> tokens;
  while (!text.empty()) {
    const auto marker = std::ranges::find_if(
        shape.markers, [&](const auto& one) { return text.starts_with(one.name); });
    const bool found = marker != shape.markers.end();
    tokens.push_back(found ? marker->id : static_cast<std::uint8_t>(text[0]));
    text.remove_prefix(found ? marker->name.size() : 1);
  }
  return tokens;
}

bool allows(const GrammarSource& source, std::string_view text, const AnswerShape& shape) {
  Matcher matcher(compiled(source), {});
  for (const std::uint32_t token : tokens_of(text, shape)) {
    if (!matcher.take(token)) return false;
  }
  return matcher.may_end();
}

std::string call_text(const AnswerShape& shape, std::string_view name, std::string_view arguments) {
  return shape.calls.before_name + std::string(name) + shape.calls.before_arguments +
         std::string(arguments) + shape.calls.after;
}

std::optional<GrammarSource> grammar(const AnswerShape& shape, const ToolChoice& choice,
                                     const std::vector<Tool>& tools = kTools) {
  return *call_grammar(tools, choice, shape, false, std::nullopt);
}

TEST(CallGrammar, RequiredMeansOneOfTheFunctionsWithItsArguments) {
  for (const std::string_view name : kShapes) {
    const AnswerShape shape = shape_of(name);
    const auto source = grammar(shape, {.kind = Kind::kRequired});
    ASSERT_TRUE(source);
    EXPECT_TRUE(allows(*source, call_text(shape, "now", "{}"), shape)) << name;
    EXPECT_TRUE(allows(*source, call_text(shape, "get_weather", R"({"city": "서울"})"), shape));
    EXPECT_FALSE(allows(*source, call_text(shape, "get_weather", "{}"), shape));
    EXPECT_FALSE(allows(*source, call_text(shape, "now", R"({"city": "x"})"), shape));
    EXPECT_FALSE(allows(*source, call_text(shape, "other", "{}"), shape));
    EXPECT_FALSE(allows(*source, "", shape));
    EXPECT_FALSE(allows(*source, "Sorry, I can't.", shape));
    const std::string two = shape.calls.before_name + "now" + shape.calls.before_arguments + "{}" +
                            shape.calls.between + "now" + shape.calls.before_arguments + "{}" +
                            shape.calls.after;
    EXPECT_EQ(allows(*source, two, shape), !shape.calls.between.empty()) << name;
    EXPECT_FALSE(
        allows(*grammar(shape, {.kind = Kind::kRequired, .is_parallel = false}), two, shape));
  }
}

TEST(CallGrammar, ANameMeansThatFunctionOnce) {
  for (const std::string_view name : kShapes) {
    const AnswerShape shape = shape_of(name);
    const auto source = grammar(shape, {.kind = Kind::kNamed, .name = "now"});
    EXPECT_TRUE(allows(*source, call_text(shape, "now", "{}"), shape));
    EXPECT_FALSE(allows(*source, call_text(shape, "get_weather", R"({"city": "x"})"), shape));
  }
}

TEST(CallGrammar, NothingIsHeldToWhereTheModelIsFree) {
  const AnswerShape shape = shape_of("tagged");
  EXPECT_FALSE(grammar(shape, {.kind = Kind::kAuto}));
  EXPECT_FALSE(grammar(shape, {.kind = Kind::kNone}));
  EXPECT_FALSE(grammar(shape, {.kind = Kind::kAuto}, {}));
}

TEST(CallGrammar, StrictFunctionsAreHeldToTheirSchemasInFreeAnswersToo) {
  std::vector<Tool> tools = kTools;
  tools[0].is_strict = true;
  for (const std::string_view name : kShapes) {
    const AnswerShape shape = shape_of(name);
    const auto source = grammar(shape, {.kind = Kind::kAuto}, tools);
    ASSERT_TRUE(source);
    EXPECT_TRUE(allows(*source, "", shape)) << name;
    EXPECT_TRUE(allows(*source, "It is sunny, 5 < 6.\n", shape)) << name;
    EXPECT_TRUE(allows(*source, call_text(shape, "get_weather", R"({"city": "x"})"), shape))
        << name;
    EXPECT_FALSE(allows(*source, call_text(shape, "get_weather", R"({"town": "x"})"), shape));
    // One that isn't strict may have any arguments.
    EXPECT_TRUE(allows(*source, call_text(shape, "now", R"({"zone": [1]})"), shape)) << name;
    if (name == "bare") continue;  // there calls stand alone
    EXPECT_TRUE(allows(*source, "Look: " + call_text(shape, "now", "{}"), shape)) << name;
    EXPECT_FALSE(allows(*source, "Look: " + call_text(shape, "other", "{}"), shape));
  }
}

TEST(CallGrammar, ReasoningMayComeFirst) {
  AnswerShape shape = shape_of("tagged");
  shape.reasoning = ReasoningShape{"<think>", "</think>"};
  const std::string call = call_text(shape, "now", "{}");
  const auto may_open = *call_grammar(kTools, {.kind = Kind::kRequired}, shape, false, {});
  EXPECT_TRUE(allows(*may_open, call, shape));
  EXPECT_TRUE(allows(*may_open, "<think>\nhm <b>\n</think>\n\n" + call, shape));
  EXPECT_FALSE(allows(*may_open, "hm</think>" + call, shape));
  const auto opened = *call_grammar(kTools, {.kind = Kind::kRequired}, shape, true, {});
  EXPECT_TRUE(allows(*opened, "hm\n</think>\n\n" + call, shape));
  EXPECT_FALSE(allows(*opened, call, shape));
  const GrammarSource form = json_schema(R"({"type":"integer"})");
  EXPECT_TRUE(allows(**call_grammar({}, {}, shape, true, form), "hm</think>42", shape));
}

TEST(CallGrammar, OnlyAllowedFunctionsAreCalled) {
  const AnswerShape shape = shape_of("tagged");
  for (const Kind kind : {Kind::kAuto, Kind::kRequired}) {
    const auto source = *call_grammar(kTools, {.kind = kind, .allowed = {"now"}}, shape, false, {});
    ASSERT_TRUE(source);
    EXPECT_TRUE(allows(*source, call_text(shape, "now", "{}"), shape));
    EXPECT_FALSE(allows(*source, call_text(shape, "get_weather", R"({"city": "x"})"), shape));
    EXPECT_EQ(allows(*source, "text", shape), kind == Kind::kAuto);
  }
}

TEST(CallGrammar, AFormIsForAnswersWithoutCalls) {
  const AnswerShape shape = shape_of("tagged");
  const GrammarSource form = json_schema(R"({"type":"integer"})");
  const auto source = *call_grammar(kTools, {.kind = Kind::kAuto}, shape, false, form);
  EXPECT_TRUE(allows(*source, "42", shape));
  EXPECT_TRUE(allows(*source, call_text(shape, "now", "{}"), shape));
  EXPECT_FALSE(allows(*source, "text", shape));
  EXPECT_EQ(*call_grammar(kTools, {.kind = Kind::kNone}, shape, false, form), form);
}

using Arguments = std::vector<std::pair<std::string_view, std::string_view>>;

// JSON values begin with '='.
std::string tagged_call(const AnswerShape& shape, std::string_view name,
                        const Arguments& arguments) {
  const CallShape::Tagged& tagged = *shape.calls.tagged;
  std::string out = shape.calls.before_name + std::string(name) + shape.calls.before_arguments;
  for (auto [key, value] : arguments) {
    const bool is_json = value.starts_with('=');
    if (is_json) value.remove_prefix(1);
    out += tagged.before_key + std::string(key) +
           (is_json ? tagged.before_json : tagged.before_text) + std::string(value) +
           tagged.after_value;
  }
  return out + shape.calls.after;
}

TEST(CallGrammar, ArgumentsOneByOneMatchTheirSchemas) {
  const std::vector<Tool> tools = {
      tool("f", R"({"type":"object","properties":{"city":{"type":"string"},
                    "days":{"type":"integer","minimum":1,"maximum":9},
                    "unit":{"anyOf":[{"$ref":"#/$defs/unit"},{"type":"null"}]}},
                    "required":["city"],"$defs":{"unit":{"enum":["C","F","null"]}}})"),
      tool("now", R"({"type":"object"})")};
  for (const std::string_view name : kTaggedShapes) {
    const AnswerShape shape = tagged_shape(name);
    const auto source = grammar(shape, {.kind = Kind::kRequired}, tools);
    ASSERT_TRUE(source) << name;
    const auto takes = [&](const Arguments& arguments) {
      return allows(*source, tagged_call(shape, "f", arguments), shape);
    };
    EXPECT_TRUE(takes({{"city", "서울 <b>"}})) << name;
    EXPECT_TRUE(takes({{"city", "x"}, {"days", "=3"}, {"unit", "C"}})) << name;
    EXPECT_TRUE(takes({{"city", "x"}, {"unit", "=null"}})) << name;
    EXPECT_FALSE(takes({})) << name;
    EXPECT_FALSE(takes({{"days", "=3"}})) << name;
    EXPECT_FALSE(takes({{"city", "x"}, {"days", "=12"}})) << name;
    EXPECT_FALSE(takes({{"city", "x"}, {"unit", "K"}})) << name;
    EXPECT_FALSE(takes({{"city", "x"}, {"town", "x"}})) << name;
    EXPECT_FALSE(takes({{"city", "x"}, {"city", "x"}})) << name;
    EXPECT_TRUE(allows(*source, tagged_call(shape, "now", {}), shape)) << name;
    EXPECT_FALSE(allows(*source, tagged_call(shape, "now", {{"a", "x"}}), shape)) << name;
    const std::string one = tagged_call(shape, "now", {});
    std::string two = one.substr(0, one.size() - shape.calls.after.size()) + shape.calls.between +
                      "now" + shape.calls.before_arguments + shape.calls.after;
    EXPECT_TRUE(allows(*source, two, shape)) << name;
  }
}

TEST(CallGrammar, StrictArgumentsOneByOneAreHeldInFreeAnswersToo) {
  std::vector<Tool> tools = kTools;
  tools[0].is_strict = true;
  for (const std::string_view name : kTaggedShapes) {
    const AnswerShape shape = tagged_shape(name);
    const auto source = grammar(shape, {.kind = Kind::kAuto}, tools);
    ASSERT_TRUE(source);
    EXPECT_TRUE(allows(*source, "It is sunny, 5 < 6.\n", shape)) << name;
    EXPECT_TRUE(allows(*source, "So: " + tagged_call(shape, "get_weather", {{"city", "x"}}), shape))
        << name;
    EXPECT_FALSE(allows(*source, "So: " + tagged_call(shape, "get_weather", {}), shape)) << name;
  }
}

TEST(CallGrammar, WhatCannotBeToldApartIsRefused) {
  const AnswerShape shape = tagged_shape("lines");
  const auto refused = [&](std::string_view property) {
    const Tool one =
        tool("f", R"({"type":"object","properties":{"a":)" + std::string(property) + "}}");
    const auto compiled = compile_source(arguments_grammar(one, shape, false));
    return compiled ? std::string() : compiled.error().where;
  };
  EXPECT_EQ(refused(R"({"type":["string","integer"],"minimum":5})"), "#/properties/a");
  EXPECT_EQ(refused(R"({"anyOf":[{"type":"string","maxLength":3},{"type":"array"}]})"),
            "#/properties/a");
  EXPECT_EQ(refused(R"({"type":["string","integer"]})"), "");
  EXPECT_EQ(refused(R"({"type":["string","null"],"maxLength":3})"), "");
  EXPECT_EQ(refused(R"x({"type":"string","pattern":"^(?=a)"})x"), "#/properties/a/pattern");
  const auto named = call_grammar(std::vector<Tool>{tool("f", R"({"properties":{"a b":{}}})")},
                                  {.kind = Kind::kRequired}, shape, false, {});
  ASSERT_FALSE(named);
  EXPECT_EQ(named.error().where, "tools");
}

AnswerShape harmony_shape() {
  AnswerShape shape;
  shape.is_harmony = true;
  shape.reasoning = ReasoningShape{harmony::kThink, harmony::kEnd, true};
  shape.calls.before_name = harmony::kCall;
  shape.calls.before_arguments = harmony::kArguments;
  shape.markers = {{304, "<|channel|>"},
                   {305, "<|message|>"},
                   {306, "<|start|>"},
                   {307, "<|end|>"},
                   {308, "<|constrain|>"}};
  return shape;
}

TEST(CallGrammar, AnAnswerInTheHarmonyFormatIsOneMessageBehindReasoning) {
  const AnswerShape shape = harmony_shape();
  const std::string thought = "<|channel|>analysis<|message|>Hm 5 < 6<|end|><|start|>assistant";
  const std::string call =
      "<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{\"city\": "
      "\"x\"}";
  const std::string said = "<|channel|>final<|message|>";
  const auto required = *grammar(shape, {.kind = Kind::kRequired});
  for (const std::string& before : {std::string(), thought}) {
    EXPECT_TRUE(allows(required, before + call, shape));
    EXPECT_FALSE(allows(required, before + said + "No.", shape));
    EXPECT_FALSE(allows(required, before + call + "<|end|>", shape));
  }
  EXPECT_FALSE(allows(required, thought, shape));
  std::vector<Tool> tools = kTools;
  tools[0].is_strict = true;
  const auto held = *grammar(shape, {.kind = Kind::kAuto}, tools);
  EXPECT_TRUE(allows(held, thought + call, shape));
  EXPECT_TRUE(allows(held, thought + said + "So <b>.", shape));
  const GrammarSource form = json_schema(R"({"type":"integer"})");
  const auto formed = **call_grammar({}, {}, shape, false, form);
  EXPECT_TRUE(allows(formed, thought + said + "42", shape));
  EXPECT_FALSE(allows(formed, thought + said + "x", shape));
  EXPECT_FALSE(allows(formed, "42", shape));
}

// Whatever a model prefers: an answer that the grammar allows is calls that match, for the reader
// of answers too.
TEST(CallGrammar, EveryAnswerIsReadAsCallsThatMatchTheirSchemas) {
  std::vector<Tool> tools = {
      tool("f", R"({"type":"object","properties":{"n":{"type":"integer","minimum":1,"maximum":99},
                    "on":{"type":"boolean"}},"required":["n"]})"),
      tool("g", R"({"type":"object","properties":{"c":{"enum":["a","</tool_call>","{\"}"]}},
                    "required":["c"]})")};
  tools.push_back(tool("h", R"({"type":"object","properties":{
      "s":{"type":"string","minLength":1,"maxLength":8},"p":{"type":"string","pattern":"^[<a/ \\n]{0,5}$"},
      "e":{"enum":["a\nb"," x ","5","null",null,7]},"o":{"type":"object","properties":{"k":{"enum":["</parameter>"]}},
      "required":["k"]},"m":{"type":["string","boolean"],"maxLength":5},
      "d":{"type":"string","format":"date"}},"required":["s","e","m"]})"));
  std::vector<CallableFunction> functions;
  for (const Tool& one : tools) functions.push_back({one.name, argument_types(one.parameters)});
  std::vector<AnswerShape> shapes;
  for (const std::string_view name : kShapes) shapes.push_back(shape_of(name));
  for (const std::string_view name : kTaggedShapes) shapes.push_back(tagged_shape(name));
  std::mt19937 random(7);  // NOLINT: the same walks each time
  for (const AnswerShape& shape : shapes) {
    const auto made = compiled(*grammar(shape, {.kind = Kind::kRequired}, tools));
    for (int walk = 0; walk < 60; ++walk) {
      Matcher matcher(made, {});
      std::string text;
      for (int step = 0; step < 3000 && !matcher.must_end(); ++step) {
        const auto mask = matcher.mask();
        ASSERT_TRUE(mask) << mask.error().message;
        std::vector<std::uint32_t> allowed;
        for (std::uint32_t id = 0; id < 400; ++id) {
          if (((*mask)[id / 64] >> (id % 64) & 1U) != 0) allowed.push_back(id);
        }
        const std::uint32_t token = allowed[random() % allowed.size()];
        ASSERT_TRUE(matcher.take(token));
        const auto marker = std::ranges::find(shape.markers, token, &AnswerShape::Marker::id);
        text +=
            marker != shape.markers.end() ? marker->name : std::string(1, static_cast<char>(token));
      }
      ASSERT_TRUE(matcher.must_end()) << text;
      AnswerSplitter splitter({.reasoning = {},
                               .begins_in_reasoning = false,
                               .shape = &shape.calls,
                               .functions = functions,
                               .is_constrained = true});
      std::vector<AnswerPart> parts = splitter.push(text);
      for (AnswerPart& part : splitter.finish()) parts.push_back(std::move(part));
      ASSERT_FALSE(parts.empty()) << text;
      for (const AnswerPart& part : parts) {
        const auto* call = std::get_if<CallPart>(&part);
        ASSERT_NE(call, nullptr) << text;
        const std::string& schema = std::ranges::find(tools, call->name, &Tool::name)->parameters;
        const auto arguments = compile_source(json_schema(schema));
        ASSERT_TRUE(arguments);
        EXPECT_EQ(match_text(*arguments, call->arguments), TextMatch::kWhole) << text;
      }
    }
  }
}

}  // namespace
}  // namespace jarip
