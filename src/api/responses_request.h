// Requests of OpenAI's Responses API: JSON bytes in, a neutral Turn out, and what the response
// repeats of them. What every field may be is written in the tables of the source file. Pure
// functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/schema_set.h"
#include "app/turn.h"
#include "base/result.h"

namespace jarip {

// What a response says of its request. Texts are JSON.
struct ResponseEcho {
  std::string instructions = "null";
  std::string metadata = "{}";
  std::string format = R"({"type":"text"})";  // of the text
  std::string user = "null";
  std::string safety_identifier = "null";
  std::string prompt_cache_key = "null";
  std::optional<std::uint32_t> max_output_tokens;
  std::uint32_t top_logprobs = 0;
  float temperature = 1;
  float top_p = 1;
  float presence_penalty = 0;
  float frequency_penalty = 0;
  bool parallel_tool_calls = true;
  std::string effort = "null";
  std::string tools = "[]";
  std::string tool_choice = R"("auto")";
};

struct ResponsesRequest {
  Turn turn;
  bool is_stream = false;
  ResponseEcho echo;
};

// n_vocab bounds token ids. Errors: kInvalidArgument and kUnsupported, naming the field by its path
// ("input[1].content[0].type").
[[nodiscard]] Result<ResponsesRequest> parse_responses_request(std::string_view body,
                                                               std::uint32_t n_vocab);

void describe_responses_requests(SchemaSet& schemas);

}  // namespace jarip
