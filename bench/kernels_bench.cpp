// How fast one thread multiplies and attends: every block format, instruction set and batch, on
// matrices of the default model's shape (in cache) and of a 1.2B model's (from memory); attention
// at several depths. Counters: operations a second (a multiply and an add are two), bytes of
// weights a second, and the fraction of what this process measured as the machine's limit.
#include <benchmark/benchmark.h>

#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tensor/dequantize.h"
#include "tensor/kernels.h"
#include "tensor/limits.h"

namespace jarip {
namespace {

// Measured once, on one thread.
const MachineLimits& limits_of(const Kernels& kernels) {
  static std::map<std::string_view, MachineLimits> measured;
  const auto found = measured.find(kernels.name);
  if (found != measured.end()) return found->second;
  ThreadPool pool(1);
  return measured[kernels.name] = measure_limits(kernels, pool).value_or(MachineLimits{});
}

void count_work(benchmark::State& state, double ops, double limit) {
  const double all = ops * static_cast<double>(state.iterations());
  state.counters["op/s"] = benchmark::Counter(all, benchmark::Counter::kIsRate);
  state.counters["of_limit"] = benchmark::Counter(all / limit, benchmark::Counter::kIsRate);
}

void multiply(benchmark::State& state, const Kernels* kernels, Format format, std::uint32_t n_out,
              std::uint32_t n_cols) {
  const auto n_rows = static_cast<std::uint32_t>(state.range(0));
  std::mt19937 generator(1);
  // Zero scales: the speed doesn't depend on the numbers, and none may be a NaN.
  const std::vector<std::byte> stored(n_out * row_bytes(format, n_cols));
  ThreadPool pool(1);
  const auto weights = PackedMatrix::pack(format, stored, n_out, n_cols, pool);
  if (!weights) return state.SkipWithError(weights.error().message.c_str());
  std::vector<float> x(std::size_t{n_rows} * n_cols);
  for (float& value : x) value = static_cast<float>(generator() % 100);
  QuantizedRows quantized;
  quantized.resize(n_rows, n_cols);
  for (std::uint32_t row = 0; row < n_rows; ++row) {
    kernels->quantize_row(x.data() + std::size_t{row} * n_cols, n_cols,
                          quantized.values.data() + std::size_t{row} * n_cols,
                          quantized.blocks.data() + std::size_t{row} * (n_cols / kBlockCols));
  }
  std::vector<float> out(std::size_t{n_rows} * n_out);
  for (auto _ : state) {
    kernels->matmul(*weights, {x.data(), &quantized}, {0, n_rows, 0, weights->n_tiles()},
                    out.data(), n_out, Epilogue::kStore);
    benchmark::DoNotOptimize(out.data());
  }
  const MachineLimits& limits = limits_of(*kernels);
  count_work(state, 2.0 * n_rows * n_out * n_cols,
             is_float(format) ? limits.f32_flops_per_second : limits.int8_ops_per_second);
  state.counters["weight_bytes/s"] = benchmark::Counter(
      static_cast<double>(weights->memory_bytes()) * static_cast<double>(state.iterations()),
      benchmark::Counter::kIsRate, benchmark::Counter::kIs1024);
}

// One key-value head of 64 dimensions with three query heads, as the default model has; n_tokens
// queries at the end of a context of `depth` positions.
void attend(benchmark::State& state, const Kernels* kernels, KvFormat format) {
  constexpr std::uint32_t kHeadDim = 64;
  constexpr std::uint32_t kGroup = 3;
  const auto depth = static_cast<std::uint32_t>(state.range(0));
  const auto n_tokens = static_cast<std::uint32_t>(state.range(1));
  std::mt19937 generator(1);
  std::normal_distribution<float> normal;
  const PageKernels& on_pages = kernels->pages_of(format);
  const std::size_t page_bytes = kv_head_layout(format, kHeadDim).n_bytes;
  std::vector<std::byte> memory(depth / kPageLanes * page_bytes);
  std::vector<std::byte*> pages;
  for (std::uint32_t i = 0; i < depth / kPageLanes; ++i) {
    pages.push_back(memory.data() + i * page_bytes);
  }
  std::vector<float> row(kHeadDim);
  for (std::uint32_t i = 0; i < depth; ++i) {
    for (float& x : row) x = normal(generator);
    on_pages.store_key(row.data(), kHeadDim, i % kPageLanes, pages[i / kPageLanes]);
    on_pages.store_value(row.data(), kHeadDim, i % kPageLanes, pages[i / kPageLanes]);
  }
  std::vector<float> queries(std::size_t{n_tokens} * kGroup * kHeadDim);
  for (float& x : queries) x = normal(generator) / 8;
  std::vector<float> out(queries.size());
  std::vector<float> scratch(attention_scratch_floats(kHeadDim));
  const AttentionTask task{queries.data(), out.data(), kGroup * kHeadDim, kGroup * kHeadDim,
                           n_tokens,       kGroup,     kHeadDim,          depth - n_tokens,
                           pages.data(),   0,          scratch.data(),    0,
                           depth,          nullptr};
  for (auto _ : state) {
    on_pages.attend(task);
    benchmark::DoNotOptimize(out.data());
  }
  count_work(state, 4.0 * n_tokens * kGroup * kHeadDim * (depth - (n_tokens - 1) / 2.0),
             limits_of(*kernels).f32_flops_per_second);
}

void register_table(const Kernels* kernels) {
  for (const FormatRow& row : kFormats) {
    for (const auto& [shape, n_out, n_cols] :
         {std::tuple{"135m", 1536U, 768U}, {"1b", 8192U, 2048U}}) {
      const std::string name = "matmul/" + std::string(kernels->name) + "/" +
                               std::string(row.name) + "/" + shape + "/rows";
      benchmark::RegisterBenchmark(
          name.c_str(),
          [kernels, format = row.format, n_out, n_cols](benchmark::State& state) {
            multiply(state, kernels, format, n_out, n_cols);
          })
          ->Arg(1)
          ->Arg(16)
          ->Arg(256);
    }
  }
  for (const KvFormatRow& row : kKvFormats) {
    const std::string name = "attend/" + std::string(kernels->name) + "/" + std::string(row.name);
    benchmark::RegisterBenchmark(
        name.c_str(),
        [kernels, format = row.format](benchmark::State& state) { attend(state, kernels, format); })
        ->ArgNames({"depth", "tokens"})
        ->Args({256, 16})
        ->Args({512, 16})
        ->Args({8192, 16})
        ->Args({512, 1})
        ->Args({8192, 1});
  }
}

}  // namespace
}  // namespace jarip

int main(int argc, char** argv) {
  for (const jarip::Kernels* kernels : jarip::available_kernels()) jarip::register_table(kernels);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
