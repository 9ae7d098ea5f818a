// `jarip inspect`: what a model file holds and the memory it will need. Runs on the main thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/gguf.h"

namespace jarip {

struct InspectOptions {
  std::string model;  // a name in the library or a path
  bool json = false;
};

// The answer goes to standard output. Errors: those of ModelLibrary::resolve and GgufFile::open.
[[nodiscard]] Result<void> run_inspect(const InspectOptions& options);

// The two answers. A model that this build can't run is described all the same, and why is said in
// place of its memory.
[[nodiscard]] std::string inspect_as_text(const GgufFile& file, std::string_view path);
[[nodiscard]] std::string inspect_as_json(const GgufFile& file, std::string_view path);

}  // namespace jarip
