#include "model/layer_weights.h"

namespace jarip {

Result<Projection> load_projection(const StoredProjection& tensors, Packer& pack) {
  Projection out;
  JARIP_TRY(out.matrix, pack(tensors.matrix));
  out.bias = tensors.bias;
  return out;
}

namespace {

Result<RecurrentWeights> load_recurrent(const RecurrentTensors& tensors, Packer& pack) {
  RecurrentWeights out;
  JARIP_TRY(out.mixed, load_projection(tensors.mixed, pack));
  JARIP_TRY(out.gate, load_projection(tensors.gate, pack));
  JARIP_TRY(out.beta, load_projection(tensors.beta, pack));
  JARIP_TRY(out.alpha, load_projection(tensors.alpha, pack));
  JARIP_TRY(out.out, load_projection(tensors.out, pack));
  const std::size_t n_rows = tensors.mixed.matrix.n_rows;
  const std::size_t width = tensors.conv.size() / n_rows;
  out.conv.resize(tensors.conv.size());
  for (std::size_t row = 0; row < n_rows; ++row) {
    for (std::size_t j = 0; j < width; ++j) {
      out.conv[j * n_rows + row] = tensors.conv[row * width + j];
    }
  }
  out.alpha_bias = tensors.alpha_bias;
  out.decay = tensors.decay;
  out.norm = tensors.norm;
  return out;
}

Result<void> load_attention(const LayerTensors& tensors, Packer& pack, LayerWeights& out) {
  JARIP_TRY(out.query, load_projection(tensors.query, pack));
  JARIP_TRY(out.key, load_projection(tensors.key, pack));
  JARIP_TRY(out.value, load_projection(tensors.value, pack));
  JARIP_TRY(out.attention_out, load_projection(tensors.attention_out, pack));
  return {};
}

}  // namespace

Result<LayerWeights> load_layer(const LayerTensors& tensors, Packer& pack) {
  LayerWeights out;
  out.attention_norm = tensors.attention_norm;
  out.attention_post_norm = tensors.attention_post_norm;
  out.ff_norm = tensors.ff_norm;
  out.ff_post_norm = tensors.ff_post_norm;
  out.query_norm = tensors.query_norm;
  out.key_norm = tensors.key_norm;
  out.sinks = tensors.sinks;
  if (tensors.recurrent.conv.empty()) {
    JARIP_CHECK(load_attention(tensors, pack, out));
  } else {
    JARIP_TRY(out.recurrent, load_recurrent(tensors.recurrent, pack));
  }
  if (tensors.router.matrix.n_rows != 0) {
    JARIP_TRY(out.router, load_projection(tensors.router, pack));
  }
  if (tensors.shared_gate.n_rows != 0) {
    JARIP_TRY(out.shared_gate, pack(tensors.shared_gate));
  }
  for (const FeedForwardTensors& expert : tensors.experts) {
    FeedForward& to = out.experts.emplace_back();
    JARIP_TRY(to.gate, load_projection(expert.gate, pack));
    JARIP_TRY(to.up, load_projection(expert.up, pack));
    JARIP_TRY(to.down, load_projection(expert.down, pack));
  }
  return out;
}

std::size_t RecurrentWeights::memory_bytes() const {
  std::size_t sum = 0;
  for (const auto* vector : {&conv, &alpha_bias, &decay, &norm}) {
    sum += vector->size() * sizeof(float);
  }
  for (const Projection* projection : {&mixed, &gate, &beta, &alpha, &out}) {
    sum += projection->memory_bytes();
  }
  return sum;
}

std::size_t LayerWeights::memory_bytes() const {
  std::size_t sum = recurrent.memory_bytes() + shared_gate.memory_bytes();
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
