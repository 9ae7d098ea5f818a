// The kernels' vector type on AVX-512 with VNNI: one register of 16 lanes. See vec_scalar.h for
// what each operation means. Include only through kernels_avx512.cpp.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace jarip {

struct VecAvx512 {
  static constexpr const char* kName = "avx512";
  static constexpr int kTiles = 2;
  static constexpr int kRows = 6;
  static constexpr int kFewRows = 8;
  static constexpr int kStreamPasses = 3;
  static constexpr int kQueries = 12;
  static constexpr int kWide = 2;
  static constexpr int kFloatRows = 8;

  using F32 = __m512;
  using I32 = __m512i;
  using Bytes = __m512i;

  static F32 set1(float x) { return _mm512_set1_ps(x); }
  static F32 load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, F32 a) { _mm512_storeu_ps(p, a); }
  static F32 add(F32 a, F32 b) { return _mm512_add_ps(a, b); }
  static F32 mul(F32 a, F32 b) { return _mm512_mul_ps(a, b); }
  static F32 div(F32 a, F32 b) { return _mm512_div_ps(a, b); }
  static F32 fma(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }
  static F32 max(F32 a, F32 b) { return _mm512_max_ps(a, b); }
  static F32 min(F32 a, F32 b) { return _mm512_min_ps(a, b); }
  static F32 abs(F32 a) { return _mm512_abs_ps(a); }
  static F32 keep_first(F32 a, int n, float fill) {
    const auto mask = static_cast<__mmask16>(n >= 16 ? 0xFFFFU : n <= 0 ? 0U : (1U << n) - 1U);
    return _mm512_mask_blend_ps(mask, _mm512_set1_ps(fill), a);
  }
  static F32 swap_pairs(F32 a) { return _mm512_permute_ps(a, 0xB1); }
  static F32 zero_below(F32 a, F32 x, float limit) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_set1_ps(limit), _CMP_GE_OQ), a);
  }
  static float reduce_add(F32 a) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  static float reduce_max(F32 a) {
    const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
  }

  static F32 load_f16(const std::uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static void store_f16(std::uint16_t* p, F32 a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  static F32 load_bf16(const std::uint16_t* p) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
  }
  static F32 load_u8(const std::uint8_t* p) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  static F32 load_i8(const std::int8_t* p) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }

  template <int kFrom>
  static F32 load_u4(const std::uint8_t* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m512i moved = _mm512_srli_epi32(_mm512_cvtepu8_epi32(bytes), kFrom);
    return _mm512_cvtepi32_ps(_mm512_and_si512(moved, _mm512_set1_epi32(15)));
  }

  static I32 set1_i32(std::int32_t x) { return _mm512_set1_epi32(x); }
  template <int kShift>
  static I32 shifted_set1_i32(std::int32_t x) {
    __m512i lanes = _mm512_set1_epi32(x);
    // Else the compiler shifts one lane and then copies it, which takes three instructions.
    asm("" : "+v"(lanes));
    return _mm512_slli_epi32(lanes, kShift);
  }
  static F32 to_f32(I32 a) { return _mm512_cvtepi32_ps(a); }
  static I32 round(F32 a) {
    return _mm512_cvt_roundps_epi32(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static F32 scale_by_power(F32 a, I32 n) {
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_slli_epi32(n, 23)));
  }
  static std::int32_t store_i8(std::int8_t* p, I32 a) {
    const __m128i bytes = _mm512_cvtepi32_epi8(a);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
    // Bytes plus 128 add up without a sign, eight at a time.
    const __m128i biased = _mm_xor_si128(bytes, _mm_set1_epi8(static_cast<char>(0x80)));
    const __m128i sums = _mm_sad_epu8(biased, _mm_setzero_si128());
    return _mm_cvtsi128_si32(_mm_add_epi64(sums, _mm_unpackhi_epi64(sums, sums))) - 16 * 128;
  }

  static Bytes load_bytes(const std::uint8_t* p) { return _mm512_load_si512(p); }
  template <int kFrom, int kCount>
  static Bytes bits(Bytes a) {
    const __m512i moved = kFrom == 0 ? a : _mm512_srli_epi16(a, kFrom);
    return _mm512_and_si512(moved, _mm512_set1_epi8((1 << kCount) - 1));
  }
  static Bytes look_up(const std::uint8_t* codes, Bytes a) {
    const __m128i table = _mm_load_si128(reinterpret_cast<const __m128i*>(codes));
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), a);
  }
  template <int kFrom, int kCount, int kTo>
  static Bytes join_bits(Bytes a, Bytes plane) {
    const __m512i mask = _mm512_set1_epi8(((1 << kCount) - 1) << kTo);
    const __m512i moved = kTo >= kFrom ? _mm512_slli_epi16(plane, kTo >= kFrom ? kTo - kFrom : 0)
                                       : _mm512_srli_epi16(plane, kTo < kFrom ? kFrom - kTo : 0);
    return _mm512_ternarylogic_epi32(a, moved, mask, 0xF8);  // a | (moved & mask)
  }

  static I32 dot_small(I32 acc, Bytes weights, const std::int8_t* values) {
    std::int32_t four = 0;
    std::memcpy(&four, values, 4);
    return _mm512_dpbusd_epi32(acc, weights, _mm512_set1_epi32(four));
  }
  static I32 start_biased(std::int32_t neg_sum) { return shifted_set1_i32<7>(neg_sum); }
  static I32 dot_biased(I32 acc, Bytes weights, const std::int8_t* values) {
    return dot_small(acc, weights, values);
  }
};

}  // namespace jarip
