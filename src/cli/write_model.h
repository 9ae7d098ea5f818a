// Writing of a model file as people see it: a bar, a way to stop, no file unless it is whole. Free
// functions of the main thread.
#pragma once

#include <filesystem>
#include <optional>

#include "base/result.h"
#include "model/quantize_model.h"

namespace jarip {

struct WriteModelRequest {
  const ModelSource* source = nullptr;
  std::optional<FileType> format;
  const Importance* importance = nullptr;  // may be null
  std::filesystem::path path;
  bool force = false;    // replaces a file of that name
  unsigned threads = 0;  // 0: the cores available to the process
};

// Refuses a file that is there, before the work. Error: kInvalidArgument.
[[nodiscard]] Result<void> check_target(const std::filesystem::path& path, bool force);

// Errors: those of quantize_model.
[[nodiscard]] Result<QuantizeReport> write_model(const WriteModelRequest& request);

}  // namespace jarip
