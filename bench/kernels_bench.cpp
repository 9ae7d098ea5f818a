// How fast one thread multiplies: every block format, instruction set and batch, on a matrix of the
// default model's shape (in cache) and one of a 1.2B model's (from memory). Counters: operations a
// second (a multiply and an add are two), bytes of weights a second.
#include <benchmark/benchmark.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "tensor/dequantize.h"
#include "tensor/kernels.h"

namespace jarip {
namespace {

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
  const auto iterations = static_cast<double>(state.iterations());
  state.counters["op/s"] =
      benchmark::Counter(2.0 * n_rows * n_out * n_cols * iterations, benchmark::Counter::kIsRate);
  state.counters["weight_bytes/s"] =
      benchmark::Counter(static_cast<double>(weights->memory_bytes()) * iterations,
                         benchmark::Counter::kIsRate, benchmark::Counter::kIs1024);
}

void register_all() {
  for (const Kernels* kernels : available_kernels()) {
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
  }
}

}  // namespace
}  // namespace jarip

int main(int argc, char** argv) {
  jarip::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
