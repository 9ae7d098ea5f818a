// How packed weights are unpacked and scaled, written once over the vector type V: a format is one
// of a few Quants with one of a few Scales. Include only through kernels_*.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/blocks.h"
#include "tensor/kernels.h"

namespace jarip {

// What a kernel asks of a format:
//   Quants::kBytes: of a block of 32 inputs of a tile.
//   Quants::vector<j>(block): vector j of its weights, as unsigned bytes.
//   Scales::kParts: parts of a block are summed apart, each with a scale of its own.
//   Scales::load(scales, b): the scales of block b of a tile.
//   Scales::start(part, x): the integer sum to begin with; dot() adds four inputs.
//   Scales::fold(sum, part, x, acc): adds the block's part to the outputs. Scales are f32 products
//   rounded once, then one fma joins the sum.
template <class Quants_, class Scales_>
struct PackedWeights {
  using Quants = Quants_;
  using Scales = Scales_;
};

// Always inlined: a copy of its own would be shared between instruction sets.
[[gnu::always_inline]] inline const std::uint16_t* as_f16(const std::uint8_t* scales) {
  return reinterpret_cast<const std::uint16_t*>(scales);
}

template <class V>
struct EightBits {
  static constexpr std::size_t kBytes = 512;

  template <int j>
  [[gnu::always_inline]] static typename V::Bytes vector(const std::uint8_t* block) {
    return V::load_bytes(block + j * 64);
  }
};

template <class V>
struct FourBits {
  static constexpr std::size_t kBytes = 256;

  template <int j>
  [[gnu::always_inline]] static typename V::Bytes vector(const std::uint8_t* block) {
    return V::template bits<j / 4 * 4, 4>(V::load_bytes(block + j % 4 * 64));
  }
};

template <class V>
struct FiveBits {
  static constexpr std::size_t kBytes = 320;

  template <int j>
  [[gnu::always_inline]] static typename V::Bytes vector(const std::uint8_t* block) {
    return V::template join_bits<j, 1, 4>(FourBits<V>::template vector<j>(block),
                                          V::load_bytes(block + 256));
  }
};

template <class V>
struct SixBits {
  static constexpr std::size_t kBytes = 384;

  template <int j>
  [[gnu::always_inline]] static typename V::Bytes vector(const std::uint8_t* block) {
    return V::template join_bits<j % 4 * 2, 2, 4>(FourBits<V>::template vector<j>(block),
                                                  V::load_bytes(block + 256 + j / 4 * 64));
  }
};

template <class V>
struct TwoBits {
  static constexpr std::size_t kBytes = 128;

  template <int j>
  [[gnu::always_inline]] static typename V::Bytes vector(const std::uint8_t* block) {
    return V::template bits<j % 4 * 2, 2>(V::load_bytes(block + j / 4 * 64));
  }
};

template <class V>
struct ThreeBits {
  static constexpr std::size_t kBytes = 192;

  template <int j>
  [[gnu::always_inline]] static typename V::Bytes vector(const std::uint8_t* block) {
    return V::template join_bits<j, 1, 2>(TwoBits<V>::template vector<j>(block),
                                          V::load_bytes(block + 128));
  }
};

struct alignas(16) Codes {
  std::uint8_t bytes[16];
};

// Values as dot products take them: made unsigned by what F16Scale's zero takes off again.
constexpr Codes codes_of(const std::int8_t (&values)[16], int zero) {
  Codes codes{};
  for (int i = 0; i < 16; ++i) codes.bytes[i] = static_cast<std::uint8_t>(values[i] + zero);
  return codes;
}

inline constexpr Codes kIQ4Codes = codes_of(kIQ4Values, 128);
inline constexpr Codes kMXFP4Codes = codes_of(kMXFP4Values, 16);

// Four bits that choose among 16 codes.
template <class V, const Codes& kCodes>
struct FourBitCodes {
  static constexpr std::size_t kBytes = 256;

