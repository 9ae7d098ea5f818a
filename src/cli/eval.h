// `jarip eval`: how well a model predicts a text (perplexity), and how far its distributions are
// from another's (kl). Drives the model itself, without an engine. Runs on the main thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/model_settings.h"

namespace jarip {

struct EvalOptions {
  std::string model;
  std::string base;                   // of kl: whose distributions count as the truth
  std::string text;                   // a file of text; - is standard input
  std::uint32_t chunk = 512;          // tokens that are read together
  std::uint32_t chunks = 0;           // how many at most; 0: all of the text
  std::optional<std::uint32_t> skip;  // of each chunk, tokens that are only read; none: half
  std::optional<std::string> lora;    // an adapter of the model
  bool json = false;
  ModelSettings loading;  // threads, path, kv_format, cpu
};

// Both stop at Ctrl-C with what was measured until then. Errors: those of loading,
// kInvalidArgument (a chunk longer than a model's context, a text shorter than a chunk, models with
// different vocabularies), kIo.
[[nodiscard]] Result<void> run_eval_perplexity(const EvalOptions& options);
[[nodiscard]] Result<void> run_eval_kl(const EvalOptions& options);

}  // namespace jarip
