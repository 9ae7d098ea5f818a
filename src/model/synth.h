// Model files of real shapes with made-up weights, for measuring speed: every program that reads
// GGUF can load them, and they come from nowhere. Free functions; the caller's thread and pool.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/new_file.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "model/file_types.h"
#include "model/synth_family.h"
#include "tensor/format.h"

namespace jarip {

// The size of a model; without a family of its own, its embedding tied to its output.
struct SynthShape {
  std::string_view name;
  std::uint32_t n_layers;
  std::uint32_t d_model;
  std::uint32_t n_heads;
  std::uint32_t n_kv_heads;
  std::uint32_t head_dim;
  std::uint32_t d_ff;
  std::uint32_t n_vocab;
  std::uint32_t n_ctx;
  float rope_base;
  float norm_eps;
  std::string_view pretokenizer;
};

[[nodiscard]] std::span<const SynthShape> synth_shapes();

struct SynthTensor {
  std::string name;
  Format format;
  std::vector<std::uint64_t> shape;  // shape[0] is contiguous
  float mean;                        // of the weights
  float deviation;                   // standard deviation of the weights

  [[nodiscard]] std::uint64_t n_elements() const;
};

// All tensors of a file, in its order.
[[nodiscard]] std::vector<SynthTensor> synth_tensors(
    const SynthShape& shape, FileType format, const SynthFamily& family = synth_families().front());

// "qwen3-tiny": the family's name in the place of the shape's.
[[nodiscard]] std::string synth_name(const SynthShape& shape, const SynthFamily& family);

struct SynthRequest {
  const SynthShape* shape = nullptr;
  const SynthFamily* family = synth_families().data();
  FileType format = FileType::kQ4_K_M;
  std::uint64_t seed = 0;
  std::filesystem::path path;
  Existing existing = Existing::kRefuse;
  std::function<void(float fraction)> on_progress = {};  // on the calling thread; may be empty
};

// Writes the file and returns its size. Its bytes are a function of shape, family, format and seed;
// one seed gives the same weights in every format but for their rounding. Errors: those of NewFile.
[[nodiscard]] Result<std::uint64_t> write_synthetic_model(const SynthRequest& request,
                                                          ThreadPool& pool);

}  // namespace jarip
