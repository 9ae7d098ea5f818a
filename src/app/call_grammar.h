// A tool choice as what an answer is held to. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "app/answer_shape.h"
#include "app/turn.h"
#include "grammar/source.h"

namespace jarip {

inline constexpr std::uint32_t kMaxConstrainedCalls = 16;  // in one answer

// Nothing where any text will do: no form, and no call that must be made or must match. The answer
// proper matches the form or is calls; the model's reasoning may come before it. in_reasoning: the
// prompt has opened the reasoning.
// Errors: kUnsupported, with the field of a function whose arguments this model can't write.
[[nodiscard]] Result<std::optional<GrammarSource>> call_grammar(
    std::span<const Tool> tools, const ToolChoice& choice, const AnswerShape& shape,
    bool in_reasoning, const std::optional<GrammarSource>& form);

// What the arguments of a call match. is_free: the schema isn't held to.
[[nodiscard]] GrammarSource arguments_grammar(const Tool& tool, const AnswerShape& shape,
                                              bool is_free);

}  // namespace jarip
