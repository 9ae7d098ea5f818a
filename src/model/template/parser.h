// Tokens to Program, by the grammar of Jinja 3.1 with the extensions that chat templates use.
#pragma once

#include <string_view>

#include "base/result.h"
#include "model/chat_template.h"
#include "model/template/ast.h"

namespace jarip::jinja {

// Errors: kCorrupt and kUnsupported, with line and column; kTooLarge past a limit.
[[nodiscard]] Result<Program> parse(std::string_view source, const TemplateLimits& limits);

}  // namespace jarip::jinja
