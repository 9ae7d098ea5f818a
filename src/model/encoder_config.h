// What a model file says of an encoder: a family whose tokens all see one another, and which gives
// vectors and no text. Read while loading.
#pragma once

#include <span>
#include <string_view>

#include "base/result.h"
#include "model/config.h"
#include "model/gguf.h"

namespace jarip {

struct EncoderFamily {
  std::string_view name;  // general.architecture
  bool rotates = false;   // heads turn with their position; else positions have vectors
  bool gated = false;     // the feed-forward is SiLU(gate) * up; else GELU(up)
};

[[nodiscard]] std::span<const EncoderFamily> encoder_families();
// Null for all others.
[[nodiscard]] const EncoderFamily* find_encoder_family(std::string_view name);

struct EncoderConfig {
  const EncoderFamily* family = nullptr;
  ModelConfig shape;  // its sizes, epsilon, rotation and pooling; what decoders alone have is unset
};

// Errors: kUnsupported (another family, no pooling), kCorrupt (missing or impossible numbers, by
// key).
[[nodiscard]] Result<EncoderConfig> read_encoder_config(const GgufFile& file);

}  // namespace jarip