  template <int j>
  [[gnu::always_inline]] static typename V::Bytes vector(const std::uint8_t* block) {
    return V::look_up(kCodes.bytes, FourBits<V>::template vector<j>(block));
  }
};

// One scale a block for weights of q - 2^kZeroShift: q below 64, or any byte where the zero is 128.
template <class V, int kZeroShift>
struct OneScale {
  static constexpr int kParts = 1;
  static constexpr bool kBiased = kZeroShift == 7;
  typename V::F32 scale;

  [[gnu::always_inline]] static typename V::I32 start(int /*part*/, const ActivationBlock& x) {
    if constexpr (kBiased) {
      return V::start_biased(x.neg_sum);
    } else {
      return V::template shifted_set1_i32<kZeroShift>(x.neg_sum);
    }
  }
  [[gnu::always_inline]] static typename V::I32 dot(typename V::I32 sum, typename V::Bytes weights,
                                                    const std::int8_t* values) {
    if constexpr (kBiased) {
      return V::dot_biased(sum, weights, values);
    } else {
      return V::dot_small(sum, weights, values);
    }
  }
  [[gnu::always_inline]] typename V::F32 fold(typename V::I32 sum, int /*part*/,
                                              const ActivationBlock& x, typename V::F32 acc) const {
    return V::fma(V::to_f32(sum), V::mul(scale, V::set1(x.scale)), acc);
  }
};

template <class V, int kZeroShift>
struct F16Scale : OneScale<V, kZeroShift> {
  [[gnu::always_inline]] static F16Scale load(const std::uint8_t* scales, std::uint32_t b) {
    return {V::load_f16(as_f16(scales + std::size_t{b} * 32))};
  }
};

template <class V>
struct Bf16Scale : OneScale<V, 4> {
  [[gnu::always_inline]] static Bf16Scale load(const std::uint8_t* scales, std::uint32_t b) {
    return {V::load_bf16(as_f16(scales + std::size_t{b} * 32))};
  }
};

// A superblock's scale times an eight-bit one of the block.
template <class V>
struct ScaledScale : OneScale<V, 7> {
  [[gnu::always_inline]] static ScaledScale load(const std::uint8_t* scales, std::uint32_t b) {
    const std::uint8_t* record = scales + std::size_t{b / 8} * 160;
    const auto* sub = reinterpret_cast<const std::int8_t*>(record + 32) + std::size_t{b % 8} * 16;
    return {V::mul(V::load_f16(as_f16(record)), V::load_i8(sub))};
  }
};

// A scale and a minimum: one fma for the scaled sum, one for the minimum.
template <class V>
struct ScaleAndMinimum {
  static constexpr int kParts = 1;
  typename V::F32 scale;
  typename V::F32 minimum;  // as it is added

  [[gnu::always_inline]] static typename V::I32 start(int /*part*/, const ActivationBlock& /*x*/) {
    return V::set1_i32(0);
  }
  [[gnu::always_inline]] static typename V::I32 dot(typename V::I32 sum, typename V::Bytes weights,
                                                    const std::int8_t* values) {
    return V::dot_small(sum, weights, values);
  }
  [[gnu::always_inline]] typename V::F32 fold(typename V::I32 sum, int /*part*/,
                                              const ActivationBlock& x, typename V::F32 acc) const {
    acc = V::fma(V::to_f32(sum), V::mul(scale, V::set1(x.scale)), acc);
    return V::fma(minimum, V::set1(x.scaled_sum), acc);
  }
};

template <class V>
struct F16Minimum : ScaleAndMinimum<V> {
  [[gnu::always_inline]] static F16Minimum load(const std::uint8_t* scales, std::uint32_t b) {
    const std::uint16_t* record = as_f16(scales + std::size_t{b} * 64);
    return {V::load_f16(record), V::load_f16(record + 16)};
  }
};

// A superblock's scale and minimum times eight-bit ones of the block.
template <class V>
struct ScaledMinimum : ScaleAndMinimum<V> {
  [[gnu::always_inline]] static ScaledMinimum load(const std::uint8_t* scales, std::uint32_t b) {
    const std::uint8_t* record = scales + std::size_t{b / 8} * 320;
    const std::size_t sub = std::size_t{b % 8} * 16;
    const auto minimum = V::mul(V::load_f16(as_f16(record + 32)), V::load_u8(record + 192 + sub));
    return {V::mul(V::load_f16(as_f16(record)), V::load_u8(record + 64 + sub)),
            V::mul(minimum, V::set1(-1.0F))};
  }
};

// -(sum of the values) in one half of a block.
[[gnu::always_inline]] inline std::int32_t neg_sum_of_half(int half, const ActivationBlock& x) {
  return half == 0 ? x.neg_sum_low : x.neg_sum - x.neg_sum_low;
}

// A scale for each half of a block, for weights of q - 2^kZeroShift.
template <class V, int kZeroShift>
struct HalvesScales {
  static constexpr int kParts = 2;
  typename V::F32 scales[2];

