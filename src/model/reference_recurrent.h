// A gated delta net for one token, as plainly as it can be said: the truth that the optimized path
// is measured against. Free function; the reference path's thread.
#pragma once

#include <span>
#include <vector>

#include "model/config.h"
#include "model/tensors.h"

namespace jarip {

// What the layer's products gave for the token.
struct DeltaInputs {
  std::vector<float> mixed;  // [mixed_dim]
  std::vector<float> gate;   // [value_dim]
  std::vector<float> beta;   // [n_value_heads]
  std::vector<float> alpha;  // [n_value_heads]
};

// Moves state (config.recurrent.state_floats(): the last inputs of the convolution, then the heads,
// keys' dimensions by values') on by the token, and returns what the output product reads.
[[nodiscard]] std::vector<float> step_delta_net(const ModelConfig& config,
                                                const RecurrentTensors& vectors,
                                                const DeltaInputs& in, std::span<float> state);

}  // namespace jarip
