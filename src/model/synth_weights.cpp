#include "model/synth_weights.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/exact_math.h"
#include "base/random.h"
#include "tensor/block_packing.h"
#include "tensor/blocks.h"
#include "tensor/half.h"

namespace jarip {
namespace {

constexpr std::uint32_t kQuantiles = 1U << 16U;
constexpr std::uint32_t kStream = 0x73796E74;  // apart from other uses of the same seed
constexpr std::size_t kWeightsPerDraw = 8;     // 16 bits each

// The value below which (i + 1/2) / kQuantiles of a normal distribution lie, for every i: its
// density summed over a fine grid, and read backwards.
std::vector<float> normal_quantiles() {
  constexpr double kEnd = 6.0;
  constexpr int kSteps = 1 << 17;
  constexpr double kStep = 2 * kEnd / kSteps;
  std::vector<double> below(kSteps + 1);  // below[s]: the mass left of -kEnd + s * kStep
  for (int s = 0; s < kSteps; ++s) {
    const double x = -kEnd + (s + 0.5) * kStep;
    below[s + 1] = below[s] + exact_exp(-0.5 * x * x);
  }
  std::vector<float> quantiles(kQuantiles);
  int s = 0;
  for (std::uint32_t i = 0; i < kQuantiles; ++i) {
    const double target = (i + 0.5) / kQuantiles * below[kSteps];
    while (below[s + 1] < target) ++s;
    const double part = (target - below[s]) / (below[s + 1] - below[s]);
    quantiles[i] = static_cast<float>(-kEnd + (s + part) * kStep);
  }
  return quantiles;
}

float inverse(float scale) { return scale == 0 ? 0.0F : 1.0F / scale; }

// What a reader of the file will make of a scale.
float stored(std::uint16_t half) { return f16_to_f32(half); }

// The whole number nearest to x, held to [0, most]. By way of int, which vector code converts to.
unsigned nearest(float x, int most) {
  return static_cast<unsigned>(std::min(static_cast<int>(std::max(x + 0.5F, 0.0F)), most));
}

struct Extremes {
  float least;
  float most;
};

// Of a multiple of kLanes values. In lanes, which the compiler makes a vector.
Extremes extremes_of(std::span<const float> values) {
  constexpr std::size_t kLanes = 8;
  float least[kLanes];
  float most[kLanes];
  std::ranges::copy(values.first(kLanes), least);
  std::ranges::copy(values.first(kLanes), most);
  for (std::size_t i = kLanes; i < values.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      least[lane] = std::min(least[lane], values[i + lane]);
      most[lane] = std::max(most[lane], values[i + lane]);
    }
  }
  return {std::ranges::min(least), std::ranges::max(most)};
}

// The value that lies farthest from zero, with its sign.
float farthest(std::span<const float> values) {
  const auto [least, most] = extremes_of(values);
  return -least > most ? least : most;
}

BlockQ8_0 encode_q8_0(std::span<const float, 32> values) {
  BlockQ8_0 block{.scale = f32_to_f16(std::abs(farthest(values)) / 127), .values = {}};
  const float factor = inverse(stored(block.scale));
  for (int i = 0; i < 32; ++i) {
    block.values[i] =
        static_cast<std::int8_t>(static_cast<int>(nearest(values[i] * factor + 128, 255)) - 128);
  }
  return block;
}

BlockQ4_0 encode_q4_0(std::span<const float, 32> values) {
  BlockQ4_0 block{.scale = f32_to_f16(farthest(values) / -8), .nibbles = {}};
  const float factor = inverse(stored(block.scale));
  pack_nibbles(block.nibbles, [&](unsigned i) { return nearest(values[i] * factor + 8, 15); });
  return block;
}

BlockQ4_1 encode_q4_1(std::span<const float, 32> values) {
  const auto [least, most] = extremes_of(values);
  BlockQ4_1 block{
      .scale = f32_to_f16((most - least) / 15), .minimum = f32_to_f16(least), .nibbles = {}};
  const float factor = inverse(stored(block.scale));
  const float minimum = stored(block.minimum);
  pack_nibbles(block.nibbles,
               [&](unsigned i) { return nearest((values[i] - minimum) * factor, 15); });
  return block;
}

BlockQ5_0 encode_q5_0(std::span<const float, 32> values) {
  BlockQ5_0 block{.scale = f32_to_f16(farthest(values) / -16), .fifth_bits = {}, .nibbles = {}};
  const float factor = inverse(stored(block.scale));
  pack_five_bits(block, [&](unsigned i) { return nearest(values[i] * factor + 16, 31); });
  return block;
}

BlockQ5_1 encode_q5_1(std::span<const float, 32> values) {
  const auto [least, most] = extremes_of(values);
  BlockQ5_1 block{.scale = f32_to_f16((most - least) / 31),
                  .minimum = f32_to_f16(least),
                  .fifth_bits = {},
                  .nibbles = {}};
  const float factor = inverse(stored(block.scale));
  const float minimum = stored(block.minimum);
  pack_five_bits(block, [&](unsigned i) { return nearest((values[i] - minimum) * factor, 31); });
  return block;
}

// What the formats whose sub-blocks have a scale and a minimum share: where each begins below zero,
// and its scale for weights up to `most_weight`; both as a reader will have them.
template <int kSubBlocks>
struct SubBlocks {
  static constexpr std::size_t kSize = 256 / kSubBlocks;
  std::uint16_t scale;
  std::uint16_t minimum_scale;
  SubBlockScale chosen[kSubBlocks];

