// JSON as the values that chat templates compute with. Pure functions.
#pragma once

#include <string_view>

#include "base/result.h"
#include "model/chat_template.h"

namespace jarip {

// Members keep their order. Errors: kInvalidArgument (no JSON, or nested deeper than 64).
[[nodiscard]] Result<TemplateValue> template_value_of_json(std::string_view text);

}  // namespace jarip
