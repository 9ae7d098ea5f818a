// Recurrent layers, written once over the vector type V: the short convolution, the gated delta
// rule, and gates. Include only through kernels_*.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/cpu/row_text.h"
#include "tensor/kernels.h"

namespace jarip {

template <class V>
void conv_silu(const float* const* rows, const float* weights, std::uint32_t width, std::uint32_t n,
               float* out) {
  const auto one = V::set1(1.0F);
  for (std::uint32_t i = 0; i < n; i += 16) {
    auto sum = V::set1(0.0F);
    for (std::uint32_t j = 0; j < width; ++j) {
      sum = V::fma(V::load(weights + std::size_t{j} * n + i), V::load(rows[j] + i), sum);
    }
    const auto e = exp_lanes<V>(V::mul(sum, V::set1(-1.0F)));
    V::store(out + i, V::div(sum, V::add(one, e)));
  }
}

template <class V>
void sigmoid_mul(const float* gate, const float* x, std::uint32_t n, float* out) {
  const auto one = V::set1(1.0F);
  for (std::uint32_t i = 0; i < n; i += 16) {
    const auto e = exp_lanes<V>(V::mul(V::load(gate + i), V::set1(-1.0F)));
    V::store(out + i, V::div(V::load(x + i), V::add(one, e)));
  }
}

// Sixteen columns of the state at a time stay in the first cache over all tokens.
template <class V>
void gated_delta(const DeltaTask& task) {
  const std::uint32_t d = task.head_dim;
  for (std::uint32_t column = 0; column < d; column += 16) {
    float* const state = task.state + std::size_t{column} * d;
    for (std::uint32_t t = 0; t < task.n_tokens; ++t) {
      const float* q = task.queries + t * task.stride;
      const float* k = task.keys + t * task.stride;
      typename V::F32 sums[4] = {V::set1(0.0F), V::set1(0.0F), V::set1(0.0F), V::set1(0.0F)};
      const auto total = [&]() __attribute__((always_inline)) {
        return V::add(V::add(sums[0], sums[1]), V::add(sums[2], sums[3]));
      };
      for (std::uint32_t i = 0; i < d; i += 4) {
        for (std::uint32_t j = 0; j < 4; ++j) {
          sums[j] = V::fma(V::set1(k[i + j]), V::load(state + std::size_t{i + j} * 16), sums[j]);
        }
      }
      const float kept = task.decays[t * task.gate_stride];
      const auto value = V::load(task.values + t * task.stride + column);
      const auto delta =
          V::mul(V::fma(total(), V::set1(-kept), value), V::set1(task.betas[t * task.gate_stride]));
      const auto decay = V::set1(kept);
      for (auto& sum : sums) sum = V::set1(0.0F);
      for (std::uint32_t i = 0; i < d; i += 4) {
        for (std::uint32_t j = 0; j < 4; ++j) {
          float* const row = state + std::size_t{i + j} * 16;
          const auto next = V::fma(V::set1(k[i + j]), delta, V::mul(V::load(row), decay));
          V::store(row, next);
          sums[j] = V::fma(V::set1(q[i + j]), next, sums[j]);
        }
      }
      V::store(task.out + t * task.out_stride + column, total());
    }
  }
}

}  // namespace jarip
