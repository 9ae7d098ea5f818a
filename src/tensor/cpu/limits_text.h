// Loops that do nothing but what a kernel is limited by, written once over the vector type V: what
// they reach is the machine's limit. Include only through kernels_*.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/kernels.h"

namespace jarip {

// Independent sums, so that none waits for its own last addition.
inline constexpr int kSpinSums = 12;

template <class V>
std::int32_t spin_dot(std::uint32_t n_rounds) {
  alignas(64) std::uint8_t weights[64];
  std::int8_t values[4] = {1, 2, 3, 4};
  for (int i = 0; i < 64; ++i) weights[i] = static_cast<std::uint8_t>(i);
  const auto lanes = V::load_bytes(weights);
  typename V::I32 sums[kSpinSums];
  for (auto& sum : sums) sum = V::set1_i32(0);
  for (std::uint32_t round = 0; round < n_rounds; ++round) {
    for (auto& sum : sums) sum = V::dot_small(sum, lanes, values);
  }
  auto total = V::set1(0.0F);
  for (const auto& sum : sums) total = V::add(total, V::to_f32(sum));
  return static_cast<std::int32_t>(V::reduce_max(total));
}

template <class V>
float spin_fma(std::uint32_t n_rounds) {
  typename V::F32 sums[kSpinSums];
  for (int i = 0; i < kSpinSums; ++i) sums[i] = V::set1(static_cast<float>(i));
  const auto half = V::set1(0.5F);
  const auto one = V::set1(1.0F);
  for (std::uint32_t round = 0; round < n_rounds; ++round) {
    for (auto& sum : sums) sum = V::fma(sum, half, one);
  }
  for (int i = 1; i < kSpinSums; ++i) sums[0] = V::add(sums[0], sums[i]);
  return V::reduce_add(sums[0]);
}

template <class V>
float spin_read(const float* from, std::size_t n) {
  typename V::F32 sums[4];
  for (auto& sum : sums) sum = V::set1(0.0F);
  for (std::size_t i = 0; i + 64 <= n; i += 64) {
    for (int j = 0; j < 4; ++j) sums[j] = V::add(sums[j], V::load(from + i + j * 16));
  }
  return V::reduce_add(V::add(V::add(sums[0], sums[1]), V::add(sums[2], sums[3])));
}

}  // namespace jarip