  // Scales and minimums are whole numbers up to `most`.
  SubBlocks(std::span<const float, 256> values, int most_weight, int most) {
    float scales[kSubBlocks];
    float minimums[kSubBlocks];
    for (int j = 0; j < kSubBlocks; ++j) {
      const auto [least, greatest] = extremes_of(values.subspan(j * kSize, kSize));
      minimums[j] = std::max(-least, 0.0F);
      scales[j] = (greatest + minimums[j]) / static_cast<float>(most_weight);
    }
    scale = f32_to_f16(std::ranges::max(scales) / static_cast<float>(most));
    minimum_scale = f32_to_f16(std::ranges::max(minimums) / static_cast<float>(most));
    const float scale_factor = inverse(stored(scale));
    const float minimum_factor = inverse(stored(minimum_scale));
    for (int j = 0; j < kSubBlocks; ++j) {
      chosen[j] = {static_cast<std::uint8_t>(nearest(scales[j] * scale_factor, most)),
                   static_cast<std::uint8_t>(nearest(minimums[j] * minimum_factor, most))};
    }
  }
  // Calls put(i, weight of value i) for all 256.
  template <class Put>
  void each_weight(std::span<const float, 256> values, int most_weight, Put put) const {
    for (int j = 0; j < kSubBlocks; ++j) {
      const float factor = inverse(stored(scale) * chosen[j].scale);
      const float minimum = stored(minimum_scale) * chosen[j].minimum;
      for (std::size_t i = j * kSize; i < (j + 1) * kSize; ++i) {
        put(i, nearest((values[i] + minimum) * factor, most_weight));
      }
    }
  }
};

BlockQ2_K encode_q2_k(std::span<const float, 256> values) {
  constexpr int kMost = 3;
  const SubBlocks<16> subs(values, kMost, 15);
  BlockQ2_K block{
      .packed = {}, .low = {}, .scale = subs.scale, .minimum_scale = subs.minimum_scale};
  for (int j = 0; j < 16; ++j) {
    block.packed[j] =
        static_cast<std::uint8_t>(subs.chosen[j].scale | (subs.chosen[j].minimum << 4));
  }
  subs.each_weight(values, kMost, [&](std::size_t i, unsigned q) { pack_two_bits(block, i, q); });
  return block;
}

BlockQ3_K encode_q3_k(std::span<const float, 256> values) {
  float scales[16];
  for (int j = 0; j < 16; ++j) scales[j] = farthest(values.subspan(j * 16, 16)) / -4;
  BlockQ3_K block{.high = {}, .low = {}, .packed = {}, .scale = f32_to_f16(farthest(scales) / -32)};
  const float scale_factor = inverse(stored(block.scale));
  for (std::size_t j = 0; j < 16; ++j) {
    const unsigned chosen = nearest(scales[j] * scale_factor + 32, 63);
    pack_q3_k_scale(block.packed, j, chosen);
    const float factor = inverse(stored(block.scale) * (static_cast<float>(chosen) - 32));
    for (std::size_t i = j * 16; i < j * 16 + 16; ++i) {
      const unsigned q = nearest(values[i] * factor + 4, 7);
      pack_two_bits(block, i, q);
      pack_high_bit(block, i, q >> 2U);
    }
  }
  return block;
}

// A block of Q4_K, or one of Q5_K without its fifth bits.
template <class Block>
Block start_block(const SubBlocks<8>& subs) {
  Block block{};
  block.scale = subs.scale;
  block.minimum_scale = subs.minimum_scale;
  for (int j = 0; j < 8; ++j) pack_q4_k_scale(block.packed, j, subs.chosen[j]);
  return block;
}

BlockQ4_K encode_q4_k(std::span<const float, 256> values) {
  const SubBlocks<8> subs(values, 15, 63);
  auto block = start_block<BlockQ4_K>(subs);
  subs.each_weight(values, 15, [&](std::size_t i, unsigned q) { pack_nibble(block, i, q); });
  return block;
}

BlockQ5_K encode_q5_k(std::span<const float, 256> values) {
  const SubBlocks<8> subs(values, 31, 63);
  auto block = start_block<BlockQ5_K>(subs);
  subs.each_weight(values, 31, [&](std::size_t i, unsigned q) {
    pack_nibble(block, i, q);
    pack_high_bit(block, i, q >> 4U);
  });
  return block;
}

BlockQ6_K encode_q6_k(std::span<const float, 256> values) {
  float scales[16];
  float factors[16];
  for (int j = 0; j < 16; ++j) scales[j] = farthest(values.subspan(j * 16, 16)) / -32;
  BlockQ6_K block{
      .low = {}, .high = {}, .scales = {}, .scale = f32_to_f16(std::abs(farthest(scales)) / 127)};
  const float scale_factor = inverse(stored(block.scale));
  for (int j = 0; j < 16; ++j) {
    const int chosen = static_cast<int>(nearest(scales[j] * scale_factor + 128, 255)) - 128;
    block.scales[j] = static_cast<std::int8_t>(chosen);
    factors[j] = inverse(stored(block.scale) * static_cast<float>(chosen));
  }
  pack_levels(block, [&](std::size_t i) { return nearest(values[i] * factors[i / 16] + 32, 63); });
  return block;
}

// Which of 16 values is nearest to x; of two, the first.
unsigned nearest_of(const std::int8_t (&values)[16], float x) {
  unsigned best = 0;
  for (unsigned q = 1; q < 16; ++q) {
    if (std::abs(static_cast<float>(values[q]) - x) <
        std::abs(static_cast<float>(values[best]) - x)) {
      best = q;
    }
  }
  return best;
}

void put_nearest_values(std::span<const float> values, const std::int8_t (&choices)[16],
                        float factor, std::uint8_t (&nibbles)[16]) {
  pack_nibbles(nibbles, [&](unsigned i) { return nearest_of(choices, values[i] * factor); });
}

// The scale that takes the value farthest from zero to the farthest choice, -127.
float iq4_scale(std::span<const float> values) { return farthest(values) / -127; }

BlockIQ4_NL encode_iq4_nl(std::span<const float, 32> values) {
  BlockIQ4_NL block{.scale = f32_to_f16(iq4_scale(values)), .nibbles = {}};
  put_nearest_values(values, kIQ4Values, inverse(stored(block.scale)), block.nibbles);
  return block;
}

BlockIQ4_XS encode_iq4_xs(std::span<const float, 256> values) {
  float scales[8];
  for (int j = 0; j < 8; ++j) scales[j] = iq4_scale(values.subspan(j * 32, 32));
  BlockIQ4_XS block{.scale = f32_to_f16(farthest(scales) / -32),
                    .scales_high = 0,
                    .scales_low = {},
                    .nibbles = {}};
  const float scale_factor = inverse(stored(block.scale));
  for (std::size_t j = 0; j < 8; ++j) {
    const unsigned chosen = nearest(scales[j] * scale_factor + 32, 63);
    pack_iq4_xs_scale(block, j, chosen);
    const float scale = stored(block.scale) * (static_cast<float>(chosen) - 32);
    put_nearest_values(values.subspan(j * 32, 32), kIQ4Values, inverse(scale), block.nibbles[j]);
  }
  return block;
}

// The power of two that puts the value farthest from zero between half the largest choice and it.
BlockMXFP4 encode_mxfp4(std::span<const float, 32> values) {
  const float most = std::abs(farthest(values));
  const auto bits = static_cast<int>(std::bit_cast<std::uint32_t>(most) >> 23U);
  BlockMXFP4 block{.exponent = static_cast<std::uint8_t>(std::max(bits - 2, 0)), .nibbles = {}};
  const float scale = bf16_to_f32(mxfp4_scale(block.exponent));
  put_nearest_values(values, kMXFP4Values, inverse(scale), block.nibbles);
  return block;
}

// A block at a time; kBlock is the format's block size.
template <std::size_t kBlock, class Encode>
void encode_blocks(std::span<const float> values, std::span<std::byte> out, Encode encode) {
  std::byte* to = out.data();
  for (std::size_t i = 0; i < values.size(); i += kBlock) {
    const auto block = encode(values.subspan(i).template first<kBlock>());
    std::memcpy(to, &block, sizeof(block));
    to += sizeof(block);
  }
}

}  // namespace

