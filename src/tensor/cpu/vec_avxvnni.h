// The kernels' vector type on AVX2 with AVX-VNNI: AVX2's lanes, dot products in one instruction as
// on AVX-512. Include only through kernels_avxvnni.cpp.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "tensor/cpu/vec_avx2.h"

namespace jarip {

struct VecAvxVnni : Avx2Lanes<struct TargetAvxVnni> {
  static constexpr const char* kName = "avxvnni";

  static I32 dot_small(I32 acc, Bytes weights, const std::int8_t* values) {
    const __m256i four = broadcast_four(values);
    return {_mm256_dpbusd_avx_epi32(acc.lo, weights.lo, four),
            _mm256_dpbusd_avx_epi32(acc.hi, weights.hi, four)};
  }
  static I32 start_biased(std::int32_t neg_sum) { return set1_i32(neg_sum * 128); }
  static I32 dot_biased(I32 acc, Bytes weights, const std::int8_t* values) {
    return dot_small(acc, weights, values);
  }
};

}  // namespace jarip
