// The kernels' vector types on NEON: four registers of 4 lanes, with three ways to take dot
// products. See vec_scalar.h for what each operation means. Include only through kernels_neon*.cpp.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace jarip {

// All but the dot products. Product is what makes them, or a name alone: each target gets functions
// of its own, for the linker would give one target's code to all.
template <class Product>
struct NeonLanes {
  static constexpr int kTiles = 1;
  static constexpr int kRows = 4;
  static constexpr int kFewRows = 4;
  static constexpr int kStreamPasses = 1;
  static constexpr int kQueries = 6;
  static constexpr int kWide = 1;
  static constexpr int kFloatRows = 4;

  using F32 = float32x4x4_t;
  using I32 = int32x4x4_t;
  using Bytes = uint8x16x4_t;

  static F32 set1(float x) {
    const float32x4_t lanes = vdupq_n_f32(x);
    return {lanes, lanes, lanes, lanes};
  }
  static F32 load(const float* p) {
    return {vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)};
  }
  static void store(float* p, F32 a) {
    for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, a.val[i]);
  }
  static F32 add(F32 a, F32 b) {
    for (int i = 0; i < 4; ++i) a.val[i] = vaddq_f32(a.val[i], b.val[i]);
    return a;
  }
  static F32 mul(F32 a, F32 b) {
    for (int i = 0; i < 4; ++i) a.val[i] = vmulq_f32(a.val[i], b.val[i]);
    return a;
  }
  static F32 div(F32 a, F32 b) {
    for (int i = 0; i < 4; ++i) a.val[i] = vdivq_f32(a.val[i], b.val[i]);
    return a;
  }
  static F32 fma(F32 a, F32 b, F32 c) {
    for (int i = 0; i < 4; ++i) c.val[i] = vfmaq_f32(c.val[i], a.val[i], b.val[i]);
    return c;
  }
  // NEON's own maximum and minimum hand a NaN on; here the second number wins.
  static float32x4_t max_four(float32x4_t a, float32x4_t b) {
    return vbslq_f32(vcgtq_f32(a, b), a, b);
  }
  static F32 max(F32 a, F32 b) {
    for (int i = 0; i < 4; ++i) a.val[i] = max_four(a.val[i], b.val[i]);
    return a;
  }
  static F32 min(F32 a, F32 b) {
    for (int i = 0; i < 4; ++i) {
      a.val[i] = vbslq_f32(vcltq_f32(a.val[i], b.val[i]), a.val[i], b.val[i]);
    }
    return a;
  }
  static F32 abs(F32 a) {
    for (int i = 0; i < 4; ++i) a.val[i] = vabsq_f32(a.val[i]);
    return a;
  }
  static F32 keep_first(F32 a, int n, float fill) {
    const int32x4_t index = {0, 1, 2, 3};
    for (int i = 0; i < 4; ++i) {
      const uint32x4_t keep = vcltq_s32(index, vdupq_n_s32(n - 4 * i));
      a.val[i] = vbslq_f32(keep, a.val[i], vdupq_n_f32(fill));
    }
    return a;
  }
  static F32 swap_pairs(F32 a) {
    for (auto& lanes : a.val) lanes = vrev64q_f32(lanes);
    return a;
  }
  static F32 zero_below(F32 a, F32 x, float limit) {
    for (int i = 0; i < 4; ++i) {
      const uint32x4_t keep = vcgeq_f32(x.val[i], vdupq_n_f32(limit));
      a.val[i] = vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(a.val[i]), keep));
    }
    return a;
  }
  static float reduce_add(F32 a) {
    const float32x4_t four =
        vaddq_f32(vaddq_f32(a.val[0], a.val[2]), vaddq_f32(a.val[1], a.val[3]));
    const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
  }
  static float reduce_max(F32 a) {
    const float32x4_t four = max_four(max_four(a.val[0], a.val[2]), max_four(a.val[1], a.val[3]));
    const float32x4_t two = max_four(four, vextq_f32(four, four, 2));
    return vgetq_lane_f32(max_four(two, vextq_f32(two, two, 1)), 0);
  }

  static F32 load_f16(const std::uint16_t* p) {
    F32 out;
    for (int i = 0; i < 4; ++i) {
      out.val[i] = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i)));
    }
    return out;
  }
  // Rounds by FPCR, which is to nearest even unless a program changes it; ours never does.
  static void store_f16(std::uint16_t* p, F32 a) {
    for (int i = 0; i < 4; ++i) {
      vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(a.val[i])));
    }
  }
  static F32 load_bf16(const std::uint16_t* p) {
    F32 out;
    for (int i = 0; i < 4; ++i) {
      out.val[i] = vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p + 4 * i), 16));
    }
    return out;
  }
  template <int kFrom, int kCount>
  static uint8x16_t bits_of(uint8x16_t bytes) {
    if constexpr (kFrom + kCount == 8) {
      return vshrq_n_u8(bytes, kFrom);
    } else {
      return vandq_u8(moved_bits<kFrom, 0>(bytes), vdupq_n_u8((1 << kCount) - 1));
    }
  }
  static F32 widen_u8(uint8x16_t bytes) {
    const uint16x8_t low = vmovl_u8(vget_low_u8(bytes));
    const uint16x8_t high = vmovl_u8(vget_high_u8(bytes));
    return {vcvtq_f32_u32(vmovl_u16(vget_low_u16(low))),
            vcvtq_f32_u32(vmovl_u16(vget_high_u16(low))),
            vcvtq_f32_u32(vmovl_u16(vget_low_u16(high))),
            vcvtq_f32_u32(vmovl_u16(vget_high_u16(high)))};
  }
  static F32 load_u8(const std::uint8_t* p) { return widen_u8(vld1q_u8(p)); }
  template <int kFrom>
  static F32 load_u4(const std::uint8_t* p) {
    return widen_u8(bits_of<kFrom, 4>(vld1q_u8(p)));
  }
  static F32 load_i8(const std::int8_t* p) {
    const int8x16_t bytes = vld1q_s8(p);
    const int16x8_t low = vmovl_s8(vget_low_s8(bytes));
    const int16x8_t high = vmovl_s8(vget_high_s8(bytes));
    return {vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))),
            vcvtq_f32_s32(vmovl_s16(vget_high_s16(low))),
            vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))),
            vcvtq_f32_s32(vmovl_s16(vget_high_s16(high)))};
  }

  static I32 set1_i32(std::int32_t x) {
    const int32x4_t lanes = vdupq_n_s32(x);
    return {lanes, lanes, lanes, lanes};
  }
  template <int kShift>
  static I32 shifted_set1_i32(std::int32_t x) {
    return set1_i32(x * (1 << kShift));
  }
  static F32 to_f32(I32 a) {
    F32 out;
    for (int i = 0; i < 4; ++i) out.val[i] = vcvtq_f32_s32(a.val[i]);
    return out;
  }
  static I32 round(F32 a) {
    I32 out;
    for (int i = 0; i < 4; ++i) out.val[i] = vcvtnq_s32_f32(a.val[i]);
    return out;
  }
  static F32 scale_by_power(F32 a, I32 n) {
    for (int i = 0; i < 4; ++i) {
      a.val[i] = vreinterpretq_f32_s32(
          vaddq_s32(vreinterpretq_s32_f32(a.val[i]), vshlq_n_s32(n.val[i], 23)));
    }
    return a;
  }
  static std::int32_t store_i8(std::int8_t* p, I32 a) {
    const int16x8_t low = vcombine_s16(vmovn_s32(a.val[0]), vmovn_s32(a.val[1]));
    const int16x8_t high = vcombine_s16(vmovn_s32(a.val[2]), vmovn_s32(a.val[3]));
    vst1q_s8(p, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
    return vaddlvq_s8(vld1q_s8(p));
  }

  static Bytes load_bytes(const std::uint8_t* p) {
    return {vld1q_u8(p), vld1q_u8(p + 16), vld1q_u8(p + 32), vld1q_u8(p + 48)};
  }
  template <int kFrom, int kCount>
  static Bytes bits(Bytes a) {
    for (auto& bytes : a.val) bytes = bits_of<kFrom, kCount>(bytes);
    return a;
  }
  static Bytes look_up(const std::uint8_t* codes, Bytes a) {
    const uint8x16_t table = vld1q_u8(codes);
    for (auto& bytes : a.val) bytes = vqtbl1q_u8(table, bytes);
    return a;
  }

  template <int kFrom, int kTo>
  static uint8x16_t moved_bits(uint8x16_t plane) {
    if constexpr (kTo >= kFrom) {
      return vshlq_n_u8(plane, kTo - kFrom);
    } else {
      return vshrq_n_u8(plane, kFrom - kTo);
    }
  }
  template <int kFrom, int kCount, int kTo>
  static Bytes join_bits(Bytes a, Bytes plane) {
    const uint8x16_t mask = vdupq_n_u8(((1 << kCount) - 1) << kTo);
    for (int i = 0; i < 4; ++i) {
      const uint8x16_t moved = moved_bits<kFrom, kTo>(plane.val[i]);
      a.val[i] = vbslq_u8(mask, moved, a.val[i]);
    }
    return a;
  }

  static int8x16_t broadcast_four(const std::int8_t* values) {
    std::int32_t four = 0;
    std::memcpy(&four, values, 4);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
  }
};

