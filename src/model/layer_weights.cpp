#include "model/layer_weights.h"

namespace jarip {

Result<Projection> load_projection(const StoredProjection& tensors, Packer& pack) {
  Projection out;
  JARIP_TRY(out.matrix, pack(tensors.matrix));
  out.bias = tensors.bias;
  return out;
}

Result<LayerWeights> load_layer(const LayerTensors& tensors, Packer& pack) {
  LayerWeights out;
  out.attention_norm = tensors.attention_norm;
  out.attention_post_norm = tensors.attention_post_norm;
  out.ff_norm = tensors.ff_norm;
  out.ff_post_norm = tensors.ff_post_norm;
  out.query_norm = tensors.query_norm;
  out.key_norm = tensors.key_norm;
  out.sinks = tensors.sinks;
  JARIP_TRY(out.query, load_projection(tensors.query, pack));
  JARIP_TRY(out.key, load_projection(tensors.key, pack));
  JARIP_TRY(out.value, load_projection(tensors.value, pack));
  JARIP_TRY(out.attention_out, load_projection(tensors.attention_out, pack));
  if (tensors.router.matrix.n_rows != 0) {
    JARIP_TRY(out.router, load_projection(tensors.router, pack));
  }
  for (const FeedForwardTensors& expert : tensors.experts) {
    FeedForward& to = out.experts.emplace_back();
    JARIP_TRY(to.gate, load_projection(expert.gate, pack));
    JARIP_TRY(to.up, load_projection(expert.up, pack));
    JARIP_TRY(to.down, load_projection(expert.down, pack));
  }
  return out;
}

std::size_t LayerWeights::memory_bytes() const {
  std::size_t sum = 0;
  for (const auto* vector : {&attention_norm, &attention_post_norm, &ff_norm, &ff_post_norm,
                             &query_norm, &key_norm, &sinks}) {
    sum += vector->size() * sizeof(float);
  }
  for (const Projection* projection : {&query, &key, &value, &attention_out, &router}) {
    sum += projection->memory_bytes();
  }
  for (const FeedForward& expert : experts) {
    sum += expert.gate.memory_bytes() + expert.up.memory_bytes() + expert.down.memory_bytes();
  }
  return sum;
}

}  // namespace jarip
