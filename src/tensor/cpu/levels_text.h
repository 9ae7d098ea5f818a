// What the search for a quantized tensor's scales repeats, written once over the vector type V.
// Include only through kernels_*.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/kernels.h"

namespace jarip {

// The choice nearest to each lane: the first, and a step more for every middle that it reaches.
template <class V>
[[gnu::always_inline]] inline typename V::F32 nearest_choice(std::span<const std::int8_t> choices,
                                                             typename V::F32 lanes) {
  auto chosen = V::set1(choices[0]);
  for (std::size_t i = 1; i < choices.size(); ++i) {
    const float below = choices[i - 1];
    const float here = choices[i];
    const auto step = V::zero_below(V::set1(here - below), lanes, (below + here) * 0.5F);
    chosen = V::add(chosen, step);
  }
  return chosen;
}

template <class V, bool kChoices>
[[gnu::always_inline]] inline void try_levels_of(const LevelTrial& trial, LevelSums& sums,
                                                 std::int8_t* levels) {
  const auto inverse = V::load(trial.inverse);
  const auto offset = V::load(trial.offset);
  const auto least = V::set1(trial.least);
  const auto most = V::set1(trial.most);
  auto level_sum = V::set1(0.0F);
  auto square_sum = V::set1(0.0F);
  auto product_sum = V::set1(0.0F);
  for (std::uint32_t i = 0; i < trial.n; ++i) {
    const auto value = V::load(trial.values + std::size_t{16} * i);
    const auto scaled = V::mul(V::add(value, offset), inverse);
    const auto nearest = [&]() __attribute__((always_inline)) {
      if constexpr (kChoices) return nearest_choice<V>(trial.choices, scaled);
      return V::to_f32(V::round(V::min(V::max(scaled, least), most)));
    };
    const auto level = nearest();
    const auto weighted = V::mul(V::load(trial.importance + std::size_t{16} * i), level);
    level_sum = V::add(level_sum, weighted);
    square_sum = V::fma(weighted, level, square_sum);
    product_sum = V::fma(weighted, value, product_sum);
    if (levels != nullptr) V::store_i8(levels + std::size_t{16} * i, V::round(level));
  }
  V::store(sums.level, level_sum);
  V::store(sums.square, square_sum);
  V::store(sums.product, product_sum);
}

template <class V>
void try_levels(const LevelTrial& trial, LevelSums& sums, std::int8_t* levels) {
  if (trial.choices.empty()) {
    try_levels_of<V, false>(trial, sums, levels);
  } else {
    try_levels_of<V, true>(trial, sums, levels);
  }
}

}  // namespace jarip
