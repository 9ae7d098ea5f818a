// One layer's weights as the optimized path holds them: packed matrices and their vectors.
// Immutable once loaded; read by all threads.
#pragma once

#include <cstddef>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "model/tensors.h"
#include "tensor/packed_matrix.h"

namespace jarip {

struct Projection {
  PackedMatrix matrix;
  std::vector<float> bias;  // [n_rows], or empty

  [[nodiscard]] std::size_t memory_bytes() const {
    return matrix.memory_bytes() + bias.size() * sizeof(float);
  }
};

struct FeedForward {
  Projection gate, up, down;
};

// Shapes are those of RecurrentTensors.
struct RecurrentWeights {
  Projection mixed, gate, beta, alpha, out;
  std::vector<float> conv;  // [conv_width, mixed_dim]
  std::vector<float> alpha_bias, decay;
  std::vector<float> norm;

  [[nodiscard]] std::size_t memory_bytes() const;
};

// Shapes are those of LayerTensors; vectors are empty where the family has none.
struct LayerWeights {
  std::vector<float> attention_norm, attention_post_norm;
  std::vector<float> ff_norm, ff_post_norm;
  std::vector<float> query_norm, key_norm;
  std::vector<float> sinks;
  Projection query, key, value, attention_out;  // empty in recurrent layers
  RecurrentWeights recurrent;                   // empty in others
  Projection router;
  PackedMatrix shared_gate;
  std::vector<FeedForward> experts;

  [[nodiscard]] std::size_t memory_bytes() const;
};

// Packs the matrices of a model.
struct Packer {
  ThreadPool& pool;
  const PackedMatrix::OnRead& on_read;
  bool quantizes = false;  // one that was packed wants the rows it is multiplied with quantized

  [[nodiscard]] Result<PackedMatrix> operator()(const StoredMatrix& matrix) {
    quantizes = quantizes || !is_float(matrix.format);
    return PackedMatrix::pack(matrix.format, matrix.bytes, matrix.n_rows, matrix.n_cols, pool,
                              on_read);
  }
};

// Errors: kUnavailable (memory).
[[nodiscard]] Result<Projection> load_projection(const StoredProjection& tensors, Packer& pack);
[[nodiscard]] Result<LayerWeights> load_layer(const LayerTensors& tensors, Packer& pack);

}  // namespace jarip
