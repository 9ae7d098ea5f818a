#include "tensor/dequantize.h"

#include <cstring>

#include "tensor/blocks.h"
#include "tensor/half.h"

namespace jarip {
namespace {

template <class T>
T read(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

void dequantize_block(const BlockQ8_0& block, float* out) {
  const float scale = f16_to_f32(block.scale);
  for (int i = 0; i < 32; ++i) out[i] = scale * static_cast<float>(block.values[i]);
}

void dequantize_block(const BlockQ4_0& block, float* out) {
  const float scale = f16_to_f32(block.scale);
  for (int i = 0; i < 16; ++i) {
    out[i] = scale * static_cast<float>((block.nibbles[i] & 15) - 8);
    out[i + 16] = scale * static_cast<float>((block.nibbles[i] >> 4) - 8);
  }
}

void dequantize_block(const BlockQ4_1& block, float* out) {
  const float scale = f16_to_f32(block.scale);
  const float minimum = f16_to_f32(block.minimum);
  for (int i = 0; i < 16; ++i) {
    out[i] = scale * static_cast<float>(block.nibbles[i] & 15) + minimum;
    out[i + 16] = scale * static_cast<float>(block.nibbles[i] >> 4) + minimum;
  }
}

void dequantize_block(const BlockQ5_0& block, float* out) {
  const float scale = f16_to_f32(block.scale);
  for (int i = 0; i < 32; ++i) out[i] = scale * static_cast<float>(q5_value(block, i) - 16);
}

void dequantize_block(const BlockQ5_1& block, float* out) {
  const float scale = f16_to_f32(block.scale);
  const float minimum = f16_to_f32(block.minimum);
  for (int i = 0; i < 32; ++i) out[i] = scale * static_cast<float>(q5_value(block, i)) + minimum;
}

void dequantize_block(const BlockQ2_K& block, float* out) {
  const float scale = f16_to_f32(block.scale);
  const float minimum_scale = f16_to_f32(block.minimum_scale);
  for (int i = 0; i < 256; ++i) {
    const std::uint8_t packed = block.packed[i / 16];
    out[i] = scale * static_cast<float>(packed & 15) * static_cast<float>(two_bits(block, i)) -
             minimum_scale * static_cast<float>(packed >> 4);
  }
}

void dequantize_block(const BlockQ3_K& block, float* out) {
  const float scale = f16_to_f32(block.scale);
  for (int i = 0; i < 256; ++i) {
    out[i] = scale * static_cast<float>(q3_k_scale(block.packed, i / 16)) *
             static_cast<float>(q3_k_value(block, i) - 4);
  }
}

void dequantize_block(const BlockQ4_K& block, float* out) {
  const float scale = f16_to_f32(block.scale);
  const float minimum_scale = f16_to_f32(block.minimum_scale);
  for (int i = 0; i < 256; ++i) {
    const SubBlockScale sub = q4_k_scale(block.packed, i / 32);
    out[i] =
        scale * sub.scale * static_cast<float>(q4_k_value(block, i)) - minimum_scale * sub.minimum;
  }
}

void dequantize_block(const BlockQ5_K& block, float* out) {
  const float scale = f16_to_f32(block.scale);
  const float minimum_scale = f16_to_f32(block.minimum_scale);
  for (int i = 0; i < 256; ++i) {
    const SubBlockScale sub = q4_k_scale(block.packed, i / 32);
    out[i] =
        scale * sub.scale * static_cast<float>(q5_k_value(block, i)) - minimum_scale * sub.minimum;
  }
}

void dequantize_block(const BlockQ6_K& block, float* out) {
  const float scale = f16_to_f32(block.scale);
  for (int i = 0; i < 256; ++i) {
    out[i] = scale * static_cast<float>(block.scales[i / 16]) *
             static_cast<float>(q6_k_value(block, i) - 32);
  }
}

void choose_values(const std::uint8_t (&nibbles)[16], const std::int8_t (&values)[16], float scale,
                   float* out) {
  for (int i = 0; i < 16; ++i) {
    out[i] = scale * static_cast<float>(values[nibbles[i] & 15]);
    out[i + 16] = scale * static_cast<float>(values[nibbles[i] >> 4]);
  }
}

void dequantize_block(const BlockIQ4_NL& block, float* out) {
  choose_values(block.nibbles, kIQ4Values, f16_to_f32(block.scale), out);
}

void dequantize_block(const BlockIQ4_XS& block, float* out) {
  for (int j = 0; j < 8; ++j) {
    const float scale = f16_to_f32(block.scale) * static_cast<float>(iq4_xs_scale(block, j));
    choose_values(block.nibbles[j], kIQ4Values, scale, out + j * 32);
  }
}

void dequantize_block(const BlockMXFP4& block, float* out) {
  choose_values(block.nibbles, kMXFP4Values, bf16_to_f32(mxfp4_scale(block.exponent)), out);
}

template <class Block, std::size_t kBlockSize>
void dequantize_blocks(std::span<const std::byte> bytes, std::span<float> out) {
  for (std::size_t i = 0; i < out.size() / kBlockSize; ++i) {
    dequantize_block(read<Block>(bytes.data() + i * sizeof(Block)), out.data() + i * kBlockSize);
  }
}

}  // namespace

void dequantize_row(Format format, std::span<const std::byte> bytes, std::span<float> out) {
  switch (format) {
    case Format::kF32:
      std::memcpy(out.data(), bytes.data(), out.size_bytes());
      return;
    case Format::kF16:
      for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = f16_to_f32(read<std::uint16_t>(bytes.data() + 2 * i));
      }
      return;
    case Format::kBF16:
      for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = bf16_to_f32(read<std::uint16_t>(bytes.data() + 2 * i));
      }
      return;
    case Format::kQ8_0:
      return dequantize_blocks<BlockQ8_0, 32>(bytes, out);
    case Format::kQ4_0:
      return dequantize_blocks<BlockQ4_0, 32>(bytes, out);
    case Format::kQ4_1:
      return dequantize_blocks<BlockQ4_1, 32>(bytes, out);
    case Format::kQ5_0:
      return dequantize_blocks<BlockQ5_0, 32>(bytes, out);
    case Format::kQ5_1:
      return dequantize_blocks<BlockQ5_1, 32>(bytes, out);
    case Format::kQ2_K:
      return dequantize_blocks<BlockQ2_K, 256>(bytes, out);
    case Format::kQ3_K:
      return dequantize_blocks<BlockQ3_K, 256>(bytes, out);
    case Format::kQ4_K:
      return dequantize_blocks<BlockQ4_K, 256>(bytes, out);
    case Format::kQ5_K:
      return dequantize_blocks<BlockQ5_K, 256>(bytes, out);
    case Format::kQ6_K:
      return dequantize_blocks<BlockQ6_K, 256>(bytes, out);
    case Format::kIQ4_NL:
      return dequantize_blocks<BlockIQ4_NL, 32>(bytes, out);
    case Format::kIQ4_XS:
      return dequantize_blocks<BlockIQ4_XS, 256>(bytes, out);
    case Format::kMXFP4:
      return dequantize_blocks<BlockMXFP4, 32>(bytes, out);
  }
}

}  // namespace jarip
