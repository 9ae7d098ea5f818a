// What a request says to the chat template beside its messages: whether and how hard to think, and
// variables by name. Free functions; any thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "app/answer_shape.h"
#include "app/turn.h"
#include "base/result.h"
#include "model/chat_template.h"

namespace jarip {

using TemplateVariables = std::vector<std::pair<std::string, TemplateValue>>;

// Errors: kUnsupported, naming the request's field, where the template can't be told so; and
// kInvalidArgument where two fields say the same.
[[nodiscard]] Result<TemplateVariables> template_variables_of(const Turn& turn,
                                                              const AnswerShape& shape);

}  // namespace jarip
