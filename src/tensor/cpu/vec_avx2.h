// The kernels' vector type on AVX2 with FMA and F16C: two registers of 8 lanes. See vec_scalar.h
// for what each operation means. Include only through kernels_avx2.cpp and kernels_avxvnni.cpp.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace jarip {

// All but the dot products. Target is a name alone: each target gets functions of its own, for the
// linker would give one target's code to all.
template <class Target>
struct Avx2Lanes {
  static constexpr int kTiles = 1;
  static constexpr int kRows = 4;
  static constexpr int kFewRows = 4;
  static constexpr int kStreamPasses = 1;
  static constexpr int kQueries = 6;
  static constexpr int kWide = 1;
  static constexpr int kFloatRows = 4;

  struct F32 {
    __m256 lo, hi;
  };
  struct I32 {
    __m256i lo, hi;
  };
  using Bytes = I32;

  static F32 set1(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static F32 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static void store(float* p, F32 a) {
    _mm256_storeu_ps(p, a.lo);
    _mm256_storeu_ps(p + 8, a.hi);
  }
  static F32 add(F32 a, F32 b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
  static F32 mul(F32 a, F32 b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
  static F32 div(F32 a, F32 b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
  static F32 fma(F32 a, F32 b, F32 c) {
    return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
  }
  static F32 max(F32 a, F32 b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
  static F32 min(F32 a, F32 b) { return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }
  static F32 abs(F32 a) {
    const __m256 sign = _mm256_set1_ps(-0.0F);
    return {_mm256_andnot_ps(sign, a.lo), _mm256_andnot_ps(sign, a.hi)};
  }
  static F32 keep_first(F32 a, int n, float fill) {
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256 other = _mm256_set1_ps(fill);
    const __m256 keep_lo = _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(n), index));
    const __m256 keep_hi = _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(n - 8), index));
    return {_mm256_blendv_ps(other, a.lo, keep_lo), _mm256_blendv_ps(other, a.hi, keep_hi)};
  }
  static F32 swap_pairs(F32 a) {
    return {_mm256_permute_ps(a.lo, 0xB1), _mm256_permute_ps(a.hi, 0xB1)};
  }
  static F32 zero_below(F32 a, F32 x, float limit) {
    const __m256 bound = _mm256_set1_ps(limit);
    return {_mm256_and_ps(a.lo, _mm256_cmp_ps(x.lo, bound, _CMP_GE_OQ)),
            _mm256_and_ps(a.hi, _mm256_cmp_ps(x.hi, bound, _CMP_GE_OQ))};
  }
  static float reduce_add(F32 a) {
    const __m256 eight = _mm256_add_ps(a.lo, a.hi);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  static float reduce_max(F32 a) {
    const __m256 eight = _mm256_max_ps(a.lo, a.hi);
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
  }

  static __m128i load_eight(const std::uint16_t* p) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  }
  static F32 load_f16(const std::uint16_t* p) {
    return {_mm256_cvtph_ps(load_eight(p)), _mm256_cvtph_ps(load_eight(p + 8))};
  }
  static void store_f16(std::uint16_t* p, F32 a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                     _mm256_cvtps_ph(a.lo, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8),
                     _mm256_cvtps_ph(a.hi, _MM_FROUND_TO_NEAREST_INT));
  }
  static __m256 widen_bf16(__m128i bits) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
  }
  static F32 load_bf16(const std::uint16_t* p) {
    return {widen_bf16(load_eight(p)), widen_bf16(load_eight(p + 8))};
  }
  static F32 widen_u8(__m128i bytes) {
    return {_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)),
            _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8)))};
  }
  static F32 load_u8(const std::uint8_t* p) {
    return widen_u8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  template <int kFrom>
  static F32 load_u4(const std::uint8_t* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return widen_u8(_mm_and_si128(_mm_srli_epi16(bytes, kFrom), _mm_set1_epi8(15)));
  }
  static F32 load_i8(const std::int8_t* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)),
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8)))};
  }

  static I32 set1_i32(std::int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
  template <int kShift>
  static I32 shifted_set1_i32(std::int32_t x) {
    return set1_i32(x * (1 << kShift));
  }
  static F32 to_f32(I32 a) { return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)}; }
  // cvtps rounds by MXCSR, which is to nearest even unless a program changes it; ours never does.
  static I32 round(F32 a) { return {_mm256_cvtps_epi32(a.lo), _mm256_cvtps_epi32(a.hi)}; }
  static F32 scale_by_power(F32 a, I32 n) {
    return {_mm256_castsi256_ps(
                _mm256_add_epi32(_mm256_castps_si256(a.lo), _mm256_slli_epi32(n.lo, 23))),
            _mm256_castsi256_ps(
                _mm256_add_epi32(_mm256_castps_si256(a.hi), _mm256_slli_epi32(n.hi, 23)))};
  }
  static std::int32_t store_i8(std::int8_t* p, I32 a) {
    // packs works within 128-bit halves, so the quarters come out interleaved.
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a.lo, a.hi), 0b11011000);
    const __m128i bytes =
        _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
    // Bytes plus 128 add up without a sign, eight at a time.
    const __m128i biased = _mm_xor_si128(bytes, _mm_set1_epi8(static_cast<char>(0x80)));
    const __m128i sums = _mm_sad_epu8(biased, _mm_setzero_si128());
    return _mm_cvtsi128_si32(_mm_add_epi64(sums, _mm_unpackhi_epi64(sums, sums))) - 16 * 128;
  }

  static Bytes load_bytes(const std::uint8_t* p) {
    return {_mm256_load_si256(reinterpret_cast<const __m256i*>(p)),
            _mm256_load_si256(reinterpret_cast<const __m256i*>(p + 32))};
  }
  template <int kFrom, int kCount>
  static Bytes bits(Bytes a) {
    return {moved_bits<kFrom, kCount, 0>(a.lo), moved_bits<kFrom, kCount, 0>(a.hi)};
  }
  static Bytes look_up(const std::uint8_t* codes, Bytes a) {
    const __m256i table =
        _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(codes)));
    return {_mm256_shuffle_epi8(table, a.lo), _mm256_shuffle_epi8(table, a.hi)};
  }
  template <int kFrom, int kCount, int kTo>
  static __m256i moved_bits(__m256i plane) {
    const __m256i mask = _mm256_set1_epi8(((1 << kCount) - 1) << kTo);
    const __m256i moved = kTo >= kFrom ? _mm256_slli_epi16(plane, kTo >= kFrom ? kTo - kFrom : 0)
                                       : _mm256_srli_epi16(plane, kTo < kFrom ? kFrom - kTo : 0);
    return _mm256_and_si256(moved, mask);
  }
  template <int kFrom, int kCount, int kTo>
  static Bytes join_bits(Bytes a, Bytes plane) {
    return {_mm256_or_si256(a.lo, moved_bits<kFrom, kCount, kTo>(plane.lo)),
            _mm256_or_si256(a.hi, moved_bits<kFrom, kCount, kTo>(plane.hi))};
  }

  static __m256i broadcast_four(const std::int8_t* values) {
    std::int32_t four = 0;
    std::memcpy(&four, values, 4);
    return _mm256_set1_epi32(four);
  }
};

