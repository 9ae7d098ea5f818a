// Rotary position embedding (Su et al., RoFormer, 2021), also over stretched contexts (Peng et al.,
// YaRN, 2023), with angles that are the same bits on every machine. Immutable; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/config.h"
#include "tensor/kernels.h"

namespace jarip {

class Rope {
 public:
  // rope: one of config's. factors: the file's divisors of the frequencies, [rope_dim / 2], or
  // empty.
  Rope(const ModelConfig& config, const RopeConfig& rope, std::span<const float> factors);

  // Numbers that angles() writes.
  [[nodiscard]] std::size_t n_angles() const { return std::size_t{2} * rope_dim_; }

  // What turns every element of a head at a position: cosines [rope_dim], then sines [rope_dim],
  // negative for the first of each pair.
  void angles(std::uint32_t position, std::span<float> out) const;

  // The rotation that these angles give to a head of head_dim.
  [[nodiscard]] Rotation rotation(std::span<const float> angles, std::uint32_t head_dim) const {
    return {angles.data(), angles.data() + rope_dim_, rope_dim_, head_dim, neox_};
  }

 private:
  std::vector<double> freqs_;  // one a pair
  double magnitude_;
  std::uint32_t rope_dim_;
  bool neox_;
};

struct SinCos {
  double sin;
  double cos;
};

// Of x from 0 to 2^30, within 1e-12 absolute (f32 needs 1e-8).
SinCos exact_sin_cos(double x);

}  // namespace jarip
