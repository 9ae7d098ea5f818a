// The kernels' vector type in plain C++: 16 lanes in arrays. It defines what each operation means;
// the instruction sets' versions give the same bits. Include only through kernels_*.cpp.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "tensor/half.h"

namespace jarip {

struct VecScalar {
  static constexpr const char* kName = "scalar";
  // What is computed together in registers: tiles by rows of activations; so many rows or fewer by
  // one tile, in no more passes than these; rows of float formats; queries by lanes of 16 keys or
  // dimensions.
  static constexpr int kTiles = 1;
  static constexpr int kRows = 4;
  static constexpr int kFewRows = 4;
  static constexpr int kStreamPasses = 1;
  static constexpr int kQueries = 4;
  static constexpr int kWide = 1;
  static constexpr int kFloatRows = 4;

  struct F32 {
    float lane[16];
  };
  struct I32 {
    std::int32_t lane[16];
  };
  struct Bytes {
    std::uint8_t byte[64];
  };

  template <class Op>
  static F32 each(Op op) {
    F32 out;
    for (int i = 0; i < 16; ++i) out.lane[i] = op(i);
    return out;
  }

  static F32 set1(float x) {
    return each([&](int) { return x; });
  }
  static F32 load(const float* p) {
    return each([&](int i) { return p[i]; });
  }
  static void store(float* p, F32 a) {
    for (int i = 0; i < 16; ++i) p[i] = a.lane[i];
  }
  static F32 add(F32 a, F32 b) {
    return each([&](int i) { return a.lane[i] + b.lane[i]; });
  }
  static F32 mul(F32 a, F32 b) {
    return each([&](int i) { return a.lane[i] * b.lane[i]; });
  }
  static F32 div(F32 a, F32 b) {
    return each([&](int i) { return a.lane[i] / b.lane[i]; });
  }
  // a * b + c, rounded once.
  static F32 fma(F32 a, F32 b, F32 c) {
    return each([&](int i) { return std::fma(a.lane[i], b.lane[i], c.lane[i]); });
  }
  // a > b ? a : b, so that the second wins for NaN, as x86 has it.
  static F32 max(F32 a, F32 b) {
    return each([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static F32 min(F32 a, F32 b) {
    return each([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static F32 abs(F32 a) {
    return each([&](int i) { return std::fabs(a.lane[i]); });
  }
  // Lanes below n keep a's value, the others get fill.
  static F32 keep_first(F32 a, int n, float fill) {
    return each([&](int i) { return i < n ? a.lane[i] : fill; });
  }
  // Lanes 2i and 2i + 1 change places.
  static F32 swap_pairs(F32 a) {
    return each([&](int i) { return a.lane[i ^ 1]; });
  }
  // Lanes of a where x >= limit, else 0.
  static F32 zero_below(F32 a, F32 x, float limit) {
    return each([&](int i) { return x.lane[i] >= limit ? a.lane[i] : 0.0F; });
  }
  // Lanes i and i + 8 join, then i and i + 4, i + 2, i + 1.
  static float reduce_add(F32 a) {
    for (int half = 8; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) a.lane[i] = a.lane[i] + a.lane[i + half];
    }
    return a.lane[0];
  }
  static float reduce_max(F32 a) {
    for (int half = 8; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) {
        a.lane[i] = a.lane[i] > a.lane[i + half] ? a.lane[i] : a.lane[i + half];
      }
    }
    return a.lane[0];
  }

  static F32 load_f16(const std::uint16_t* p) {
    return each([&](int i) { return f16_to_f32(p[i]); });
  }
  static void store_f16(std::uint16_t* p, F32 a) {
    for (int i = 0; i < 16; ++i) p[i] = f32_to_f16(a.lane[i]);
  }
  static F32 load_bf16(const std::uint16_t* p) {
    return each([&](int i) { return bf16_to_f32(p[i]); });
  }
  static F32 load_u8(const std::uint8_t* p) {
    return each([&](int i) { return static_cast<float>(p[i]); });
  }
  static F32 load_i8(const std::int8_t* p) {
    return each([&](int i) { return static_cast<float>(p[i]); });
  }

  // Four bits from bit kFrom on, of each of 16 bytes.
  template <int kFrom>
  static F32 load_u4(const std::uint8_t* p) {
    return each([&](int i) { return static_cast<float>(p[i] >> kFrom & 15); });
  }

  static I32 set1_i32(std::int32_t x) {
    I32 out;
    for (auto& lane : out.lane) lane = x;
    return out;
  }
  // x * 2^kShift
  template <int kShift>
  static I32 shifted_set1_i32(std::int32_t x) {
    return set1_i32(x * (1 << kShift));
  }
  static F32 to_f32(I32 a) {
    return each([&](int i) { return static_cast<float>(a.lane[i]); });
  }
  // To nearest, ties to even.
  static I32 round(F32 a) {
    I32 out;
    for (int i = 0; i < 16; ++i) out.lane[i] = static_cast<std::int32_t>(std::nearbyint(a.lane[i]));
    return out;
  }
  // a * 2^n by adding to the exponent; the caller keeps the result normal.
  static F32 scale_by_power(F32 a, I32 n) {
    return each([&](int i) {
      const std::uint32_t bits = std::bit_cast<std::uint32_t>(a.lane[i]);
      return std::bit_cast<float>(bits + (static_cast<std::uint32_t>(n.lane[i]) << 23U));
    });
  }
  // The low bytes of 16 numbers that fit them; returns the numbers' sum.
  static std::int32_t store_i8(std::int8_t* p, I32 a) {
    std::int32_t sum = 0;
    for (int i = 0; i < 16; ++i) {
      p[i] = static_cast<std::int8_t>(a.lane[i]);
      sum += p[i];
    }
    return sum;
  }

  static Bytes load_bytes(const std::uint8_t* p) {
    Bytes out;
    for (int i = 0; i < 64; ++i) out.byte[i] = p[i];
    return out;
  }
  // Bits kFrom to kFrom + kCount - 1 of each byte.
  template <int kFrom, int kCount>
  static Bytes bits(Bytes a) {
    for (auto& byte : a.byte) byte = byte >> kFrom & ((1U << kCount) - 1U);
    return a;
  }
  // codes[b] for each byte b, all below 16; codes is 16 bytes, 16-byte aligned.
  static Bytes look_up(const std::uint8_t* codes, Bytes a) {
    for (auto& byte : a.byte) byte = codes[byte];
    return a;
  }
  // Bits kFrom to kFrom + kCount - 1 of each byte of plane, moved to bit kTo and joined to a's, of
  // which those bits are 0.
  template <int kFrom, int kCount, int kTo>
  static Bytes join_bits(Bytes a, Bytes plane) {
    for (int i = 0; i < 64; ++i) {
      a.byte[i] |= static_cast<std::uint8_t>((plane.byte[i] >> kFrom & ((1 << kCount) - 1)) << kTo);
    }
    return a;
  }

  // Lane r += sum over i < 4 of weights[4r + i] * values[i]; weights up to 63.
  static I32 dot_small(I32 acc, Bytes weights, const std::int8_t* values) {
    for (int r = 0; r < 16; ++r) {
      for (int i = 0; i < 4; ++i) acc.lane[r] += weights.byte[4 * r + i] * values[i];
    }
    return acc;
  }
  // The same for weights stored plus 128. Begin with start_biased(-(sum of all values)): together
  // they sum (weight - 128) * value.
  static I32 start_biased(std::int32_t neg_sum) { return set1_i32(neg_sum * 128); }
  static I32 dot_biased(I32 acc, Bytes weights, const std::int8_t* values) {
    return dot_small(acc, weights, values);
  }
};

}  // namespace jarip
