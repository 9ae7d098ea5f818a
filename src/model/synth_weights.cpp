#include "model/synth_weights.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/exact_math.h"
#include "base/random.h"
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

std::uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U);
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
  for (int i = 0; i < 16; ++i) {
    const unsigned low = nearest(values[i] * factor + 8, 15);
    const unsigned high = nearest(values[i + 16] * factor + 8, 15);
    block.nibbles[i] = static_cast<std::uint8_t>(low | (high << 4U));
  }
  return block;
}

BlockQ4_1 encode_q4_1(std::span<const float, 32> values) {
  const auto [least, most] = extremes_of(values);
  BlockQ4_1 block{
      .scale = f32_to_f16((most - least) / 15), .minimum = f32_to_f16(least), .nibbles = {}};
  const float factor = inverse(stored(block.scale));
  const float minimum = stored(block.minimum);
  for (int i = 0; i < 16; ++i) {
    const unsigned low = nearest((values[i] - minimum) * factor, 15);
    const unsigned high = nearest((values[i + 16] - minimum) * factor, 15);
    block.nibbles[i] = static_cast<std::uint8_t>(low | (high << 4U));
  }
  return block;
}

BlockQ5_0 encode_q5_0(std::span<const float, 32> values) {
  BlockQ5_0 block{.scale = f32_to_f16(farthest(values) / -16), .fifth_bits = {}, .nibbles = {}};
  const float factor = inverse(stored(block.scale));
  std::uint32_t fifth_bits = 0;
  for (unsigned i = 0; i < 16; ++i) {
    const unsigned low = nearest(values[i] * factor + 16, 31);
    const unsigned high = nearest(values[i + 16] * factor + 16, 31);
    block.nibbles[i] = static_cast<std::uint8_t>((low & 15U) | ((high & 15U) << 4U));
    fifth_bits |= ((low >> 4U) << i) | ((high >> 4U) << (i + 16));
  }
  std::memcpy(block.fifth_bits, &fifth_bits, sizeof(fifth_bits));
  return block;
}

// The inverse of q4_k_scale().
void pack_scale(std::uint8_t (&packed)[12], int j, SubBlockScale value) {
  if (j < 4) {
    packed[j] = static_cast<std::uint8_t>(packed[j] | value.scale);
    packed[j + 4] = static_cast<std::uint8_t>(packed[j + 4] | value.minimum);
    return;
  }
  packed[j + 4] = static_cast<std::uint8_t>((value.scale & 15U) | ((value.minimum & 15U) << 4U));
  packed[j - 4] = static_cast<std::uint8_t>(packed[j - 4] | ((value.scale >> 4U) << 6U));
  packed[j] = static_cast<std::uint8_t>(packed[j] | ((value.minimum >> 4U) << 6U));
}

BlockQ4_K encode_q4_k(std::span<const float, 256> values) {
  float scales[8];
  float minimums[8];  // how far below zero a sub-block begins
  for (int j = 0; j < 8; ++j) {
    const auto [least, most] = extremes_of(values.subspan(j * 32, 32));
    minimums[j] = std::max(-least, 0.0F);
    scales[j] = (most + minimums[j]) / 15;
  }
  BlockQ4_K block{.scale = f32_to_f16(std::ranges::max(scales) / 63),
                  .minimum_scale = f32_to_f16(std::ranges::max(minimums) / 63),
                  .packed = {},
                  .nibbles = {}};
  const float scale_factor = inverse(stored(block.scale));
  const float minimum_factor = inverse(stored(block.minimum_scale));
  for (int j = 0; j < 8; ++j) {
    const SubBlockScale chosen{
        static_cast<std::uint8_t>(nearest(scales[j] * scale_factor, 63)),
        static_cast<std::uint8_t>(nearest(minimums[j] * minimum_factor, 63))};
    pack_scale(block.packed, j, chosen);
    const float factor = inverse(stored(block.scale) * chosen.scale);
    const float minimum = stored(block.minimum_scale) * chosen.minimum;
    std::uint8_t* nibbles = block.nibbles + j / 2 * 32;
    const unsigned shift = j % 2 == 0 ? 0 : 4;
    for (int i = 0; i < 32; ++i) {
      const unsigned q = nearest((values[j * 32 + i] + minimum) * factor, 15);
      nibbles[i] = static_cast<std::uint8_t>(nibbles[i] | (q << shift));
    }
  }
  return block;
}

BlockQ6_K encode_q6_k(std::span<const float, 256> values) {
  float scales[16];
  for (int j = 0; j < 16; ++j) scales[j] = farthest(values.subspan(j * 16, 16)) / -32;
  BlockQ6_K block{
      .low = {}, .high = {}, .scales = {}, .scale = f32_to_f16(std::abs(farthest(scales)) / 127)};
  const float scale_factor = inverse(stored(block.scale));
  for (int j = 0; j < 16; ++j) {
    const int chosen = static_cast<int>(nearest(scales[j] * scale_factor + 128, 255)) - 128;
    block.scales[j] = static_cast<std::int8_t>(chosen);
    const float factor = inverse(stored(block.scale) * static_cast<float>(chosen));
    for (int i = j * 16; i < j * 16 + 16; ++i) {
      const unsigned q = nearest(values[i] * factor + 32, 63);
      const int quarter = i % 128 / 32;
      std::uint8_t& low = block.low[i / 128 * 64 + quarter % 2 * 32 + i % 32];
      std::uint8_t& high = block.high[i / 128 * 32 + i % 32];
      low = static_cast<std::uint8_t>(low | ((q & 15U) << (quarter < 2 ? 0U : 4U)));
      high = static_cast<std::uint8_t>(high | ((q >> 4U) << static_cast<unsigned>(2 * quarter)));
    }
  }
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
      return encode_blocks<1>(values, out, [](auto block) { return to_bf16(block[0]); });
    case Format::kQ8_0:
      return encode_blocks<32>(values, out, encode_q8_0);
    case Format::kQ4_0:
      return encode_blocks<32>(values, out, encode_q4_0);
    case Format::kQ4_1:
      return encode_blocks<32>(values, out, encode_q4_1);
    case Format::kQ5_0:
      return encode_blocks<32>(values, out, encode_q5_0);
    case Format::kQ4_K:
      return encode_blocks<256>(values, out, encode_q4_k);
    case Format::kQ6_K:
      return encode_blocks<256>(values, out, encode_q6_k);
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
