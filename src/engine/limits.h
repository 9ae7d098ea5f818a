// What the engine accepts: ranges of options and requests, checked once at the door. Pure
// functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"
#include "engine/engine.h"

namespace jarip {

// Options with every default and cap worked out.
struct EngineLimits {
  std::uint32_t n_vocab = 0;
  std::uint32_t n_ctx = 0;
  std::uint32_t n_pages = 0;         // at least one full context
  std::uint32_t n_states = 0;        // of models with recurrent layers; 0 for others
  std::uint32_t max_sequences = 0;   // computed at once; at most max_step_tokens, and n_states
  std::uint32_t max_unfinished = 0;  // computed and waiting together
  std::uint32_t max_step_tokens = 0;
  std::uint32_t max_draft_tokens = 0;
  std::uint32_t attention_depth = 0;  // of SchedulerLimits
  bool prefix_cache = true;
};

// Errors: kInvalidArgument, naming the option; kUnsupported (a vocabulary too large to sample).
[[nodiscard]] Result<EngineLimits> work_out_limits(const EngineOptions& options,
                                                   const ModelConfig& config,
                                                   std::size_t page_bytes,
                                                   std::size_t state_bytes = 0);

// Errors: kInvalidArgument, naming the field; kContextOverflow.
[[nodiscard]] Result<void> check_request(const GenerateRequest& request,
                                         const EngineLimits& limits);

}  // namespace jarip
