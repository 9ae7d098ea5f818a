#include "app/template_variables.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "app/template_json.h"

namespace jarip {
namespace {

// The names by which templates know whether to think.
constexpr std::array<std::string_view, 2> kSwitches = {"enable_thinking", "thinking"};
constexpr std::string_view kEffort = "reasoning_effort";
constexpr std::string_view kUsualEffort = "medium";

std::unexpected<Error> no_reasoning(const std::string& field) {
  return fail(ErrorCode::kUnsupported,
              fmt::format("{}: this model's chat template knows no reasoning; leave it out", field),
              field);
}

void add_switches(bool wanted, const AnswerShape& shape, TemplateVariables& out) {
  for (const std::string_view name : kSwitches) {
    if (shape.has_word(name)) out.emplace_back(name, TemplateValue::from(wanted));
  }
}

Result<void> add_effort(const Thinking& thinking, const AnswerShape& shape,
                        TemplateVariables& out) {
  if (shape.has_word(kEffort)) {
    out.emplace_back(kEffort, TemplateValue::from(std::string_view(thinking.effort)));
    return {};
  }
  if (!shape.reasoning) return no_reasoning(thinking.field);
  if (thinking.effort == kUsualEffort) return {};  // the model's own
  return fail(ErrorCode::kUnsupported,
              fmt::format("{}: this model's chat template knows no degrees of effort; only none "
                          "and medium are supported",
                          thinking.field),
              thinking.field);
}

bool is_said(const TemplateVariables& variables, std::string_view name) {
  return std::ranges::any_of(variables, [&](const auto& one) { return one.first == name; });
}

// That there is to be no reasoning is kept by a model that has none.
bool is_off(const TemplateVariable& variable) {
  return std::ranges::find(kSwitches, variable.name) != kSwitches.end() && variable.json == "false";
}

}  // namespace

Result<TemplateVariables> template_variables_of(const Turn& turn, const AnswerShape& shape) {
  TemplateVariables out;
  const Thinking& thinking = turn.thinking;
  if (thinking.wanted.value_or(false) && !shape.reasoning) return no_reasoning(thinking.field);
  if (thinking.max_tokens.value_or(0) > 0 && !shape.reasoning) {
    return no_reasoning(thinking.budget_field);
  }
  if (!thinking.effort.empty()) JARIP_CHECK(add_effort(thinking, shape, out));
  if (thinking.wanted || !thinking.effort.empty()) {
    add_switches(thinking.wanted.value_or(true), shape, out);
  }
  for (const TemplateVariable& variable : turn.variables) {
    if (is_said(out, variable.name)) {
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("{} and {} say the same; give one of them", thinking.field, variable.field),
          variable.field);
    }
    if (!shape.has_word(variable.name)) {
      if (is_off(variable) && !shape.reasoning) continue;
      return fail(
          ErrorCode::kUnsupported,
          fmt::format("{}: the model's chat template has no variable of this name", variable.field),
          variable.field);
    }
    auto value = template_value_of_json(variable.json);
    if (!value) {
      return fail(value.error().code, fmt::format("{}: {}", variable.field, value.error().message),
                  variable.field);
    }
    out.emplace_back(variable.name, *std::move(value));
  }
  return out;
}

}  // namespace jarip
