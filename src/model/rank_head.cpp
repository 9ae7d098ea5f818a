#include "model/rank_head.h"

#include "base/exact_math.h"

namespace jarip {

float exact_tanh(float x) { return static_cast<float>(1 - 2 / (exact_exp(2.0 * x) + 1)); }

Result<RankHead> RankHead::load(const StoredProjection& dense, const StoredProjection& out,
                                Packer& pack, const Kernels& kernels) {
  RankHead head(kernels);
  if (dense.matrix.n_rows != 0) {
    JARIP_TRY(head.dense_, load_projection(dense, pack));
  }
  JARIP_TRY(head.out_, load_projection(out, pack));
  return head;
}

std::size_t RankHead::memory_bytes() const {
  return out_.memory_bytes() + (dense_ ? dense_->memory_bytes() : 0);
}

void RankHead::classify(std::span<float> vectors, std::span<float> labels) {
  if (dense_) {
    hidden_.resize(vectors.size());
    multiply(vectors, *dense_, hidden_);
    for (float& value : hidden_) value = exact_tanh(value);
    vectors = hidden_;
  }
  multiply(vectors, out_, labels);
}

void RankHead::multiply(std::span<const float> vectors, const Projection& projection,
                        std::span<float> out) {
  const std::uint32_t d = projection.matrix.n_cols();
  const std::uint32_t n_rows = projection.matrix.n_rows();
  const auto n = static_cast<std::uint32_t>(vectors.size() / d);
  quantized_.resize(n, d);
  for (std::size_t row = 0; row < n; ++row) {
    quantize(*kernels_, vectors.data() + row * d, d, quantized_, row);
  }
  kernels_->matmul(projection.matrix, {vectors.data(), &quantized_},
                   {0, n, 0, projection.matrix.n_tiles()}, out.data(), n_rows, Epilogue::kStore);
  for (std::size_t i = 0; i < out.size() && !projection.bias.empty(); ++i) {
    out[i] += projection.bias[i % n_rows];
  }
}

}  // namespace jarip
