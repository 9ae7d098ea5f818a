// OpenAI's completions of chats and texts, and its list of models. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "api/answer_writer.h"
#include "api/answerer.h"
#include "base/result.h"

namespace jarip {

[[nodiscard]] Result<AnswerPlan> plan_chat(std::string_view body, const ModelCard& card);
[[nodiscard]] Result<AnswerPlan> plan_completion(std::string_view body, const ModelCard& card);

[[nodiscard]] std::string models_json(const ModelCard& card);
// Errors: kNotFound.
[[nodiscard]] Result<std::string> model_json(const ModelCard& card, std::string_view id);

}  // namespace jarip
