// Logarithms of tokens' probabilities as OpenAI writes them. Pure functions.
#pragma once

#include <span>
#include <string>

#include "app/turn.h"

namespace jarip {

// JSON has no infinity: a token that can't come has the number that OpenAI writes for it.
[[nodiscard]] std::string logprob_json(float logprob);

// A list, in order: [{"token":…,"logprob":…,"bytes":[…],"top_logprobs":[…]},…]
[[nodiscard]] std::string token_logprobs_json(std::span<const TokenDetail> details);

}  // namespace jarip
