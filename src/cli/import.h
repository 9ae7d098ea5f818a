// `jarip import`: copies a model file into the library. Runs on the main thread.
#pragma once

#include <string>

#include "base/result.h"

namespace jarip {

struct ImportOptions {
  std::string file;
  std::string name;  // empty: the file's name without .gguf
};

// The answer goes to standard output, progress to standard error. Errors: those of
// ModelLibrary::import_file.
[[nodiscard]] Result<void> run_import(const ImportOptions& options);

}  // namespace jarip
