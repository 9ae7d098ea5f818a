// The tensors that an encoder of a given config must have, found by name and checked for shape.
// Matrices are spans into the file; used while loading.
#pragma once

#include <vector>

#include "base/result.h"
#include "model/encoder_config.h"
#include "model/gguf.h"
#include "model/tensor_finder.h"

namespace jarip {

struct LayerNorm {
  std::vector<float> weight, bias;  // [d_model]
};

struct EncoderLayerTensors {
  StoredHeads heads;                  // [d_model, d_model] each
  StoredProjection attention_out;     // [d_model, d_model]
  LayerNorm attention_norm, ff_norm;  // after each of the two
  StoredProjection gate;              // [d_ff, d_model]; no rows where it isn't gated
  StoredProjection up;                // [d_ff, d_model]
  StoredProjection down;              // [d_model, d_ff]
};

struct EncoderTensors {
  StoredMatrix embedding;        // [n_vocab, d_model]
  std::vector<float> types;      // [n_types, d_model], or empty
  std::vector<float> positions;  // [n_ctx, d_model]; empty where heads rotate
  LayerNorm embedding_norm;
  std::vector<EncoderLayerTensors> layers;
  StoredProjection rank_dense;  // [d_model, d_model]; no rows without one
  StoredProjection rank_out;    // [1, d_model]; no rows in models that don't rank
};

// Errors: those of find_tensors().
[[nodiscard]] Result<EncoderTensors> find_encoder_tensors(const GgufFile& file,
                                                          const EncoderConfig& config);

}  // namespace jarip
