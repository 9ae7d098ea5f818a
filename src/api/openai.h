// OpenAI's completions of chats and texts. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "api/answer_writer.h"
#include "app/answerer.h"
#include "base/result.h"

namespace jarip {

[[nodiscard]] Result<AnswerPlan> plan_chat(std::string_view body, const ModelCard& card);
[[nodiscard]] Result<AnswerPlan> plan_completion(std::string_view body, const ModelCard& card);

}  // namespace jarip
