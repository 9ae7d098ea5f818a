// How a model makes one vector of a text: what a file's {architecture}.pooling_type says. A value.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "model/gguf.h"

namespace jarip {

enum class Pooling : std::uint8_t {
  kNone,   // it doesn't: it writes text
  kMean,   // the mean over all tokens
  kFirst,  // the first token's
  kLast,   // the last token's
  kRank,   // one token's, of which a classifier makes a score
};

// kNone where the file has no such key. Errors: kUnsupported (another number), kCorrupt.
[[nodiscard]] Result<Pooling> read_pooling(const GgufFile& file);

}  // namespace jarip
