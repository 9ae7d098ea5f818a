// The kernels' vector type on NEON with I8MM's USDOT, the dot product of unsigned and signed bytes.
// Include only through kernels_neon_i8mm.cpp.
#pragma once

#include "tensor/cpu/vec_neon.h"

namespace jarip {

struct VecNeonI8mm : NeonLanes<struct ProductI8mm> {
  static constexpr const char* kName = "neon-i8mm";

  static I32 dot_small(I32 acc, Bytes weights, const std::int8_t* values) {
    const int8x16_t four = broadcast_four(values);
    for (int i = 0; i < 4; ++i) acc.val[i] = vusdotq_s32(acc.val[i], weights.val[i], four);
    return acc;
  }
  static I32 start_biased(std::int32_t neg_sum) { return set1_i32(neg_sum * 128); }
  static I32 dot_biased(I32 acc, Bytes weights, const std::int8_t* values) {
    return dot_small(acc, weights, values);
  }
};

}  // namespace jarip
