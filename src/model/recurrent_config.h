// What a file says of its recurrent layers. Free functions; used while loading.
#pragma once

#include <string>

#include "base/result.h"
#include "model/config.h"
#include "model/gguf.h"

namespace jarip {

// Fills in config.recurrent and which layers are recurrent; all else of config is there. Errors:
// kCorrupt (missing or impossible numbers), kUnsupported (what can't run here), by key.
[[nodiscard]] Result<void> read_recurrent_layers(const GgufFile& file, const std::string& prefix,
                                                 ModelConfig& config);

// Positions of several kinds (text, height, width) are one and the same for texts, as long as every
// pair of dimensions turns by one of them. Errors: kCorrupt, kUnsupported, by key.
[[nodiscard]] Result<void> check_rope_sections(const GgufFile& file, const std::string& prefix,
                                               const ModelConfig& config);

}  // namespace jarip