// Where only products of signed bytes exist. Weights stored plus 128 turn signed by their top bit,
// so no correction is left to start from.
template <class Product>
struct SignedNeonLanes : NeonLanes<Product> {
  using typename NeonLanes<Product>::I32;
  using typename NeonLanes<Product>::Bytes;

  static I32 dot_small(I32 acc, Bytes weights, const std::int8_t* values) {
    const int8x16_t four = NeonLanes<Product>::broadcast_four(values);
    for (int i = 0; i < 4; ++i) {
      acc.val[i] = Product::dot(acc.val[i], vreinterpretq_s8_u8(weights.val[i]), four);
    }
    return acc;
  }
  static I32 start_biased(std::int32_t /*neg_sum*/) { return NeonLanes<Product>::set1_i32(0); }
  static I32 dot_biased(I32 acc, Bytes weights, const std::int8_t* values) {
    for (int i = 0; i < 4; ++i) weights.val[i] = veorq_u8(weights.val[i], vdupq_n_u8(0x80));
    return dot_small(acc, weights, values);
  }
};

// What every aarch64 machine has. Two products are added in 16 bits: 2 * 128 * 127 fits.
struct ProductNeon {
  static int32x4_t dot(int32x4_t acc, int8x16_t weights, int8x16_t values) {
    const int16x8_t low = vmull_s8(vget_low_s8(weights), vget_low_s8(values));
    const int16x8_t high = vmull_high_s8(weights, values);
    return vpadalq_s16(acc, vpaddq_s16(low, high));
  }
};

struct VecNeon : SignedNeonLanes<ProductNeon> {
  static constexpr const char* kName = "neon";
};

}  // namespace jarip
