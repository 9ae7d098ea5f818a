// The tensors that a model of a given config must have, found by name and checked for shape, for
// both compute paths. Spans into the file; used while loading.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/config.h"
#include "model/gguf.h"

namespace jarip {

struct LayerTensors {
  const GgufTensor* attention_norm;  // [d_model]
  const GgufTensor* query;           // [n_heads * head_dim, d_model], rows are outputs
  const GgufTensor* key;             // [n_kv_heads * head_dim, d_model]
  const GgufTensor* value;           // the same
  const GgufTensor* attention_out;   // [d_model, n_heads * head_dim]
  const GgufTensor* ff_norm;         // [d_model]
  const GgufTensor* gate;            // [d_ff, d_model]
  const GgufTensor* up;              // [d_ff, d_model]
  const GgufTensor* down;            // [d_model, d_ff]
};

struct ModelTensors {
  const GgufTensor* embedding;    // [n_vocab, d_model]
  const GgufTensor* output_norm;  // [d_model]
  const GgufTensor* output;       // [n_vocab, d_model]; the embedding where they are tied
  const GgufTensor* rope_factors = nullptr;  // [rope_dim / 2] divisors of frequencies, or null
  std::vector<LayerTensors> layers;
};

// Errors: kCorrupt for a tensor that is missing or of another shape; kUnsupported for one that this
// family isn't known to have, since leaving it out would change the answers. All name the tensor.
[[nodiscard]] Result<ModelTensors> find_tensors(const GgufFile& file, const ModelConfig& config);

// A vector tensor as f32.
[[nodiscard]] std::vector<float> read_vector(const GgufTensor& tensor);

}  // namespace jarip
