// What makes a score of a pooled vector: a classifier of one or two layers. Owned by the model that
// ranks; used on the thread that calls it, with the pool's help.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "model/layer_weights.h"
#include "model/tensor_finder.h"
#include "tensor/activations.h"
#include "tensor/kernels.h"

namespace jarip {

class RankHead {
 public:
  // dense: before the other, through tanh; no rows: none. out: a row for each label. Errors:
  // kUnavailable (memory).
  [[nodiscard]] static Result<RankHead> load(const StoredProjection& dense,
                                             const StoredProjection& out, Packer& pack,
                                             const Kernels& kernels);

  [[nodiscard]] std::size_t memory_bytes() const;
  [[nodiscard]] std::uint32_t n_labels() const { return out_.matrix.n_rows(); }
  // vectors: [n, d_model], changed; labels: [n, n_labels].
  void classify(std::span<float> vectors, std::span<float> labels);

 private:
  explicit RankHead(const Kernels& kernels) : kernels_(&kernels) {}
  void multiply(std::span<const float> vectors, const Projection& projection, std::span<float> out);

  const Kernels* kernels_;
  std::optional<Projection> dense_;
  Projection out_;
  QuantizedRows quantized_;
  std::vector<float> hidden_;
};

// The hyperbolic tangent, the same bits on every machine.
[[nodiscard]] float exact_tanh(float x);

}  // namespace jarip
