// `jarip bench`: how fast a model reads and writes on this machine. Drives the model itself,
// without an engine, so that only arithmetic is timed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/model_settings.h"

namespace jarip {

struct BenchOptions {
  std::optional<std::string> model;  // none is needed for the limits
  std::uint32_t n_prefill = 512;     // 0: not timed
  std::uint32_t n_decode = 64;       // 0: not timed
  std::uint32_t batch = 1;           // sequences at once
  std::uint32_t depth = 0;           // tokens of context before what is timed
  std::uint32_t reps = 5;
  bool from_stdin = false;  // what to measure comes in lines; prefill, decode, … don't count
  bool json = false;
  bool limits = false;    // of the machine alone; no model is needed
  bool profile = false;   // of each test's steps
  ModelSettings loading;  // threads, path, kv_format, cpu
};

[[nodiscard]] Result<void> run_bench(const BenchOptions& options);

}  // namespace jarip
