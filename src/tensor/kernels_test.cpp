#include "tensor/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "tensor/dequantize.h"
#include "tensor/half.h"
#include "tests/support/random_weights.h"

namespace jarip {
namespace {

// Under sanitizers and emulation, which are slow, attention is asked at fewer positions.
constexpr bool kSlowBuild = JARIP_SLOW_BUILD;

// Drawn once and kept: the library draws with long doubles, which an emulator computes in software.
const std::vector<float>& random_floats(std::size_t n, std::uint32_t seed, float spread = 1.0F) {
  static std::map<std::tuple<std::size_t, std::uint32_t, float>, std::vector<float>> drawn;
  const auto [at, is_new] = drawn.try_emplace({n, seed, spread}, n);
  if (is_new) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal(0.0F, spread);
    for (float& x : at->second) x = normal(generator);
  }
  return at->second;
}

PackedMatrix pack(Format format, const std::vector<std::byte>& bytes, std::uint32_t n_rows,
                  std::uint32_t n_cols) {
  ThreadPool pool(1);
  auto packed = PackedMatrix::pack(format, bytes, n_rows, n_cols, pool);
  EXPECT_TRUE(packed.has_value());
  return std::move(*packed);
}

QuantizedRows quantize(const Kernels& kernels, const std::vector<float>& x, std::uint32_t n_cols) {
  QuantizedRows rows;
  rows.resize(x.size() / n_cols, n_cols);
  for (std::size_t row = 0; row < x.size() / n_cols; ++row) {
    kernels.quantize_row(x.data() + row * n_cols, n_cols, rows.values.data() + row * n_cols,
                         rows.blocks.data() + row * (n_cols / 32));
  }
  return rows;
}

std::vector<float> multiply(const Kernels& kernels, const PackedMatrix& weights,
                            const std::vector<float>& x, Epilogue epilogue = Epilogue::kStore) {
  const auto n_rows = static_cast<std::uint32_t>(x.size() / weights.n_cols());
  const QuantizedRows quantized = quantize(kernels, x, weights.n_cols());
  std::vector<float> out(std::size_t{n_rows} * weights.n_rows(), 1.0F);
  kernels.matmul(weights, {x.data(), &quantized}, {0, n_rows, 0, weights.n_tiles()}, out.data(),
                 weights.n_rows(), epilogue);
  return out;
}

class EveryKernelTable : public testing::TestWithParam<const Kernels*> {};

TEST_P(EveryKernelTable, QuantizesAsScalarDoesToTheByte) {
  const auto x = random_floats(4096, 1, 3.0F);
  std::vector<float> with_odd_values = x;
  with_odd_values[5] = 0x1p-120F;
  for (int i = 64; i < 96; ++i) with_odd_values[i] = 0;
  for (int i = 96; i < 128; ++i) with_odd_values[i] = 0x1p-110F;
  with_odd_values[200] = INFINITY;
  with_odd_values[300] = NAN;
  for (const auto& input : {x, with_odd_values}) {
    const QuantizedRows expected = quantize(scalar_kernels(), input, 1024);
    const QuantizedRows actual = quantize(*GetParam(), input, 1024);
    EXPECT_EQ(expected.values, actual.values);
    for (std::size_t i = 0; i < expected.blocks.size(); ++i) {
      const ActivationBlock& want = expected.blocks[i];
      const ActivationBlock& got = actual.blocks[i];
      EXPECT_EQ(want.neg_sum, got.neg_sum);
      EXPECT_EQ(want.neg_sum_low, got.neg_sum_low);
      if (std::isnan(want.scale)) {
        EXPECT_TRUE(std::isnan(got.scale));
      } else {
        EXPECT_EQ(want.scale, got.scale);
      }
    }
  }
}

TEST_P(EveryKernelTable, MultipliesEveryFormatAsScalarDoesToTheByte) {
  for (const FormatRow& known : kFormats) {
    const Format format = known.format;
    const std::uint32_t n_cols = 512;
    for (const std::uint32_t n_out : {1U, 16U, 40U, 96U}) {
      const auto bytes = random_weights(format, n_out, n_cols, 7 + n_out);
      const PackedMatrix weights = pack(format, bytes, n_out, n_cols);
      for (const std::uint32_t n : {1U, 2U, 3U, 8U, 13U}) {
        const auto x = random_floats(std::size_t{n} * n_cols, n);
        EXPECT_EQ(multiply(scalar_kernels(), weights, x), multiply(*GetParam(), weights, x))
            << format_row(format).name << " n=" << n << " n_out=" << n_out;
        EXPECT_EQ(multiply(scalar_kernels(), weights, x, Epilogue::kAdd),
                  multiply(*GetParam(), weights, x, Epilogue::kAdd));
      }
    }
  }
}

TEST_P(EveryKernelTable, BatchAndTileSplitNeverChangeARow) {
  for (const FormatRow& known : kFormats) {
    const Format format = known.format;
    const std::uint32_t n_cols = 256;
    const std::uint32_t n_out = 80;
    const PackedMatrix weights =
        pack(format, random_weights(format, n_out, n_cols, 3), n_out, n_cols);
    const auto x = random_floats(std::size_t{19} * n_cols, 4);
    const auto together = multiply(*GetParam(), weights, x);
    for (std::uint32_t row = 0; row < 19; ++row) {
      const std::vector<float> alone_x(x.begin() + row * n_cols, x.begin() + (row + 1) * n_cols);
      const auto alone = multiply(*GetParam(), weights, alone_x);
      EXPECT_EQ(0, std::memcmp(alone.data(), together.data() + row * n_out, n_out * 4))
          << format_row(format).name << " row " << row;
    }
    const QuantizedRows quantized = quantize(*GetParam(), x, n_cols);
    std::vector<float> split(std::size_t{19} * n_out);
    for (const auto [begin, end] : {std::pair{0U, 1U}, {1U, 4U}, {4U, 5U}}) {
      GetParam()->matmul(weights, {x.data(), &quantized}, {0, 19, begin, end},
                         split.data() + begin * kTileRows, n_out, Epilogue::kStore);
    }
    EXPECT_EQ(split, together);
  }
}

// Activations are rounded to steps of a block's largest / 127. An error spread evenly over a step
// has a deviation of step / sqrt(12), which a weight carries into its product.
double rounding_variance(std::span<const float> weights, std::span<const float> x) {
  double variance = 0;
  for (std::size_t begin = 0; begin < x.size(); begin += kBlockCols) {
    float largest = 0;
    double squares = 0;
    for (std::size_t k = begin; k < begin + kBlockCols; ++k) {
      largest = std::max(largest, std::fabs(x[k]));
      squares += double{weights[k]} * weights[k];
    }
    variance += squares * std::pow(double{largest} / 127, 2) / 12;
  }
  return variance;
}

TEST_P(EveryKernelTable, ProductsAreCloseToDequantizedArithmetic) {
  // Weights with minimums are much alike in all outputs, and so are their errors: it takes several
  // rows of activations to tell chance from a wrong number.
  const std::uint32_t n = 8;
  const std::uint32_t n_cols = 1024;
  const std::uint32_t n_out = 48;
  const auto x = random_floats(std::size_t{n} * n_cols, 12);
  for (const FormatRow& known : kFormats) {
    const Format format = known.format;
    const auto bytes = random_weights(format, n_out, n_cols, 11, {0.02F, 0.2F});
    const auto actual = multiply(*GetParam(), pack(format, bytes, n_out, n_cols), x);
    double error = 0;
    double size = 0;
    double rounding = 0;
    std::vector<float> row(n_cols);
    for (std::uint32_t i = 0; i < n_out; ++i) {
      dequantize_row(format, std::span(bytes).subspan(i * row_bytes(format, n_cols)), row);
      for (std::uint32_t r = 0; r < n; ++r) {
        const auto in = std::span(x).subspan(std::size_t{r} * n_cols, n_cols);
        double expected = 0;
        for (std::uint32_t k = 0; k < n_cols; ++k) expected += double{row[k]} * double{in[k]};
        error += std::pow(expected - actual[std::size_t{r} * n_out + i], 2);
        size += expected * expected;
        rounding += rounding_variance(row, in);
      }
    }
    if (is_float(format)) {
      EXPECT_LT(std::sqrt(error / size), 1e-5) << known.name;
    } else {
      EXPECT_LT(std::sqrt(error / rounding), 2) << known.name;
    }
  }
}

TEST_P(EveryKernelTable, NormAndActivationAsScalarToTheByte) {
  const auto x = random_floats(576, 21, 4.0F);
  const auto y = random_floats(576, 22);
  std::vector<float> expected(576);
  std::vector<float> actual(576);
  scalar_kernels().rms_norm(x.data(), y.data(), 576, 1e-5F, expected.data());
  GetParam()->rms_norm(x.data(), y.data(), 576, 1e-5F, actual.data());
  EXPECT_EQ(expected, actual);
  double mean = 0;
  for (const float value : x) mean += double{value} * value / 576;
  EXPECT_NEAR(actual[100], x[100] / std::sqrt(mean + 1e-5) * y[100], 1e-5);

  std::vector<float> wide = x;
  wide[0] = -1000;
  wide[1] = 1000;
  wide[2] = -87.5F;
  scalar_kernels().silu_mul(wide.data(), y.data(), 576, expected.data());
  GetParam()->silu_mul(wide.data(), y.data(), 576, actual.data());
  EXPECT_EQ(expected, actual);
  for (int i = 0; i < 576; ++i) {
    const double exact = wide[i] / (1 + std::exp(-double{wide[i]})) * y[i];
    EXPECT_NEAR(actual[i], exact, 1e-6 * std::max(1.0, std::fabs(exact)));
  }
}

TEST_P(EveryKernelTable, WhatEncodersNeedIsTheSameBytesAndRight) {
  constexpr std::uint32_t kWidth = 576;
  std::vector<float> x(kWidth);
  std::vector<float> weight(kWidth);
  std::vector<float> bias(kWidth);
  for (std::uint32_t i = 0; i < kWidth; ++i) {
    x[i] = static_cast<float>(i) * 0.05F - 14;
    weight[i] = static_cast<float>(i % 7) * 0.3F;
    bias[i] = static_cast<float>(i % 5) - 2;
  }
  x[0] = -1000;
  x[1] = 1000;
  std::vector<float> expected(kWidth);
  std::vector<float> actual(kWidth);
  scalar_kernels().gelu(x.data(), kWidth, expected.data());
  GetParam()->gelu(x.data(), kWidth, actual.data());
  EXPECT_EQ(expected, actual);
  for (std::uint32_t i = 0; i < kWidth; ++i) {
    const double exact = 0.5 * double{x[i]} * std::erfc(-double{x[i]} / std::sqrt(2.0));
    EXPECT_NEAR(actual[i], exact, 1e-6 * std::max(1.0, std::fabs(exact)));
  }

  scalar_kernels().layer_norm(x.data(), weight.data(), bias.data(), kWidth, 1e-5F, expected.data());
  GetParam()->layer_norm(x.data(), weight.data(), bias.data(), kWidth, 1e-5F, actual.data());
  EXPECT_EQ(expected, actual);
  double mean = 0;
  double variance = 0;
  for (const float value : x) mean += double{value} / kWidth;
  for (const float value : x) variance += (value - mean) * (value - mean) / kWidth;
  for (std::uint32_t i = 0; i < kWidth; ++i) {
    EXPECT_NEAR(actual[i], (x[i] - mean) / std::sqrt(variance + 1e-5) * weight[i] + bias[i], 1e-5);
  }
}

TEST_P(EveryKernelTable, OtherActivationsAreTheSameBytesAndRight) {
  std::vector<float> gate(576);
  std::vector<float> up(576);
  for (int i = 0; i < 576; ++i) {
    gate[i] = static_cast<float>(i - 288) * 0.05F;
    up[i] = static_cast<float>(i % 37 - 18) * 0.5F;
  }
  gate[0] = -1000;
  gate[1] = 1000;
  std::vector<float> expected(576);
  std::vector<float> actual(576);
  scalar_kernels().gelu_mul(gate.data(), up.data(), 576, expected.data());
  GetParam()->gelu_mul(gate.data(), up.data(), 576, actual.data());
  EXPECT_EQ(expected, actual);
  for (int i = 0; i < 576; ++i) {
    const double g = gate[i];
    const double inner = std::sqrt(2 / 3.14159265358979) * g * (1 + 0.044715 * g * g);
    EXPECT_NEAR(actual[i], 0.5 * g * (1 + std::tanh(inner)) * up[i],
                2e-6 * std::max(1.0, std::fabs(g * up[i])));
  }
  scalar_kernels().clamped_silu_mul(gate.data(), up.data(), 576, expected.data());
  GetParam()->clamped_silu_mul(gate.data(), up.data(), 576, actual.data());
  EXPECT_EQ(expected, actual);
  for (int i = 0; i < 576; ++i) {
    const double g = std::min<double>(gate[i], 7);
    const double u = std::clamp<double>(up[i], -7, 7);
    EXPECT_NEAR(actual[i], g / (1 + std::exp(-1.702 * g)) * (u + 1), 1e-4);
  }
}

TEST_P(EveryKernelTable, ConvolutionAndGatesAreTheSameBytesAndRight) {
  constexpr std::uint32_t kWidth = 48;
  const auto inputs = random_floats(std::size_t{3} * kWidth, 41, 3);
  const auto weights = random_floats(std::size_t{3} * kWidth, 42);
  // The rows in any place: the kernel takes them as they are pointed to.
  const float* rows[] = {inputs.data() + kWidth, inputs.data(), inputs.data() + 2 * kWidth};
  std::vector<float> expected(kWidth);
  std::vector<float> actual(kWidth);
  scalar_kernels().conv_silu(rows, weights.data(), 3, kWidth, expected.data());
  GetParam()->conv_silu(rows, weights.data(), 3, kWidth, actual.data());
  EXPECT_EQ(expected, actual);
  for (std::uint32_t i = 0; i < kWidth; ++i) {
    double sum = 0;
    for (std::uint32_t j = 0; j < 3; ++j) sum += double{rows[j][i]} * weights[j * kWidth + i];
    EXPECT_NEAR(actual[i], sum / (1 + std::exp(-sum)), 1e-5);
  }
  scalar_kernels().sigmoid_mul(inputs.data(), weights.data(), kWidth, expected.data());
  GetParam()->sigmoid_mul(inputs.data(), weights.data(), kWidth, actual.data());
  EXPECT_EQ(expected, actual);
  for (std::uint32_t i = 0; i < kWidth; ++i) {
    EXPECT_NEAR(actual[i], weights[i] / (1 + std::exp(-double{inputs[i]})), 1e-6);
  }
}

// The gated delta rule as its paper has it, in double precision.
std::vector<double> delta_rule(std::span<const float> mixed, std::span<const float> gates,
                               std::vector<double>& state, std::uint32_t d) {
  std::vector<double> out;
  for (std::size_t t = 0; t < gates.size() / 2; ++t) {
    const float* q = mixed.data() + t * 3 * d;
    const float* k = q + d;
    const float* v = k + d;
    for (std::uint32_t j = 0; j < d; ++j) {
      double known = 0;
      for (std::uint32_t i = 0; i < d; ++i) known += (state[i * d + j] *= gates[2 * t]) * k[i];
      double given = 0;
      for (std::uint32_t i = 0; i < d; ++i) {
        given += (state[i * d + j] += k[i] * gates[2 * t + 1] * (v[j] - known)) * q[i];
      }
      out.push_back(given);
    }
  }
  return out;
}

TEST_P(EveryKernelTable, GatedDeltaIsRightAndChunksNeverChangeIt) {
  constexpr std::uint32_t kDim = 32;
  constexpr std::uint32_t kTokens = 9;
  const auto mixed = random_floats(std::size_t{3} * kDim * kTokens, 43, 0.3F);
  std::vector<float> gates = random_floats(2 * kTokens, 44);
  for (float& gate : gates) gate = 0.5F + 0.4F * gate;
  const auto run = [&](const Kernels& kernels, std::uint32_t chunk, std::vector<float>& state) {
    std::vector<float> out(std::size_t{kDim} * kTokens);
    for (std::uint32_t at = 0; at < kTokens; at += chunk) {
      const float* first = mixed.data() + at * 3 * kDim;
      kernels.gated_delta({first, first + kDim, first + 2 * kDim, 3 * kDim, gates.data() + 2 * at,
                           gates.data() + 2 * at + 1, 2, std::min(chunk, kTokens - at), kDim,
                           state.data(), out.data() + at * kDim, kDim});
    }
    return out;
  };
  const auto begin = random_floats(std::size_t{kDim} * kDim, 45);
  std::vector<float> state = begin;
  const std::vector<float> expected = run(scalar_kernels(), kTokens, state);
  for (const std::uint32_t chunk : {kTokens, 1U, 4U}) {
    std::vector<float> own = begin;
    EXPECT_EQ(run(*GetParam(), chunk, own), expected) << chunk;
    EXPECT_EQ(own, state) << chunk;
  }
  std::vector<double> truth_state(begin.size());
  for (std::uint32_t column = 0; column < kDim; ++column) {
    for (std::uint32_t i = 0; i < kDim; ++i) {
      truth_state[i * kDim + column] = begin[column / 16 * 16 * kDim + i * 16 + column % 16];
    }
  }
  const std::vector<double> truth = delta_rule(mixed, gates, truth_state, kDim);
  for (std::size_t i = 0; i < truth.size(); ++i) EXPECT_NEAR(expected[i], truth[i], 1e-4);
}

// Keys, values and queries of one head over a number of positions, in pages out of order.
struct AttentionCase {
  AttentionCase(KvFormat format_, std::uint32_t n_positions_, std::uint32_t head_dim_,
                std::uint32_t n_group_)
      : format(format_), n_positions(n_positions_), head_dim(head_dim_), n_group(n_group_) {
    const std::size_t n_pages = (n_positions + 31) / 32;
    page_bytes = kv_head_layout(format, head_dim).n_bytes + 128;
    memory.assign(n_pages * page_bytes, std::byte{0xFF});  // NaN where nothing is written
    for (std::size_t i = 0; i < n_pages; ++i) {
      pages.push_back(memory.data() + (n_pages - 1 - i) * page_bytes);
    }
    keys = random_floats(std::size_t{n_positions} * head_dim, 31);
    values = random_floats(std::size_t{n_positions} * head_dim, 32);
    queries = random_floats(std::size_t{n_positions} * n_group * head_dim, 33, 0.2F);
  }

