// `jarip quantize`: writes a model file anew in a smaller format. Runs on the main thread.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "model/file_types.h"

namespace jarip {

struct QuantizeOptions {
  std::string source;                 // the path of a GGUF file
  std::optional<std::string> output;  // none: named after source and format, in this folder
  FileType format = FileType::kQ4_K_M;
  std::string imatrix;  // a file of `jarip imatrix`; empty: none
  bool force = false;
  unsigned threads = 0;  // 0: the cores available to the process
};

// The answer goes to standard output, progress and advice to standard error. Ctrl-C stops, and
// leaves no file. Errors: those of GgufFile::open, Importance::load and quantize_model.
[[nodiscard]] Result<void> run_quantize(const QuantizeOptions& options);

}  // namespace jarip
