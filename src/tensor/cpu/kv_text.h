// The formats of KV pages, written once over the vector type V: how a key and a value are stored
// and how 16 numbers are read. Include only through kernels_*.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/half.h"
#include "tensor/kv_format.h"

namespace jarip {

template <class V>
struct F16Page {
  using Number = std::uint16_t;
  static constexpr KvFormat kFormat = KvFormat::kF16;
  static constexpr bool kScaled = false;

  [[gnu::always_inline]] static typename V::F32 load(const Number* p) { return V::load_f16(p); }

  // f16 ends at 65504: a larger key or value is held there and can't become an infinity.
  [[gnu::always_inline]] static typename V::F32 clamp(typename V::F32 x) {
    return V::min(V::max(x, V::set1(-65504.0F)), V::set1(65504.0F));
  }
  static void store_key(const float* key, std::uint32_t head_dim, std::uint32_t slot,
                        std::byte* page) {
    auto* lanes = reinterpret_cast<Number*>(page);
    for (std::uint32_t d = 0; d < head_dim; d += 16) {
      Number halves[16];
      V::store_f16(halves, clamp(V::load(key + d)));
      for (std::uint32_t i = 0; i < 16; ++i) lanes[(d + i) * kPageLanes + slot] = halves[i];
    }
  }
  static void store_value(const float* value, std::uint32_t head_dim, std::uint32_t slot,
                          std::byte* page) {
    auto* rows = reinterpret_cast<Number*>(page + kv_head_layout(kFormat, head_dim).values);
    for (std::uint32_t d = 0; d < head_dim; d += 16) {
      V::store_f16(rows + std::size_t{slot} * head_dim + d, clamp(V::load(value + d)));
    }
  }
};

template <class V>
struct Q8Page {
  using Number = std::int8_t;
  static constexpr KvFormat kFormat = KvFormat::kQ8_0;
  static constexpr bool kScaled = true;

  [[gnu::always_inline]] static typename V::F32 load(const Number* p) { return V::load_i8(p); }

  // What 127 times the largest f16 can hold; a NaN becomes the lower end.
  [[gnu::always_inline]] static typename V::F32 clamp(typename V::F32 x, float limit) {
    return V::min(V::max(x, V::set1(-limit)), V::set1(limit));
  }
  // One block of n (16 or 32) into int8; returns its scale as f16.
  static std::uint16_t quantize(const float* x, std::uint32_t n, Number* out) {
    constexpr float kLimit = 127.0F * 65504.0F;
    auto largest = V::set1(0.0F);
    for (std::uint32_t i = 0; i < n; i += 16) {
      largest = V::max(V::abs(clamp(V::load(x + i), kLimit)), largest);
    }
    const std::uint16_t scale = f32_to_f16(V::reduce_max(largest) / 127.0F);
    // By the scale as it was rounded, which is what the numbers will be multiplied with; below the
    // smallest f16 the block is nothing.
    const float rounded = f16_to_f32(scale);
    const auto inverse = V::set1(rounded > 0.0F ? 1.0F / rounded : 0.0F);
    for (std::uint32_t i = 0; i < n; i += 16) {
      const auto lanes = V::mul(clamp(V::load(x + i), kLimit), inverse);
      V::store_i8(out + i, V::round(clamp(lanes, 127.0F)));
    }
    return scale;
  }
  static std::uint32_t block_size(std::uint32_t head_dim, std::uint32_t begin) {
    return head_dim - begin < kKvBlock ? head_dim - begin : kKvBlock;
  }
  static void store_key(const float* key, std::uint32_t head_dim, std::uint32_t slot,
                        std::byte* page) {
    auto* lanes = reinterpret_cast<Number*>(page);
    auto* scales =
        reinterpret_cast<std::uint16_t*>(page + kv_head_layout(kFormat, head_dim).key_scales);
    for (std::uint32_t d = 0; d < head_dim; d += kKvBlock) {
      Number numbers[kKvBlock];
      const std::uint32_t n = block_size(head_dim, d);
      scales[d / kKvBlock * kPageLanes + slot] = quantize(key + d, n, numbers);
      for (std::uint32_t i = 0; i < n; ++i) lanes[(d + i) * kPageLanes + slot] = numbers[i];
    }
  }
  static void store_value(const float* value, std::uint32_t head_dim, std::uint32_t slot,
                          std::byte* page) {
    const KvHeadLayout layout = kv_head_layout(kFormat, head_dim);
    auto* rows = reinterpret_cast<Number*>(page + layout.values);
    auto* scales = reinterpret_cast<std::uint16_t*>(page + layout.value_scales);
    for (std::uint32_t d = 0; d < head_dim; d += kKvBlock) {
      scales[d / kKvBlock * kPageLanes + slot] =
          quantize(value + d, block_size(head_dim, d), rows + std::size_t{slot} * head_dim + d);
    }
  }
};

}  // namespace jarip
