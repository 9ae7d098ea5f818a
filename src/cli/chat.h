// `jarip chat`: a conversation at the terminal, or over pipes.
#pragma once

#include <optional>
#include <string>

#include "base/language.h"
#include "base/result.h"
#include "cli/model_settings.h"
#include "cli/sampling_settings.h"

namespace jarip {

struct ChatOptions {
  std::string model;
  std::optional<std::string> system;
  bool history = true;  // keep what was typed in $JARIP_HOME/history
  ModelSettings loading;
  SamplingSettings sampling;
  Language language = Language::kEnglish;
};

[[nodiscard]] Result<void> run_chat(const ChatOptions& options);

}  // namespace jarip
