// Made-up models that embed texts or rank them: the families there are, and what files of encoders
// hold. Constant data and free functions; any thread.
#pragma once

#include <span>
#include <vector>

#include "model/gguf_writer.h"
#include "model/synth.h"
#include "model/synth_family.h"

namespace jarip {

[[nodiscard]] std::span<const SynthFamily> synth_embedding_families();

// Encoders have other tensors and keys than decoders.
[[nodiscard]] bool is_encoder(const SynthFamily& family);
[[nodiscard]] std::vector<SynthTensor> encoder_tensors(const SynthShape& shape,
                                                       const FileTypeRow& formats,
                                                       const SynthFamily& family);
void add_encoder_config(GgufWriter& writer, const SynthShape& shape, const SynthFamily& family);

// How texts pool, and what is written around them.
void add_pooling(GgufWriter& writer, const SynthFamily& family);

}  // namespace jarip