  // ranges_each: of a piece, where the tasks are to be cut; 0 leaves them whole.
  std::vector<float> run(const Kernels& all_kernels, std::uint32_t chunk,
                         std::uint32_t ranges_each = 0) {
    const PageKernels& kernels = all_kernels.pages_of(format);
    std::vector<float> out(queries.size());
    std::vector<float> scratch(attention_scratch_floats(head_dim));
    const std::size_t stride = std::size_t{n_group} * head_dim;
    for (std::uint32_t at = 0; at < n_positions;) {
      std::uint32_t n = std::min({chunk, n_positions - at, kAttentionRange - at % kAttentionRange});
      for (std::uint32_t t = at; t < at + n; ++t) {
        std::byte* page = pages[t / 32] + 64;
        kernels.store_key(keys.data() + std::size_t{t} * head_dim, head_dim, t % 32, page);
        kernels.store_value(values.data() + std::size_t{t} * head_dim, head_dim, t % 32, page);
      }
      if (!is_asked(at, at + n)) {
        at += n;
        continue;
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
                         64,
                         scratch.data(),
                         0,
                         at + n,
                         nullptr};
      if (ranges_each == 0) {
        kernels.attend(task);
      } else {
        attend_in_pieces(all_kernels, task, ranges_each * kAttentionRange);
      }
      at += n;
    }
    for (std::uint32_t t = 0; t < n_positions; ++t) {
      if (!is_asked(t, t + 1)) std::fill_n(out.begin() + t * stride, stride, 0.0F);
    }
    return out;
  }

