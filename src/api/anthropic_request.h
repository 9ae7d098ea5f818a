// Requests of Anthropic's Messages API: JSON bytes in, a neutral Turn out. What every field may be
// is written in the tables of the source file. Pure functions.
#pragma once

#include <string_view>

#include "api/schema_set.h"
#include "app/turn.h"
#include "base/result.h"

namespace jarip {

struct AnthropicRequest {
  Turn turn;
  bool is_stream = false;
};

// n_vocab bounds token ids. Errors: kInvalidArgument and kUnsupported, naming the field by its path
// ("messages[1].content[0].type").
[[nodiscard]] Result<AnthropicRequest> parse_anthropic_request(std::string_view body,
                                                               std::uint32_t n_vocab);
// The body of a request to count tokens: the same but for what concerns only the answer.
[[nodiscard]] Result<Turn> parse_anthropic_count(std::string_view body);

void describe_anthropic_requests(SchemaSet& schemas);

}  // namespace jarip
