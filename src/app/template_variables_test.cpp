#include "app/template_variables.h"

#include <gtest/gtest.h>

#include <string_view>

namespace jarip {
namespace {

AnswerShape shape_of(std::string_view source) {
  AnswerShape shape;
  shape.reasoning = find_reasoning_shape(source);
  shape.words = words_of(source);
  return shape;
}

constexpr std::string_view kSwitched = "{% if enable_thinking %}<think>{% endif %}</think>";

// name=value of each, or the field that is refused.
std::string variables(const Turn& turn, std::string_view source) {
  const auto out = template_variables_of(turn, shape_of(source));
  if (!out) return "refused " + out.error().where;
  std::string text;
  for (const auto& [name, value] : *out) {
    text +=
        name + "=" +
        (value.kind == TemplateValue::Kind::kBool ? std::string(value.boolean ? "true" : "false")
                                                  : value.string) +
        ";";
  }
  return text;
}

Turn with(const Thinking& thinking) {
  Turn turn;
  turn.thinking = thinking;
  return turn;
}

Turn with(TemplateVariable variable) {
  Turn turn;
  turn.variables.push_back(std::move(variable));
  return turn;
}

TEST(TemplateVariables, ASwitchIsSetWhereTheTemplateHasOne) {
  EXPECT_EQ(variables(Turn{}, kSwitched), "");
  EXPECT_EQ(variables(with({true, {}, {}, "thinking"}), kSwitched), "enable_thinking=true;");
  EXPECT_EQ(variables(with({false, {}, {}, "thinking"}), kSwitched), "enable_thinking=false;");
  EXPECT_EQ(variables(with({true, {}, {}, "thinking"}), "</think>"), "");
  EXPECT_EQ(variables(with({false, 0, {}, "thinking"}), "{{ messages }}"), "");
}

TEST(TemplateVariables, ReasoningIsRefusedWhereThereIsNone) {
  EXPECT_EQ(variables(with({true, {}, {}, "thinking"}), "{{ messages }}"), "refused thinking");
  EXPECT_EQ(variables(with({{}, 7, "high", "effort", "budget"}), "{{ messages }}"),
            "refused budget");
  EXPECT_EQ(variables(with({{}, {}, "high", "effort", {}}), "{{ messages }}"), "refused effort");
}

TEST(TemplateVariables, EffortIsAWordForTemplatesThatKnowIt) {
  EXPECT_EQ(variables(with({{}, {}, "high", "effort"}), "{{ reasoning_effort }}"),
            "reasoning_effort=high;");
  EXPECT_EQ(variables(with({{}, {}, "high", "effort"}), kSwitched), "refused effort");
  EXPECT_EQ(variables(with({{}, {}, "medium", "effort"}), kSwitched), "enable_thinking=true;");
}

TEST(TemplateVariables, OthersAreHandedOverByName) {
  EXPECT_EQ(variables(with({"style", R"("brief")", "kwargs.style"}), "{{ style }}"),
            "style=brief;");
  EXPECT_EQ(variables(with({"style", R"("brief")", "kwargs.style"}), "{{ styles }}"),
            "refused kwargs.style");
  const std::string deep = std::string(65, '[') + std::string(65, ']');
  EXPECT_EQ(variables(with({"style", deep, "kwargs.style"}), "{{ style }}"),
            "refused kwargs.style");
  EXPECT_EQ(variables(with({"enable_thinking", "false", "k"}), "{{ messages }}"), "");
  EXPECT_EQ(variables(with({"enable_thinking", "true", "k"}), "{{ messages }}"), "refused k");
  Turn twice = with({"enable_thinking", "false", "k"});
  twice.thinking = {true, {}, {}, "thinking"};
  EXPECT_EQ(variables(twice, kSwitched), "refused k");
}

}  // namespace
}  // namespace jarip