struct VecAvx2 : Avx2Lanes<struct TargetAvx2> {
  static constexpr const char* kName = "avx2";

  // maddubs adds two products in 16 bits: 2 * 63 * 127 and 2 * 128 * 127 both fit.
  static __m256i dot_half(__m256i acc, __m256i weights, __m256i values) {
    const __m256i pairs = _mm256_maddubs_epi16(weights, values);
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  static I32 dot_small(I32 acc, Bytes weights, const std::int8_t* values) {
    const __m256i four = broadcast_four(values);
    return {dot_half(acc.lo, weights.lo, four), dot_half(acc.hi, weights.hi, four)};
  }
  // Unsigned weights up to 255 would overflow the 16-bit pairs, so the sign moves to the values:
  // (w - 128) * v = |w - 128| * (v with w's sign), and no correction is left to start from.
  static I32 start_biased(std::int32_t /*neg_sum*/) { return set1_i32(0); }
  static I32 dot_biased(I32 acc, Bytes weights, const std::int8_t* values) {
    const __m256i four = broadcast_four(values);
    const __m256i bias = _mm256_set1_epi8(static_cast<char>(0x80));
    const __m256i lo = _mm256_xor_si256(weights.lo, bias);
    const __m256i hi = _mm256_xor_si256(weights.hi, bias);
    return {dot_half(acc.lo, _mm256_abs_epi8(lo), _mm256_sign_epi8(four, lo)),
            dot_half(acc.hi, _mm256_abs_epi8(hi), _mm256_sign_epi8(four, hi))};
  }
};

}  // namespace jarip
