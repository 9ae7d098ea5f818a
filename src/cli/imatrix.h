// `jarip imatrix`: has a model read text and writes down how much each column of its matrices
// matters, for `jarip quantize`. Runs on the main thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace jarip {

struct ImatrixOptions {
  std::string model;
  std::string text;                   // a file of text; - is standard input
  std::optional<std::string> output;  // none: named after the model, in this folder
  std::uint32_t chunk = 512;          // tokens that are read together
  std::uint32_t chunks = 0;           // how many at most; 0: all of the text
  bool force = false;
  unsigned threads = 0;  // 0: the cores available to the process
};

// Also says the text's perplexity, since every token's logits are computed. Ctrl-C ends the
// reading; what was read until then is written. Errors: those of loading, kInvalidArgument (a text
// shorter than one chunk), kIo.
[[nodiscard]] Result<void> run_imatrix(const ImatrixOptions& options);

}  // namespace jarip
