#include "tensor/level_search.h"

#include <algorithm>
#include <cmath>

namespace jarip {
namespace {

// Scales are tried from this many steps of a fifth of a level below the one that just reaches the
// last level to as many above. Choices, which lie unevenly, have twice as many steps, each of a
// hundredth of the last.
constexpr int kSteps = 4;
constexpr float kStep = 0.2F;
// From the best of them on, scales that are best for their levels, and their levels, in turns.
constexpr int kRefinements = 2;

float inverse_of(float scale) { return scale == 0 ? 0.0F : 1.0F / scale; }

void set_trial(LevelTrial& trial, const Levels& levels) {
  trial.least = levels.least;
  trial.most = levels.most;
  trial.choices = levels.choices;
}

// Rounds with scale and minimum in each group.
void try_scales(const Kernels& kernels, LevelTrial& trial, const GroupFloats& scale,
                const GroupFloats& minimum, LevelSums& sums) {
  for (std::uint32_t g = 0; g < kGroups; ++g) {
    trial.inverse[g] = inverse_of(scale[g]);
    trial.offset[g] = -minimum[g];
  }
  kernels.try_levels(trial, sums, nullptr);
}

float error_of(const WeightGroups& groups, std::uint32_t g, const LevelSums& sums, float scale,
               float minimum) {
  const auto s = static_cast<double>(scale);
  const auto m = static_cast<double>(minimum);
  const double crossed = s * static_cast<double>(sums.product[g]) +
                         m * static_cast<double>(groups.product()[g]) -
                         s * m * static_cast<double>(sums.level[g]);
  const double squared = s * s * static_cast<double>(sums.square[g]) +
                         m * m * static_cast<double>(groups.importance()[g]);
  return static_cast<float>(static_cast<double>(groups.square()[g]) - 2 * crossed + squared);
}

// Takes the scale that is best for the levels of a trial, where it leaves less than so far. gain:
// by how much the best so far is below the error of levels that are all 0. Without a branch, so
// that the compiler makes vectors of it.
void take_scale(const LevelSums& sums, GroupFloats& scale, GroupFloats& gain) {
  for (std::uint32_t g = 0; g < kGroups; ++g) {
    const float square = sums.square[g] > 0 ? sums.square[g] : 1.0F;
    const float tried = sums.product[g] / square;
    const float its_gain = tried * sums.product[g];
    const bool is_better = its_gain > gain[g];
    scale[g] = is_better ? tried : scale[g];
    gain[g] = is_better ? its_gain : gain[g];
  }
}

// The same with a minimum: two linear equations.
void take_line(const WeightGroups& groups, const LevelSums& sums, bool at_most_zero,
               GroupScales& best) {
  for (std::uint32_t g = 0; g < kGroups; ++g) {
    const auto level = static_cast<double>(sums.level[g]);
    const auto square = static_cast<double>(sums.square[g]);
    const auto product = static_cast<double>(sums.product[g]);
    const auto weight = static_cast<double>(groups.importance()[g]);
    const auto value = static_cast<double>(groups.product()[g]);
    const double determinant = weight * square - level * level;
    const double divisor = determinant > 0 ? determinant : 1.0;
    const double free_minimum = (square * value - level * product) / divisor;
    const bool is_held = at_most_zero && free_minimum > 0;
    const double minimum = is_held ? 0.0 : free_minimum;
    const double scale = is_held ? product / (square > 0 ? square : 1.0)
                                 : (weight * product - value * level) / divisor;
    const double gain = 2 * (scale * product + minimum * value - scale * minimum * level) -
                        scale * scale * square - minimum * minimum * weight;
    const auto error = static_cast<float>(static_cast<double>(groups.square()[g]) - gain);
    const bool is_better = determinant > 0 && scale > 0 && error < best.error[g];
    best.scale[g] = is_better ? static_cast<float>(scale) : best.scale[g];
    best.minimum[g] = is_better ? static_cast<float>(minimum) : best.minimum[g];
    best.error[g] = is_better ? error : best.error[g];
  }
}

}  // namespace

void WeightGroups::sum_up() {
  std::ranges::copy_n(values_, kGroups, least_);
  std::ranges::copy_n(values_, kGroups, most_);
  for (std::uint32_t i = 0; i < n_; ++i) {
    for (std::uint32_t g = 0; g < kGroups; ++g) {
      const float value = values_[i * kGroups + g];
      const float weighted = importance_[i * kGroups + g] * value;
      importance_sum_[g] += importance_[i * kGroups + g];
      product_[g] += weighted;
      square_[g] += weighted * value;
      least_[g] = std::min(least_[g], value);
      most_[g] = std::max(most_[g], value);
    }
  }
}

LevelTrial WeightGroups::trial() const {
  return {.values = values_,
          .importance = importance_,
          .n = n_,
          .inverse = {},
          .offset = {},
          .least = 0,
          .most = 0,
          .choices = {}};
}

GroupScales search_scales(const Kernels& kernels, const WeightGroups& groups,
                          const Levels& levels) {
  GroupScales best;
  GroupFloats gain = {};
  LevelTrial trial = groups.trial();
  set_trial(trial, levels);
  LevelSums sums;
  // The value farthest from 0 goes near the first of the levels, or near the last.
  for (const float end : {levels.least, levels.most}) {
    const bool is_even = levels.choices.empty();
    const float step = is_even ? kStep : std::abs(end) / 100;
    const int n_steps = is_even ? kSteps : 2 * kSteps;
    for (int k = -n_steps; k <= n_steps; ++k) {
      const float target = end + static_cast<float>(k) * step;
      for (std::uint32_t g = 0; g < kGroups; ++g) {
        const float low = groups.least()[g];
        const float high = groups.most()[g];
        trial.inverse[g] = target * inverse_of(-low > high ? low : high);
      }
      kernels.try_levels(trial, sums, nullptr);
      take_scale(sums, best.scale, gain);
    }
  }
  for (int round = 0; round < kRefinements; ++round) {
    try_scales(kernels, trial, best.scale, best.minimum, sums);
    take_scale(sums, best.scale, gain);
  }
  return best;
}

GroupScales search_minimums(const Kernels& kernels, const WeightGroups& groups,
                            const Levels& levels, bool at_most_zero) {
  GroupScales best;
  std::ranges::copy(groups.square(), best.error);
  LevelTrial trial = groups.trial();
  set_trial(trial, levels);
  LevelSums sums;
  for (int k = -kSteps; k <= kSteps; ++k) {
    const float target = levels.most + static_cast<float>(k) * kStep;
    for (std::uint32_t g = 0; g < kGroups; ++g) {
      const float least = at_most_zero ? std::min(groups.least()[g], 0.0F) : groups.least()[g];
      trial.inverse[g] = target * inverse_of(groups.most()[g] - least);
      trial.offset[g] = -least;
    }
    kernels.try_levels(trial, sums, nullptr);
    take_line(groups, sums, at_most_zero, best);
  }
  for (int round = 0; round < kRefinements; ++round) {
    try_scales(kernels, trial, best.scale, best.minimum, sums);
    take_line(groups, sums, at_most_zero, best);
  }
  return best;
}

void round_groups(const Kernels& kernels, const WeightGroups& groups, const Levels& levels,
                  GroupScales& scales, LevelSums& sums, std::int8_t* levels_out) {
  LevelTrial trial = groups.trial();
  set_trial(trial, levels);
  for (std::uint32_t g = 0; g < kGroups; ++g) {
    trial.inverse[g] = inverse_of(scales.scale[g]);
    trial.offset[g] = -scales.minimum[g];
  }
  kernels.try_levels(trial, sums, levels_out);
  for (std::uint32_t g = 0; g < kGroups; ++g) {
    scales.error[g] = error_of(groups, g, sums, scales.scale[g], scales.minimum[g]);
  }
}

}  // namespace jarip
