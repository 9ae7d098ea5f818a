// A model written into a file with its matrices in other block formats; what else it holds stays.
// Free functions; the caller's thread and pool.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>

#include "base/new_file.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "model/file_types.h"
#include "model/importance.h"
#include "model/model_source.h"

namespace jarip {

struct QuantizeRequest {
  const ModelSource* source = nullptr;
  std::optional<FileType> format = FileType::kQ4_K_M;  // none: every tensor keeps its own
  const Importance* importance = nullptr;              // may be null
  std::filesystem::path path;
  Existing existing = Existing::kRefuse;
  // On the calling thread; false stops the work. May be empty.
  std::function<bool(float fraction)> on_progress = {};
};

struct QuantizeReport {
  std::uint64_t n_bytes = 0;    // of the new file
  std::uint64_t n_weights = 0;  // of all tensors
  std::uint32_t n_matrices = 0;
  std::uint32_t n_requantized = 0;         // matrices that were below 16 bits before
  std::uint32_t n_without_importance = 0;  // matrices of which the given importance knows nothing
};

// Errors: kInvalidArgument (a file that is one of several parts), kCorrupt (weights that aren't
// finite, naming the tensor), kCancelled, those of the source and of NewFile.
[[nodiscard]] Result<QuantizeReport> quantize_model(const QuantizeRequest& request,
                                                    ThreadPool& pool);

}  // namespace jarip
