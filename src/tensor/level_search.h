// The scales, and where a format has them the minimums, under which groups of weights are rounded
// with the least error: sixteen groups at a time, one in each lane. Values and free functions; any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/kernels.h"

namespace jarip {

inline constexpr std::uint32_t kGroups = 16;
inline constexpr std::uint32_t kMostInGroup = 32;

using GroupFloats = float[kGroups];

// Sixteen groups as the search reads them, with sums that every trial needs.
class WeightGroups {
 public:
  // n: values in a group, at most kMostInGroup. Groups never filled count as zeros.
  explicit WeightGroups(std::uint32_t n) : n_(n) {}

  void set(std::uint32_t group, std::uint32_t i, float value, float importance) {
    values_[i * kGroups + group] = value;
    importance_[i * kGroups + group] = importance;
  }
  // After the last set(), before anything else.
  void sum_up();

  [[nodiscard]] std::uint32_t n() const { return n_; }
  [[nodiscard]] float value(std::uint32_t group, std::uint32_t i) const {
    return values_[i * kGroups + group];
  }
  [[nodiscard]] const GroupFloats& importance() const { return importance_sum_; }
  [[nodiscard]] const GroupFloats& product() const { return product_; }  // importance * value
  [[nodiscard]] const GroupFloats& square() const { return square_; }    // importance * value^2
  [[nodiscard]] const GroupFloats& least() const { return least_; }
  [[nodiscard]] const GroupFloats& most() const { return most_; }
  // The trial of these groups without scale, offset and levels.
  [[nodiscard]] LevelTrial trial() const;

 private:
  std::uint32_t n_;
  float values_[kMostInGroup * kGroups] = {};
  float importance_[kMostInGroup * kGroups] = {};
  GroupFloats importance_sum_ = {};
  GroupFloats product_ = {};
  GroupFloats square_ = {};
  GroupFloats least_ = {};
  GroupFloats most_ = {};
};

// The levels of a format: whole numbers, or choices, ascending.
struct Levels {
  float least;
  float most;
  std::span<const std::int8_t> choices = {};
};

// value = scale * level + minimum; error is what remains, weighted by importance.
struct GroupScales {
  GroupFloats scale = {};
  GroupFloats minimum = {};
  GroupFloats error = {};
};

// Scales alone; every minimum is 0, and the errors aren't set. A scale may be negative where the
// levels aren't symmetric.
[[nodiscard]] GroupScales search_scales(const Kernels& kernels, const WeightGroups& groups,
                                        const Levels& levels);

// Scales, none negative, and minimums, which with at_most_zero are never above 0. Levels begin at
// 0.
[[nodiscard]] GroupScales search_minimums(const Kernels& kernels, const WeightGroups& groups,
                                          const Levels& levels, bool at_most_zero);

// Rounds with these scales and minimums, and sets the errors. levels_out: [n, 16], or null.
void round_groups(const Kernels& kernels, const WeightGroups& groups, const Levels& levels,
                  GroupScales& scales, LevelSums& sums, std::int8_t* levels_out);

}  // namespace jarip
