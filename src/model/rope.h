// Rotary position embedding (Su et al., RoFormer, 2021) with angles that are the same bits on every
// machine. Immutable; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/config.h"

namespace jarip {

class Rope {
 public:
  // factors: divisors of the frequencies, [rope_dim / 2], or empty.
  Rope(const ModelConfig& config, std::span<const float> factors);

  [[nodiscard]] std::uint32_t n_pairs() const { return static_cast<std::uint32_t>(freqs_.size()); }

  // Cosines, then sines, of every pair's angle at a position: out is [2, n_pairs].
  void angles(std::uint32_t position, std::span<float> out) const;

  // Rotates one head in place and multiplies all of it by scale.
  void rotate(std::span<float> head, std::span<const float> angles, float scale) const;

 private:
  std::vector<double> freqs_;
  bool neox_;
};

struct SinCos {
  double sin;
  double cos;
};

// Of x from 0 to 2^30, within 1e-12 absolute (f32 needs 1e-8).
SinCos exact_sin_cos(double x);

}  // namespace jarip
