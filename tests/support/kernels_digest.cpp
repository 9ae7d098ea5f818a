// Digests of what every kernel of one instruction set gives for inputs that are the same on every
// machine. A tool of the tests that compare machines, not part of the program.
//
//   kernels_digest           one line a case: its name and 64 bits over the outputs' bytes, of the
//                            instruction set that JARIP_CPU names
//   kernels_digest --list    the instruction sets of this machine, one a line
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "tensor/dequantize.h"
#include "tensor/kernels.h"
#include "tensor/packed_matrix.h"
#include "tests/support/random_weights.h"

namespace jarip {
namespace {

// FNV-1a. NaNs count as one: which of them an operation gives differs by machine.
class Digest {
 public:
  void add(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) {
      state_ = (state_ ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3U;
    }
  }
  void add(std::span<const float> values) {
    for (const float value : values) {
      const auto bits = std::bit_cast<std::uint32_t>(value);
      const std::uint32_t same = std::isnan(value) ? 0x7FC00000U : bits;
      add(std::as_bytes(std::span(&same, 1)));
    }
  }
  [[nodiscard]] std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325U;
};

void print(const std::string& name, const Digest& digest) {
  fmt::print("{} {:016x}\n", name, digest.value());
}

// n numbers from -spread to spread that are the same everywhere: every step is exact.
std::vector<float> noise(std::size_t n, std::uint64_t seed, float spread = 1.0F) {
  std::vector<float> out(n);
  for (std::size_t i = 0; i < n; ++i) {
    const auto bits = static_cast<std::int32_t>(random_bits(seed, i) & 0xFFFFFFU);
    out[i] = static_cast<float>(bits - 0x800000) * 0x1p-23F * spread;
  }
  return out;
}

// Noise with what is hard: zeros of both signs, subnormal and huge numbers, infinities, NaN.
std::vector<float> odd_noise(std::size_t n, std::uint64_t seed) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kOdd[] = {0.0F,       -0.0F,
                            0x1p-140F,  -0x1p-120F,
                            0x1p-101F,  0x1p100F,
                            -0x1p126F,  65519.9F,
                            65520.0F,   -87.5F,
                            88.5F,      kInfinity,
                            -kInfinity, std::numeric_limits<float>::quiet_NaN()};
  std::vector<float> out = noise(n, seed, 4.0F);
  for (std::size_t i = 0; i < std::size(kOdd); ++i) out[(i * 53 + 7) % n] = kOdd[i];
  return out;
}

QuantizedRows quantize(const Kernels& kernels, const std::vector<float>& x, std::uint32_t n_cols) {
  const std::size_t n_rows = x.size() / n_cols;
  QuantizedRows rows;
  rows.resize(n_rows, n_cols);
  for (std::size_t row = 0; row < n_rows; ++row) {
    kernels.quantize_row(x.data() + row * n_cols, n_cols, rows.values.data() + row * n_cols,
                         rows.blocks.data() + row * (n_cols / kBlockCols));
  }
  return rows;
}

// Halves in blocks whose scale is 1.
std::vector<float> ties(std::size_t n) {
  std::vector<float> out(n, 127.0F);
  for (std::size_t i = 0; i < n; ++i) {
    if (i % kBlockCols != 0) out[i] = static_cast<float>(i * 7 % 254) - 126.5F;
  }
  return out;
}

void digest_quantize(const Kernels& kernels) {
  const std::pair<const char*, std::vector<float>> inputs[] = {
      {"noise", noise(2048, 1, 3.0F)}, {"odd", odd_noise(2048, 2)}, {"ties", ties(2048)}};
  for (const auto& [name, x] : inputs) {
    const QuantizedRows rows = quantize(kernels, x, 1024);
    Digest digest;
    digest.add(std::as_bytes(std::span(rows.values)));
    for (const ActivationBlock& block : rows.blocks) {
      digest.add(std::span(&block.scale, 1));
      digest.add(std::span(&block.scaled_sum, 1));
      digest.add(std::as_bytes(std::span(&block.neg_sum, 1)));
      digest.add(std::as_bytes(std::span(&block.neg_sum_low, 1)));
    }
    print(fmt::format("quantize_row/{}", name), digest);
  }
}

Result<> digest_matmul(const Kernels& kernels, const FormatRow& format) {
  constexpr std::uint32_t kCols = 512;
  ThreadPool pool(1);
  for (const std::uint32_t n_out : {40U, 96U}) {
    const auto bytes = random_weights(format.format, n_out, kCols);
    JARIP_TRY(const PackedMatrix weights,
              PackedMatrix::pack(format.format, bytes, n_out, kCols, pool));
    for (const std::uint32_t n : {1U, 2U, 4U, 23U}) {
      const auto x = noise(std::size_t{n} * kCols, n);
      const QuantizedRows quantized = quantize(kernels, x, kCols);
      auto out = noise(std::size_t{n} * n_out, 3);
      for (const Epilogue epilogue : {Epilogue::kAdd, Epilogue::kStore}) {
        kernels.matmul(weights, {x.data(), &quantized}, {0, n, 0, weights.n_tiles()}, out.data(),
                       n_out, epilogue);
        Digest digest;
        digest.add(std::span<const float>(out));
        print(fmt::format("matmul/{}/{}x{}/{}/{}", format.name, n_out, kCols, n,
                          epilogue == Epilogue::kAdd ? "add" : "store"),
              digest);
      }
    }
  }
  return {};
}

// Keys and values of a head as wide as x; what no kernel writes stays zero.
void digest_stores(const Kernels& kernels, const KvFormatRow& row, const std::vector<float>& x,
                   std::string_view kind) {
  const auto head_dim = static_cast<std::uint32_t>(x.size());
  const PageKernels& on_pages = kernels.pages_of(row.format);
  std::vector<std::byte> page(kv_head_layout(row.format, head_dim).n_bytes);
  on_pages.store_key(x.data(), head_dim, 5, page.data());
  on_pages.store_value(x.data(), head_dim, 30, page.data());
  Digest digest;
  digest.add(page);
  print(fmt::format("store/{}/{}", row.name, kind), digest);
}

void digest_rows(const Kernels& kernels) {
  constexpr std::uint32_t kWidth = 576;
  const auto weight = noise(kWidth, 4);
  std::vector<float> out(kWidth);
  for (const float spread : {20.0F, 0x1p-68F}) {  // squares of the second are subnormal
    const auto x = noise(kWidth, 5, spread);
    kernels.rms_norm(x.data(), weight.data(), kWidth, spread > 1.0F ? 1e-5F : 0.0F, out.data());
    Digest digest;
    digest.add(std::span<const float>(out));
    print(fmt::format("rms_norm/{}", spread > 1.0F ? "noise" : "subnormal"), digest);
    Digest layer;
    kernels.layer_norm(x.data(), weight.data(), weight.data(), kWidth, spread > 1.0F ? 1e-5F : 0.0F,
                       out.data());
    layer.add(std::span<const float>(out));
    print(fmt::format("layer_norm/{}", spread > 1.0F ? "noise" : "subnormal"), layer);
  }
  for (const bool odd : {false, true}) {
    const std::string_view kind = odd ? "odd" : "noise";
    const auto x = odd ? odd_noise(kWidth, 5) : noise(kWidth, 6, 20.0F);
    Digest silu;
    kernels.silu_mul(x.data(), weight.data(), kWidth, out.data());
    silu.add(std::span<const float>(out));
    print(fmt::format("silu_mul/{}", kind), silu);
    if (!odd) {
      for (auto* const activate : {kernels.gelu_mul, kernels.clamped_silu_mul}) {
        Digest digest;
        activate(x.data(), weight.data(), kWidth, out.data());
        digest.add(std::span<const float>(out));
        print(activate == kernels.gelu_mul ? "gelu_mul" : "clamped_silu_mul", digest);
      }
      Digest exact;
      kernels.gelu(x.data(), kWidth, out.data());
      exact.add(std::span<const float>(out));
      print("gelu", exact);
    }

    for (const KvFormatRow& row : kKvFormats) digest_stores(kernels, row, x, kind);
  }
}

void digest_recurrent(const Kernels& kernels) {
  constexpr std::uint32_t kWidth = 576;
  std::vector<std::vector<float>> inputs;
  std::vector<const float*> rows;
  for (std::uint64_t j = 0; j < 4; ++j) inputs.push_back(noise(kWidth, 20 + j, 9.0F));
  for (const auto& input : inputs) rows.push_back(input.data());
  const auto weights = noise(4 * std::size_t{kWidth}, 24);
  std::vector<float> out(kWidth);
  Digest conv;
  kernels.conv_silu(rows.data(), weights.data(), 4, kWidth, out.data());
  conv.add(std::span<const float>(out));
  print("conv_silu", conv);
  Digest gate;
  kernels.sigmoid_mul(odd_noise(kWidth, 25).data(), inputs[0].data(), kWidth, out.data());
  gate.add(std::span<const float>(out));
  print("sigmoid_mul", gate);

  constexpr std::uint32_t kDim = 96;
  constexpr std::uint32_t kTokens = 7;
  const auto mixed = noise(std::size_t{3} * kDim * kTokens, 26, 0.2F);
  auto gates = noise(2 * kTokens, 27);
  for (float& value : gates) value = std::fabs(value);
  auto state = noise(std::size_t{kDim} * kDim, 28);
  std::vector<float> given(std::size_t{kDim} * kTokens);
  kernels.gated_delta({mixed.data(), mixed.data() + kDim, mixed.data() + 2 * kDim, 3 * kDim,
                       gates.data(), gates.data() + kTokens, 1, kTokens, kDim, state.data(),
                       given.data(), kDim});
  Digest delta;
  delta.add(std::span<const float>(given));
  delta.add(std::span<const float>(state));
  print("gated_delta", delta);
}

struct AttentionShape {
  std::uint32_t n_positions, head_dim, n_group;
  std::uint32_t window = 0;  // and with it a cap and sinks
};

// A head's keys and values stored token by token, then attended to in chunks.
void digest_attention(const Kernels& kernels, const KvFormatRow& row, const AttentionShape& shape) {
  const PageKernels& on_pages = kernels.pages_of(row.format);
  const auto [n_positions, head_dim, n_group, window] = shape;
  const std::size_t stride = std::size_t{n_group} * head_dim;
  const std::size_t page_bytes = kv_head_layout(row.format, head_dim).n_bytes;
  const std::size_t n_pages = (n_positions + kPageLanes - 1) / kPageLanes;
  std::vector<std::byte> memory(n_pages * page_bytes);
  std::vector<std::byte*> pages;
  pages.reserve(n_pages);
  for (std::size_t i = 0; i < n_pages; ++i) pages.push_back(memory.data() + i * page_bytes);
  const auto keys = noise(std::size_t{n_positions} * head_dim, 8);
  const auto values = noise(std::size_t{n_positions} * head_dim, 9);
  const auto queries = noise(n_positions * stride, 10, 0.5F);
  std::vector<float> out(queries.size());
  std::vector<float> scratch(attention_scratch_floats(head_dim));
  const auto sinks = noise(n_group, 11);
  for (std::uint32_t at = 0; at < n_positions;) {
    const std::uint32_t n = std::min(
        {kMaxAttentionQueries / n_group, n_positions - at, kAttentionRange - at % kAttentionRange});
    for (std::uint32_t t = at; t < at + n; ++t) {
      const std::size_t from = std::size_t{t} * head_dim;
      std::byte* page = pages[t / kPageLanes];
      on_pages.store_key(keys.data() + from, head_dim, t % kPageLanes, page);
      on_pages.store_value(values.data() + from, head_dim, t % kPageLanes, page);
    }
    AttentionTask task{queries.data() + at * stride,
                       out.data() + at * stride,
                       stride,
                       stride,
                       n,
                       n_group,
                       head_dim,
                       at,
                       pages.data(),
                       0,
                       scratch.data(),
                       0,
                       at + n,
                       nullptr};
    if (window != 0) {
      const std::uint32_t hidden = at >= window ? at + 1 - window : 0;
      task.begin = task.first = hidden / kAttentionRange * kAttentionRange;
      task.window = window;
      task.cap = 1.5F;
      task.sinks = sinks.data();
    }
    on_pages.attend(task);
    at += n;
  }
  Digest digest;
  digest.add(std::span<const float>(out));
  print(fmt::format("attend/{}/{}/{}/{}/{}", row.name, n_positions, head_dim, n_group, window),
        digest);
}

Result<> digest_all() {
  JARIP_TRY(const Kernels* const kernels, select_kernels());
  digest_quantize(*kernels);
  for (const FormatRow& format : kFormats) JARIP_CHECK(digest_matmul(*kernels, format));
  digest_rows(*kernels);
  digest_recurrent(*kernels);
  for (const KvFormatRow& row : kKvFormats) {
    for (const AttentionShape& shape :
         {AttentionShape{33, 16, 1}, {300, 64, 3}, {290, 80, 4}, {330, 64, 2, 40}}) {
      digest_attention(*kernels, row, shape);
    }
  }
  return {};
}

}  // namespace
}  // namespace jarip

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--list") {
    for (const jarip::Kernels* table : jarip::available_kernels()) fmt::print("{}\n", table->name);
    return 0;
  }
  if (argc != 1) {
    fmt::print(stderr, "usage: kernels_digest [--list]\n");
    return 2;
  }
  const auto done = jarip::digest_all();
  if (!done) {
    fmt::print(stderr, "kernels_digest: {}\n", done.error().message);
    return 1;
  }
  return 0;
}
