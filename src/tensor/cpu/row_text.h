// Row-wise operations, written once over the vector type V: norm, quantization, activation,
// rotation. Include only through kernels_*.cpp.
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

// Scales of up to 16 blocks at a time: dividing is slow, and one division serves 16 lanes.
template <class V>
void quantize_row(const float* x, std::uint32_t n_cols, std::int8_t* values,
                  ActivationBlock* blocks) {
  const std::uint32_t n_blocks = n_cols / kBlockCols;
  const auto limit = V::set1(127.0F);
  const auto neg_limit = V::set1(-127.0F);
  for (std::uint32_t first = 0; first < n_blocks; first += 16) {
    const std::uint32_t count = n_blocks - first < 16 ? n_blocks - first : 16;
    float scales[16] = {};  // the largest magnitudes, to begin with
    float inverses[16];
    for (std::uint32_t i = 0; i < count; ++i) {
      const float* block = x + std::size_t{first + i} * kBlockCols;
      scales[i] = V::reduce_max(V::max(V::abs(V::load(block)), V::abs(V::load(block + 16))));
    }
    // Below 2^-100 the inverse would overflow. In this order a NaN stays one.
    const auto largest = V::max(V::set1(0x1p-100F), V::load(scales));
    V::store(scales, V::div(largest, limit));
    V::store(inverses, V::div(limit, largest));
    for (std::uint32_t i = 0; i < count; ++i) {
      const float* block = x + std::size_t{first + i} * kBlockCols;
      std::int8_t* to = values + std::size_t{first + i} * kBlockCols;
      const auto inverse = V::set1(inverses[i]);
      // The clamp matters for NaN and infinity only, whose conversion would differ by machine.
      const auto quantized = [&](const float* half) __attribute__((always_inline)) {
        const auto scaled = V::mul(V::load(half), inverse);
        return V::round(V::min(V::max(scaled, neg_limit), limit));
      };
      const std::int32_t sum_low = V::store_i8(to, quantized(block));
      const std::int32_t sum = sum_low + V::store_i8(to + 16, quantized(block + 16));
      blocks[first + i] = {scales[i], scales[i] * static_cast<float>(sum), -sum, -sum_low};
    }
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
void layer_norm(const float* x, const float* weight, const float* bias, std::uint32_t n, float eps,
                float* out) {
  auto sums = V::set1(0.0F);
  for (std::uint32_t i = 0; i < n; i += 16) sums = V::add(sums, V::load(x + i));
  const auto minus_mean = V::set1(-(V::reduce_add(sums) / static_cast<float>(n)));
  auto squares = V::set1(0.0F);
  for (std::uint32_t i = 0; i < n; i += 16) {
    const auto lanes = V::add(V::load(x + i), minus_mean);
    squares = V::fma(lanes, lanes, squares);
  }
  const float variance = V::reduce_add(squares) / static_cast<float>(n);
  const auto inverse = V::set1(1.0F / std::sqrt(variance + eps));
  for (std::uint32_t i = 0; i < n; i += 16) {
    const auto lanes = V::mul(V::add(V::load(x + i), minus_mean), inverse);
    V::store(out + i, V::fma(lanes, V::load(weight + i), V::load(bias + i)));
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

// 1 - 2 / (e^2x + 1), within 1e-7 absolute.
template <class V>
[[gnu::always_inline]] inline typename V::F32 tanh_lanes(typename V::F32 x) {
  const auto e = exp_lanes<V>(V::add(x, x));
  const auto one = V::set1(1.0F);
  return V::add(one, V::div(V::set1(-2.0F), V::add(e, one)));
}

template <class V>
void gelu_mul(const float* gate, const float* up, std::uint32_t n, float* out) {
  constexpr float kRootTwoOverPi = 0.797884561F;
  const auto one = V::set1(1.0F);
  for (std::uint32_t i = 0; i < n; i += 16) {
    const auto g = V::load(gate + i);
    const auto inner = V::fma(V::mul(g, g), V::set1(0.044715F), one);
    const auto t = tanh_lanes<V>(V::mul(V::mul(g, V::set1(kRootTwoOverPi)), inner));
    const auto gelu = V::mul(V::mul(g, V::set1(0.5F)), V::add(one, t));
    V::store(out + i, V::mul(gelu, V::load(up + i)));
  }
}

// max(x, 0) - |x| / 2 * erfc(|x| / sqrt 2), with erfc after Abramowitz and Stegun 7.1.26: within
// 1.5e-7.
template <class V>
void gelu(const float* x, std::uint32_t n, float* out) {
  constexpr float kRootHalf = 0.707106781F;
  constexpr float kCoefficients[] = {1.061405429F, -1.453152027F, 1.421413741F, -0.284496736F,
                                     0.254829592F};
  const auto one = V::set1(1.0F);
  for (std::uint32_t i = 0; i < n; i += 16) {
    const auto lanes = V::load(x + i);
    const auto size = V::abs(lanes);
    const auto z = V::mul(size, V::set1(kRootHalf));
    const auto t = V::div(one, V::fma(z, V::set1(0.3275911F), one));
    auto sum = V::set1(kCoefficients[0]);
    for (int k = 1; k < 5; ++k) sum = V::fma(sum, t, V::set1(kCoefficients[k]));
    const auto e = exp_lanes<V>(V::mul(V::mul(z, z), V::set1(-1.0F)));
    const auto complement = V::mul(V::mul(sum, t), e);
    const auto half = V::mul(size, V::set1(-0.5F));
    V::store(out + i, V::fma(half, complement, V::max(lanes, V::set1(0.0F))));
  }
}

template <class V>
void clamped_silu_mul(const float* gate, const float* up, std::uint32_t n, float* out) {
  const auto one = V::set1(1.0F);
  const auto limit = V::set1(7.0F);
  for (std::uint32_t i = 0; i < n; i += 16) {
    const auto g = V::min(V::load(gate + i), limit);
    const auto u = V::min(V::max(V::load(up + i), V::set1(-7.0F)), limit);
    const auto e = exp_lanes<V>(V::mul(g, V::set1(-1.702F)));
    V::store(out + i, V::mul(V::div(g, V::add(one, e)), V::add(u, one)));
  }
}

template <class V>
void rotate(const Rotation& rotation, float scale, float* head) {
  const std::uint32_t n = rotation.rope_dim;
  const auto factor = V::set1(scale);
  const auto turned = [&](typename V::F32 lanes, typename V::F32 partners,
                          std::uint32_t i) __attribute__((always_inline)) {
    const auto kept = V::mul(lanes, V::load(rotation.cosines + i));
    return V::mul(V::add(kept, V::mul(partners, V::load(rotation.sines + i))), factor);
  };
  std::uint32_t done = 0;
  if (!rotation.halves) {
    for (; done + 16 <= n; done += 16) {
      const auto lanes = V::load(head + done);
      V::store(head + done, turned(lanes, V::swap_pairs(lanes), done));
    }
  } else if (n % 32 == 0) {
    for (; done < n / 2; done += 16) {
      const auto low = V::load(head + done);
      const auto high = V::load(head + n / 2 + done);
      V::store(head + done, turned(low, high, done));
      V::store(head + n / 2 + done, turned(high, low, n / 2 + done));
    }
    done = n;
  }
  // What no whole vector covers, pair by pair, in the same arithmetic.
  const std::uint32_t apart = rotation.halves ? n / 2 : 1;
  const std::uint32_t step = rotation.halves ? 1 : 2;
  for (std::uint32_t i = done; i + apart < n; i += step) {
    const float low = head[i];
    const float high = head[i + apart];
    head[i] = (low * rotation.cosines[i] + high * rotation.sines[i]) * scale;
    head[i + apart] =
        (high * rotation.cosines[i + apart] + low * rotation.sines[i + apart]) * scale;
  }
  for (std::uint32_t i = n; i < rotation.head_dim; ++i) head[i] *= scale;
}

}  // namespace jarip
