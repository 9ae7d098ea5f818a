// `jarip synth`: writes a model file of a real shape with made-up weights, to measure speed with.
// Runs on the main thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "model/synth.h"

namespace jarip {

struct SynthOptions {
  const SynthShape* shape = nullptr;
  bool tiny = false;  // the smallest shape, whatever it is called
  const SynthFamily* family = nullptr;
  FileType format = FileType::kQ4_K_M;
  std::uint64_t seed = 0;
  std::string output;  // empty: named after family, shape and format, in the current folder
  bool force = false;
  unsigned threads = 0;  // 0: the cores available to the process
};

// The answer goes to standard output, progress to standard error. Errors: those of
// write_synthetic_model.
[[nodiscard]] Result<void> run_synth(const SynthOptions& options);

}  // namespace jarip
