// `jarip models`: the models of the library. Runs on the main thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "app/model_outline.h"
#include "base/result.h"
#include "model/library.h"

namespace jarip {

struct ModelsOptions {
  bool json = false;
};

// The answer goes to standard output; of an empty library standard error says how to fill it.
// Error: kIo.
[[nodiscard]] Result<void> run_models(const ModelsOptions& options);

struct ListedModel {
  LibraryModel file;
  Result<ModelOutline> outline;  // or why it can't run here
};

// n_memory_bytes: what models may take.
[[nodiscard]] std::string models_as_text(std::span<const ListedModel> models,
                                         std::uint64_t n_memory_bytes);
[[nodiscard]] std::string models_as_json(std::span<const ListedModel> models,
                                         std::uint64_t n_memory_bytes);

}  // namespace jarip
