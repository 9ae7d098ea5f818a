// Requests of OpenAI's completion endpoints: JSON bytes in, a neutral Turn out. What every field
// may be is written in the tables of the source file. Pure functions.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "api/schema_set.h"
#include "app/turn.h"
#include "base/result.h"

namespace jarip {

enum class OpenAiEndpoint : std::uint8_t { kChat, kCompletions };

struct OpenAiRequest {
  Turn turn;
  std::vector<TurnInput> more_prompts = {};  // of texts: those after the turn's own
  std::uint32_t n_choices = 1;               // of each prompt
  bool is_stream = false;
  bool include_usage = false;  // of a stream; other answers always have it
};

inline constexpr std::uint32_t kMaxAnswers = 128;  // to all prompts of a request together

// n_vocab bounds token ids. Errors: kInvalidArgument and kUnsupported, naming the field by its path
// ("messages[1].content[0].type").
[[nodiscard]] Result<OpenAiRequest> parse_openai_request(OpenAiEndpoint endpoint,
                                                         std::string_view body,
                                                         std::uint32_t n_vocab);

void describe_openai_requests(SchemaSet& schemas);

}  // namespace jarip