  // Whether some token of [begin, end) asks. All of them do, but for builds that are slow: there
  // it is those of the first page, of the middle, and around each range's end. Others store only.
  [[nodiscard]] bool is_asked(std::uint32_t begin, std::uint32_t end) const {
    if constexpr (!kSlowBuild) return true;
    for (std::uint32_t t = begin; t < end; ++t) {
      const std::uint32_t in_range = (t + 4) % kAttentionRange;
      if (t < kPageLanes || t == n_positions / 2 || t + 6 > n_positions || in_range < 12) {
        return true;
      }
    }
    return false;
  }

  // The last piece first: the order must not matter.
  void attend_in_pieces(const Kernels& kernels, AttentionTask task, std::uint32_t step) const {
    const std::uint32_t end = task.end;
    std::vector<float> parts((end + kAttentionRange - 1) / kAttentionRange *
                             attention_part_floats(task.n_tokens * n_group, head_dim));
    task.parts = parts.data();
    for (std::uint32_t i = (end + step - 1) / step; i-- > 0;) {
      task.begin = i * step;
      task.end = std::min(end, task.begin + step);
      kernels.pages_of(format).attend(task);
    }
    kernels.merge_attention(task);
  }

  // What a page holds of x, worked out here from the format's definition.
  double held(const std::vector<float>& x, std::size_t token, std::uint32_t dim) const {
    const float* head = x.data() + token * head_dim;
    if (format == KvFormat::kF16) return f16_to_f32(f32_to_f16(head[dim]));
    const std::uint32_t block = dim / 32 * 32;
    double largest = 0;
    for (std::uint32_t d = block; d < std::min(block + 32, head_dim); ++d) {
      largest = std::max(largest, std::fabs(double{head[d]}));
    }
    const double scale = f16_to_f32(f32_to_f16(static_cast<float>(largest / 127)));
    return scale * std::nearbyint(head[dim] / scale);
  }

