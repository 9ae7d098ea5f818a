// `jarip convert`: a model of Hugging Face's hub as a GGUF file. Runs on the main thread.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "model/file_types.h"
#include "model/pooling.h"

namespace jarip {

struct ConvertOptions {
  std::string source;                 // a folder, or a .safetensors file beside its config.json
  std::optional<std::string> base;    // of an adapter: the model that it is for
  std::optional<std::string> output;  // none: named after the source, in this folder
  std::optional<FileType> format;     // none: weights stay as they are
  std::optional<Pooling> pooling;     // none: as the folder says
  bool force = false;
  unsigned threads = 0;  // 0: the cores available to the process
};

// The answer goes to standard output, progress to standard error. Ctrl-C stops, and leaves no file.
// Errors: those of HubModel::open and quantize_model.
[[nodiscard]] Result<void> run_convert(const ConvertOptions& options);

}  // namespace jarip
