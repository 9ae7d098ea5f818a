// Made-up weights in the block formats: normally distributed numbers, rounded as a quantizer rounds
// real ones. Constant after the constructor; usable from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/format.h"

namespace jarip {

// Writes values as blocks of a format; values.size() is a multiple of its block size and out has
// room for exactly those blocks. Rounds to nearest, with the scales that ggml's documents describe.
void encode_weights(Format format, std::span<const float> values, std::span<std::byte> out);

class SynthWeights {
 public:
  // Weights are generated in runs of this many; only a tensor's last may be shorter.
  static constexpr std::uint32_t kRun = 256;

  explicit SynthWeights(std::uint64_t seed);

  // Weights [run * kRun, run * kRun + values.size()) of tensor number `tensor`.
  void generate(std::uint32_t tensor, std::uint64_t run, float mean, float deviation,
                std::span<float> values) const;

 private:
  std::uint64_t seed_;
  std::vector<float> normal_;  // the normal distribution's 2^16 quantiles
};

}  // namespace jarip
