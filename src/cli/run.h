// `jarip run`: one prompt, one answer on standard output.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "cli/model_settings.h"
#include "cli/sampling_settings.h"

namespace jarip {

struct RunOptions {
  std::string model;
  std::optional<std::string> prompt;  // absent or "-": standard input
  bool raw = false;                   // complete the text as it is, without the chat template
  std::optional<std::string> system;
  bool stats = false;
  ModelSettings loading;
  SamplingSettings sampling;
};

// Errors: kCancelled after Ctrl-C, those of loading and of the pipeline.
[[nodiscard]] Result<void> run_run(const RunOptions& options);

}  // namespace jarip
