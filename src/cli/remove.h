// `jarip rm`: removes a model from the library. Runs on the main thread.
#pragma once

#include <string>

#include "base/language.h"
#include "base/result.h"

namespace jarip {

struct RemoveOptions {
  std::string name;
  bool yes = false;
  Language language = Language::kEnglish;  // of the question
};

// Asks on a terminal. Errors: kNotFound; kInvalidArgument (nobody to ask, and not told to go
// ahead); kCancelled (the answer was no); kIo.
[[nodiscard]] Result<void> run_remove(const RemoveOptions& options);

}  // namespace jarip
