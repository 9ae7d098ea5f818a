// `jarip models`: the models of the library. Runs on the main thread.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "model/library.h"

namespace jarip {

struct ModelsOptions {
  bool json = false;
};

// The answer goes to standard output; of an empty library standard error says how to fill it.
// Error: kIo.
[[nodiscard]] Result<void> run_models(const ModelsOptions& options);

[[nodiscard]] std::string models_as_text(std::span<const LibraryModel> models);
[[nodiscard]] std::string models_as_json(std::span<const LibraryModel> models);

}  // namespace jarip