  [[gnu::always_inline]] static HalvesScales load(const std::uint8_t* scales, std::uint32_t b) {
    const std::uint8_t* record = scales + std::size_t{b / 8} * 288;
    const auto* sub = reinterpret_cast<const std::int8_t*>(record + 32) + std::size_t{b % 8} * 32;
    const auto scale = V::load_f16(as_f16(record));
    return {{V::mul(scale, V::load_i8(sub)), V::mul(scale, V::load_i8(sub + 16))}};
  }
  [[gnu::always_inline]] static typename V::I32 start(int part, const ActivationBlock& x) {
    return V::template shifted_set1_i32<kZeroShift>(neg_sum_of_half(part, x));
  }
  [[gnu::always_inline]] static typename V::I32 dot(typename V::I32 sum, typename V::Bytes weights,
                                                    const std::int8_t* values) {
    return V::dot_small(sum, weights, values);
  }
  [[gnu::always_inline]] typename V::F32 fold(typename V::I32 sum, int part,
                                              const ActivationBlock& x, typename V::F32 acc) const {
    return V::fma(V::to_f32(sum), V::mul(scales[part], V::set1(x.scale)), acc);
  }
};

// A scale and a minimum for each half of a block, four bits each in one byte. The minimum meets
// -(scale * sum of the half's values), rounded once.
template <class V>
struct HalvesMinimums {
  static constexpr int kParts = 2;
  typename V::F32 scales[2];
  typename V::F32 minimums[2];

  [[gnu::always_inline]] static HalvesMinimums load(const std::uint8_t* scales, std::uint32_t b) {
    const std::uint8_t* record = scales + std::size_t{b / 8} * 320;
    const std::uint8_t* sub = record + 64 + std::size_t{b % 8} * 32;
    const auto scale = V::load_f16(as_f16(record));
    const auto minimum = V::load_f16(as_f16(record + 32));
    return {{V::mul(scale, V::template load_u4<0>(sub)),
             V::mul(scale, V::template load_u4<0>(sub + 16))},
            {V::mul(minimum, V::template load_u4<4>(sub)),
             V::mul(minimum, V::template load_u4<4>(sub + 16))}};
  }
  [[gnu::always_inline]] static typename V::I32 start(int /*part*/, const ActivationBlock& /*x*/) {
    return V::set1_i32(0);
  }
  [[gnu::always_inline]] static typename V::I32 dot(typename V::I32 sum, typename V::Bytes weights,
                                                    const std::int8_t* values) {
    return V::dot_small(sum, weights, values);
  }
  [[gnu::always_inline]] typename V::F32 fold(typename V::I32 sum, int part,
                                              const ActivationBlock& x, typename V::F32 acc) const {
    acc = V::fma(V::to_f32(sum), V::mul(scales[part], V::set1(x.scale)), acc);
    const float neg_scaled_sum = x.scale * static_cast<float>(neg_sum_of_half(part, x));
    return V::fma(minimums[part], V::set1(neg_scaled_sum), acc);
  }
};

}  // namespace jarip
