// How answers are drawn: the settings that run and chat share. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/turn.h"
#include "base/options.h"

namespace jarip {

struct SamplingSettings {
  // Milder than the plain distribution, which small models wander off in.
  float temperature = 0.7F;
  bool greedy = false;  // temperature 0, whatever it is set to
  std::uint32_t top_k = 0;
  float top_p = 0.95F;
  float min_p = 0;
  float repetition_penalty = 1;
  float presence_penalty = 0;
  float frequency_penalty = 0;
  std::optional<std::uint64_t> seed;
  std::optional<std::uint32_t> max_tokens;
  std::vector<std::string> stop;
};

void declare_sampling(OptionSet& set, SamplingSettings& settings);

// Writes the settings into a turn.
void apply(const SamplingSettings& settings, Turn& turn);

}  // namespace jarip