  // Plain softmax attention in double, over the numbers that a page holds.
  double expected(std::uint32_t token, std::uint32_t group, std::uint32_t dim) const {
    const float* query = queries.data() + (std::size_t{token} * n_group + group) * head_dim;
    std::vector<double> weights;
    double sum = 0;
    double out = 0;
    for (std::uint32_t k = 0; k <= token; ++k) {
      double score = 0;
      for (std::uint32_t d = 0; d < head_dim; ++d) {
        score += double{query[d]} * held(keys, k, d);
      }
      const double weight = std::exp(score);
      sum += weight;
      out += weight * held(values, k, dim);
    }
    return out / sum;
  }

  KvFormat format;
  std::uint32_t n_positions;
  std::uint32_t head_dim;
  std::uint32_t n_group;
  std::size_t page_bytes = 0;
  std::vector<std::byte> memory;
  std::vector<std::byte*> pages;
  std::vector<float> keys, values, queries;
};

TEST_P(EveryKernelTable, AttentionIsRightAndChunksNeverChangeIt) {
  for (const auto& [format, n, head_dim, group] : {std::tuple{KvFormat::kF16, 1U, 64U, 3U},
                                                   {KvFormat::kF16, 33U, 16U, 1U},
                                                   {KvFormat::kF16, 300U, 64U, 3U},
                                                   {KvFormat::kF16, 530U, 80U, 4U},
                                                   {KvFormat::kF16, 300U, 128U, 2U},
                                                   {KvFormat::kF16, 70U, 256U, 1U},
                                                   {KvFormat::kQ8_0, 70U, 256U, 2U},
                                                   {KvFormat::kQ8_0, 33U, 16U, 1U},
                                                   {KvFormat::kQ8_0, 70U, 80U, 4U},
                                                   {KvFormat::kQ8_0, 300U, 64U, 3U}}) {
    AttentionCase scene(format, n, head_dim, group);
    const auto expected = scene.run(scalar_kernels(), 1);
    for (const std::uint32_t chunk : {1U, 5U, 48U / group}) {
      AttentionCase again(format, n, head_dim, group);
      EXPECT_EQ(expected, again.run(*GetParam(), chunk))
          << kv_format_name(format) << ", " << n << " chunk " << chunk;
      for (const std::uint32_t ranges_each : {1U, 2U}) {
        EXPECT_EQ(expected, again.run(*GetParam(), chunk, ranges_each))
            << kv_format_name(format) << ", " << n << " in pieces of " << ranges_each;
      }
    }
    for (const std::uint32_t token : {0U, n / 2, n - 1}) {
      for (const std::uint32_t dim : {0U, head_dim - 1}) {
        const std::size_t at = (std::size_t{token} * group + group - 1) * head_dim + dim;
        EXPECT_NEAR(expected[at], scene.expected(token, group - 1, dim), 2e-6)
            << kv_format_name(format);
      }
    }
  }
}

// Every number of a page: the same bytes from every table, and near enough to what was stored.
TEST_P(EveryKernelTable, StoresKeysAndValuesAsScalarDoesToTheByte) {
  constexpr std::uint32_t kHeadDim = 80;  // the last block is a short one
  auto x = random_floats(kHeadDim, 41, 3.0F);
  for (std::uint32_t d = 32; d < 64; ++d) x[d] *= 0x1p-30F;  // a scale below f16's smallest
  x[70] = 70000.0F;                                          // past f16's range
  for (const KvFormatRow& row : kKvFormats) {
    const std::size_t n_bytes = kv_head_layout(row.format, kHeadDim).n_bytes;
    std::vector<std::byte> expected(n_bytes);
    std::vector<std::byte> actual(n_bytes);
    for (const float odd : {1.0F, 1e30F, -INFINITY, NAN}) {
      x[7] = odd;
      for (const auto& [kernels, page] :
           {std::pair{&scalar_kernels(), &expected}, {GetParam(), &actual}}) {
        kernels->pages_of(row.format).store_key(x.data(), kHeadDim, 3, page->data());
        kernels->pages_of(row.format).store_value(x.data(), kHeadDim, 31, page->data());
      }
      EXPECT_EQ(expected, actual) << row.name << ", " << odd;
    }
  }
}

TEST(PageFormats, Q8_0HoldsEachBlockByItsOwnScale) {
  constexpr std::uint32_t kHeadDim = 48;
  constexpr std::uint32_t kSlot = 9;
  const KvHeadLayout layout = kv_head_layout(KvFormat::kQ8_0, kHeadDim);
  EXPECT_EQ(layout.n_bytes, 2U * 32 * (48 + 2 * 2));
  std::vector<std::byte> page(layout.n_bytes);
  std::vector<float> x(kHeadDim);
  for (std::uint32_t d = 0; d < kHeadDim; ++d) {
    x[d] = (d < 32 ? 0.5F : 8.0F) * (static_cast<float>(d % 16) - 127.0F);
  }
  const PageKernels& kernels = scalar_kernels().pages_of(KvFormat::kQ8_0);
  kernels.store_key(x.data(), kHeadDim, kSlot, page.data());
  kernels.store_value(x.data(), kHeadDim, kSlot, page.data());
  const auto* keys = reinterpret_cast<const std::int8_t*>(page.data());
  const auto* values = reinterpret_cast<const std::int8_t*>(page.data() + layout.values);
  const auto scale = [&](std::size_t part, std::uint32_t block) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, page.data() + part + (block * kPageLanes + kSlot) * 2, 2);
    return f16_to_f32(bits);
  };
  for (const std::size_t part : {layout.key_scales, layout.value_scales}) {
    EXPECT_EQ(scale(part, 0), 0.5F);
    EXPECT_EQ(scale(part, 1), 8.0F);
  }
  for (std::uint32_t d = 0; d < kHeadDim; ++d) {
    EXPECT_EQ(keys[d * kPageLanes + kSlot], static_cast<int>(d % 16) - 127);
    EXPECT_EQ(values[kSlot * kHeadDim + d], static_cast<int>(d % 16) - 127);
  }
}

