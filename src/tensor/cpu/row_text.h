// Row-wise operations, written once over the vector type V: norm, quantization, activation, KV
// stores. Include only through kernels_*.cpp.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "tensor/kernels.h"

namespace jarip {

// e^x to about 1 ulp: x = n ln 2 + r, the Taylor series to r^7, times 2^n. 0 below -87 (where the
// result would leave the normal numbers), e^88 above 88.
template <class V>
[[gnu::always_inline]] inline typename V::F32 exp_lanes(typename V::F32 x) {
  constexpr float kCoefficients[] = {1.0F / 5040, 1.0F / 720, 1.0F / 120, 1.0F / 24,
                                     1.0F / 6,    0.5F,       1.0F,       1.0F};
  const auto clamped = V::min(V::max(x, V::set1(-87.0F)), V::set1(88.0F));
  const auto n = V::round(V::mul(clamped, V::set1(1.44269504F)));
  auto r = V::fma(V::to_f32(n), V::set1(-0.693359375F), clamped);  // ln 2 in two parts
  r = V::fma(V::to_f32(n), V::set1(2.12194440e-4F), r);
  auto sum = V::set1(kCoefficients[0]);
  for (int i = 1; i < 8; ++i) sum = V::fma(sum, r, V::set1(kCoefficients[i]));
  return V::zero_below(V::scale_by_power(sum, n), x, -87.0F);
}

template <class V>
void quantize_row(const float* x, std::uint32_t n_cols, std::int8_t* values,
                  ActivationBlock* blocks) {
  for (std::uint32_t b = 0; b < n_cols / kBlockCols; ++b) {
    const auto low = V::load(x + std::size_t{b} * kBlockCols);
    const auto high = V::load(x + std::size_t{b} * kBlockCols + 16);
    const float largest = V::reduce_max(V::max(V::abs(low), V::abs(high)));
    // Below 2^-100 the inverse would overflow and the block is nothing.
    const bool tiny = largest < 0x1p-100F;
    const float scale = tiny ? 0.0F : largest / 127.0F;
    const auto inverse = V::set1(tiny ? 0.0F : 127.0F / largest);
    // The clamp matters for NaN and infinity only, whose conversion would differ by machine.
    const auto limit = V::set1(127.0F);
    const auto neg_limit = V::set1(-127.0F);
    const auto q_low = V::round(V::min(V::max(V::mul(low, inverse), neg_limit), limit));
    const auto q_high = V::round(V::min(V::max(V::mul(high, inverse), neg_limit), limit));
    std::int8_t* to = values + std::size_t{b} * kBlockCols;
    V::store_i8(to, q_low);
    V::store_i8(to + 16, q_high);
    // Whole numbers this small add exactly in f32, in any order.
    const auto sum_low = static_cast<std::int32_t>(V::reduce_add(V::to_f32(q_low)));
    const auto sum_high = static_cast<std::int32_t>(V::reduce_add(V::to_f32(q_high)));
    const std::int32_t sum = sum_low + sum_high;
    blocks[b] = {scale, scale * static_cast<float>(sum), -sum, -sum_low};
  }
}

template <class V>
void rms_norm(const float* x, const float* weight, std::uint32_t n, float eps, float* out) {
  auto squares = V::set1(0.0F);
  for (std::uint32_t i = 0; i < n; i += 16) {
    const auto lanes = V::load(x + i);
    squares = V::fma(lanes, lanes, squares);
  }
  const float mean = V::reduce_add(squares) / static_cast<float>(n);
  const auto inverse = V::set1(1.0F / std::sqrt(mean + eps));
  for (std::uint32_t i = 0; i < n; i += 16) {
    V::store(out + i, V::mul(V::mul(V::load(x + i), inverse), V::load(weight + i)));
  }
}

template <class V>
void silu_mul(const float* gate, const float* up, std::uint32_t n, float* out) {
  const auto one = V::set1(1.0F);
  for (std::uint32_t i = 0; i < n; i += 16) {
    const auto g = V::load(gate + i);
    const auto e = exp_lanes<V>(V::mul(g, V::set1(-1.0F)));
    V::store(out + i, V::mul(V::div(g, V::add(one, e)), V::load(up + i)));
  }
}

// f16 ends at 65504: a larger key or value is held there and can't become an infinity.
template <class V>
[[gnu::always_inline]] inline typename V::F32 clamp_to_f16(typename V::F32 x) {
  return V::min(V::max(x, V::set1(-65504.0F)), V::set1(65504.0F));
}

template <class V>
void store_key(const float* key, std::uint32_t head_dim, std::uint32_t slot, std::byte* page) {
  auto* lanes = reinterpret_cast<std::uint16_t*>(page);
  for (std::uint32_t d = 0; d < head_dim; d += 16) {
    std::uint16_t halves[16];
    V::store_f16(halves, clamp_to_f16<V>(V::load(key + d)));
    for (std::uint32_t i = 0; i < 16; ++i) lanes[(d + i) * kPageLanes + slot] = halves[i];
  }
}

template <class V>
void store_value(const float* value, std::uint32_t head_dim, std::uint32_t slot, std::byte* page) {
  auto* rows = reinterpret_cast<std::uint16_t*>(page) + std::size_t{head_dim} * kPageLanes;
  for (std::uint32_t d = 0; d < head_dim; d += 16) {
    V::store_f16(rows + std::size_t{slot} * head_dim + d, clamp_to_f16<V>(V::load(value + d)));
  }
}

}  // namespace jarip
