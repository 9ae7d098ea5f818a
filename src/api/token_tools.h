// Text to tokens and back, and messages to the text that a model reads, as llama.cpp's server
// offers them. JSON in, JSON out; any thread.
#pragma once

#include <string>
#include <string_view>

#include "api/schema_set.h"
#include "app/answerer.h"
#include "base/result.h"

namespace jarip {

[[nodiscard]] Result<std::string> tokenize_json(std::string_view body, const Answerer& answerer);
[[nodiscard]] Result<std::string> detokenize_json(std::string_view body, const Answerer& answerer);
[[nodiscard]] Result<std::string> apply_template_json(std::string_view body,
                                                      const Answerer& answerer);

void describe_token_tools(SchemaSet& schemas);

}  // namespace jarip
