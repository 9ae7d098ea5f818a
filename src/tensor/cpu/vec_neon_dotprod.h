// The kernels' vector type on NEON with SDOT, the dot product of signed bytes. Include only through
// kernels_neon_dotprod.cpp.
#pragma once

#include "tensor/cpu/vec_neon.h"

namespace jarip {

struct ProductDotprod {
  static int32x4_t dot(int32x4_t acc, int8x16_t weights, int8x16_t values) {
    return vdotq_s32(acc, weights, values);
  }
};

struct VecNeonDotprod : SignedNeonLanes<ProductDotprod> {
  static constexpr const char* kName = "neon-dotprod";
};

}  // namespace jarip
