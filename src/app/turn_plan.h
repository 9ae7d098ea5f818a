// What the functions, the form and the reasoning of a turn mean for its answer: the grammar that it
// is held to, and how it is taken apart. Free functions; any thread.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "app/answer.h"
#include "app/answer_splitter.h"
#include "app/loaded_model.h"
#include "app/prompt.h"
#include "app/turn.h"
#include "grammar/grammar.h"

namespace jarip {

// The functions that the model is told of: none where it may not call.
[[nodiscard]] PromptTools prompt_tools_of(const Turn& turn, const LoadedModel& model);

struct TurnPlan {
  std::shared_ptr<const Grammar> grammar;  // null: any text
  std::optional<SplitOptions> split;       // absent: all is text
  ForceToken force;                        // ends the reasoning in time; empty: nothing to end
};

// The text of a token in an answer of this shape; null: of a text.
[[nodiscard]] TokenText text_in_answer(TokenId id, const Tokenizer& tokenizer,
                                       const AnswerShape* shape);

// in_reasoning: the prompt has opened it. Errors: those of compile_source(), with the request's
// field, and kUnsupported where the reasoning can't be ended.
[[nodiscard]] Result<TurnPlan> plan_turn(const Turn& turn, bool in_reasoning, LoadedModel& model);

}  // namespace jarip