TEST(PageFormats, Q8_0NeedsLittleMoreThanHalfOfF16) {
  for (std::uint32_t head_dim = 16; head_dim <= 256; head_dim += 16) {
    const std::size_t f16 = kv_head_layout(KvFormat::kF16, head_dim).n_bytes;
    const std::size_t q8_0 = kv_head_layout(KvFormat::kQ8_0, head_dim).n_bytes;
    EXPECT_EQ(f16, std::size_t{head_dim} * 32 * 2 * 2);
    EXPECT_EQ(q8_0, f16 / 2 + std::size_t{(head_dim + 31) / 32} * 32 * 2 * 2);
    EXPECT_EQ(q8_0 % 64, 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(, EveryKernelTable,
                         testing::ValuesIn(available_kernels().begin(), available_kernels().end()),
                         [](const auto& info) {
                           std::string name(info.param->name);
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(Kernels, ForcedTableIsUsedAndAnUnknownOneRefused) {
  setenv("JARIP_CPU", "scalar", 1);
  EXPECT_EQ((*select_kernels())->name, "scalar");
  setenv("JARIP_CPU", "mmx", 1);
  const auto refused = select_kernels();
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("scalar"), std::string::npos);
  unsetenv("JARIP_CPU");
  EXPECT_EQ(*select_kernels(), available_kernels().front());
}

}  // namespace
}  // namespace jarip
