#include "app/turn_plan.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "app/call_grammar.h"
#include "app/reasoning_budget.h"

namespace jarip {
namespace {

bool may_call(const Turn& turn) {
  return !turn.tools.empty() && turn.tool_choice.kind != ToolChoice::Kind::kNone;
}

std::unexpected<Error> refuse(const Error& error, const std::string& field) {
  return fail(error.code, fmt::format("{}: {}", field, error.message), field);
}

// Whose fault it is that the whole doesn't compile.
std::unexpected<Error> find_fault(const Turn& turn, const AnswerShape* shape, const Error& error) {
  if (turn.form) {
    if (const auto alone = compile_source(turn.form->source); !alone) {
      return refuse(alone.error(), turn.form->field);
    }
  }
  if (!may_call(turn)) return refuse(error, turn.form ? turn.form->field : "tools");
  for (const Tool& tool : turn.tools) {
    const auto source =
        shape == nullptr ? json_schema(tool.parameters) : arguments_grammar(tool, *shape, false);
    if (const auto alone = compile_source(source); !alone) {
      return refuse(alone.error(), tool.field);
    }
  }
  return refuse(error, "tools");
}

Result<ForceToken> budget_of(const Turn& turn, bool in_reasoning, const AnswerShape& shape,
                             const Tokenizer& tokenizer) {
  if (!turn.thinking.max_tokens || !shape.reasoning) return ForceToken();
  ReasoningBudget budget(*shape.reasoning, in_reasoning, *turn.thinking.max_tokens,
                         {.text_of =
                              [&tokenizer, &shape](TokenId id) {
                                const TokenText text = text_in_answer(id, tokenizer, &shape);
                                return text.is_control ? std::string_view() : text.bytes;
                              },
                          .encode =
                              [&tokenizer](std::string_view text) {
                                return tokenizer.encode(text, SpecialTokens::kParse);
                              }});
  if (budget.can_close()) return ForceToken(std::move(budget));
  return fail(ErrorCode::kUnsupported,
              fmt::format("{}: this model's tokenizer can't write what closes its reasoning",
                          turn.thinking.budget_field),
              turn.thinking.budget_field);
}

}  // namespace

TokenText text_in_answer(TokenId id, const Tokenizer& tokenizer, const AnswerShape* shape) {
  TokenText text = text_of(id, tokenizer);
  if (shape != nullptr && shape->is_marker(id)) text.is_control = false;
  return text;
}

PromptTools prompt_tools_of(const Turn& turn, const LoadedModel& model) {
  PromptTools tools{.tools = {}, .shape = model.answer_shape()};
  if (may_call(turn)) tools.tools = turn.tools;
  return tools;
}

Result<TurnPlan> plan_turn(const Turn& turn, bool in_reasoning, LoadedModel& model) {
  TurnPlan plan;
  const AnswerShape* const shape = turn.separates ? model.answer_shape() : nullptr;
  std::optional<GrammarSource> source;
  if (turn.form) source = turn.form->source;
  if (shape != nullptr) {
    JARIP_TRY(source, call_grammar(turn.tools, turn.tool_choice, *shape, in_reasoning, source));
  }
  if (source) {
    auto grammar = model.compile_grammar(*source);
    if (!grammar) return find_fault(turn, shape, grammar.error());
    plan.grammar = *std::move(grammar);
  }
  if (shape == nullptr) return plan;
  // A form may have words that look like a call and aren't one.
  const bool may_be_form = turn.form && turn.tool_choice.kind == ToolChoice::Kind::kAuto;
  plan.split =
      SplitOptions{.reasoning = shape->reasoning,
                   .begins_in_reasoning = in_reasoning,
                   .shape = may_call(turn) ? &shape->calls : nullptr,
                   .functions = {},
                   .is_constrained = may_call(turn) && plan.grammar != nullptr && !may_be_form,
                   .is_harmony = shape->is_harmony};
  for (const Tool& tool : turn.tools) {
    if (!turn.tool_choice.allows(tool.name)) continue;
    plan.split->functions.push_back({tool.name, {}});
    if (shape->calls.tagged)
      plan.split->functions.back().arguments = argument_types(tool.parameters);
  }
  JARIP_TRY(plan.force, budget_of(turn, in_reasoning, *shape, model.tokenizer()));
  return plan;
}

}  // namespace jarip