void encode_weights(Format format, std::span<const float> values, std::span<std::byte> out) {
  switch (format) {
    case Format::kF32:
      return encode_blocks<1>(values, out, [](auto block) { return block[0]; });
    case Format::kF16:
      return encode_blocks<1>(values, out, [](auto block) { return f32_to_f16(block[0]); });
    case Format::kBF16:
      return encode_blocks<1>(values, out, [](auto block) { return f32_to_bf16(block[0]); });
    case Format::kQ8_0:
      return encode_blocks<32>(values, out, encode_q8_0);
    case Format::kQ4_0:
      return encode_blocks<32>(values, out, encode_q4_0);
    case Format::kQ4_1:
      return encode_blocks<32>(values, out, encode_q4_1);
    case Format::kQ5_0:
      return encode_blocks<32>(values, out, encode_q5_0);
    case Format::kQ5_1:
      return encode_blocks<32>(values, out, encode_q5_1);
    case Format::kQ2_K:
      return encode_blocks<256>(values, out, encode_q2_k);
    case Format::kQ3_K:
      return encode_blocks<256>(values, out, encode_q3_k);
    case Format::kQ4_K:
      return encode_blocks<256>(values, out, encode_q4_k);
    case Format::kQ5_K:
      return encode_blocks<256>(values, out, encode_q5_k);
    case Format::kQ6_K:
      return encode_blocks<256>(values, out, encode_q6_k);
    case Format::kIQ4_NL:
      return encode_blocks<32>(values, out, encode_iq4_nl);
    case Format::kIQ4_XS:
      return encode_blocks<256>(values, out, encode_iq4_xs);
    case Format::kMXFP4:
      return encode_blocks<32>(values, out, encode_mxfp4);
  }
}

SynthWeights::SynthWeights(std::uint64_t seed) : seed_(seed), normal_(normal_quantiles()) {}

void SynthWeights::generate(std::uint32_t tensor, std::uint64_t run, float mean, float deviation,
                            std::span<float> values) const {
  const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
  const auto high = [](std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32U); };
  for (std::size_t i = 0; i < values.size(); i += kWeightsPerDraw) {
    const std::uint64_t draw = (run * kRun + i) / kWeightsPerDraw;
    const auto words =
        philox4x32({low(draw), high(draw), tensor, kStream}, {low(seed_), high(seed_)});
    const std::size_t n = std::min(kWeightsPerDraw, values.size() - i);
    for (std::size_t k = 0; k < n; ++k) {
      const std::uint32_t bits = (words[k / 2] >> (k % 2 == 0 ? 0U : 16U)) & 0xFFFFU;
      values[i + k] = mean + deviation * normal_[bits];
    }
  }
}

}  // namespace jarip
