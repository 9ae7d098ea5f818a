// Runs a parsed template. One a rendering, on the rendering's thread.
#pragma once

#include <ctime>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/chat_template.h"
#include "model/template/ast.h"
#include "model/template/text.h"

namespace jarip::jinja {

// What ChatTemplate::render() does, but for the segments.
[[nodiscard]] Result<Text> run_program(const Program& program, const TemplateLimits& limits,
                                       const TemplateValue& context,
                                       const std::vector<std::string>& trusted_names,
                                       std::time_t now);

}  // namespace jarip::jinja
