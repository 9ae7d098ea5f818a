// Time to choose one token, by size of the vocabulary, shape of the distribution and filters.
#include <benchmark/benchmark.h>

#include <vector>

#include "base/random.h"
#include "engine/sampler.h"

namespace jarip {
namespace {

// Sums of uniform numbers, wide enough that some tokens stand out as in a language model: spread 12
// puts 90 % of the probability in about a hundred tokens; spread 1 is nearly flat, the worst case.
std::vector<float> make_logits(std::size_t n_vocab, float spread) {
  std::vector<float> logits(n_vocab);
  for (std::size_t i = 0; i < n_vocab; ++i) {
    const std::uint64_t bits = random_bits(1, i);
    double sum = -2;
    for (unsigned part = 0; part < 4; ++part) {
      sum += static_cast<double>(bits >> (16U * part) & 0xffffU) / 65536.0;
    }
    logits[i] = static_cast<float>(sum) * spread;
  }
  return logits;
}

// Of a grammar that has one token in so many left.
std::vector<std::uint64_t> make_mask(std::size_t n_vocab, std::size_t one_in) {
  std::vector<std::uint64_t> words((n_vocab + 63) / 64, 0);
  for (std::size_t i = 0; i < n_vocab; ++i) {
    if (random_bits(2, i) % one_in == 0) words[i / 64] |= std::uint64_t{1} << (i % 64);
  }
  return words;
}

void sample(benchmark::State& state, const SamplingParams& params, bool logprobs,
            std::size_t one_in = 0) {
  const auto n_vocab = static_cast<std::uint32_t>(state.range(0));
  const std::vector<float> logits = make_logits(n_vocab, static_cast<float>(state.range(1)));
  const std::vector<TokenId> tokens(1000, 7);
  Sampler sampler(n_vocab);
  SampleRequest request = {.logits = logits, .tokens = tokens, .n_prompt = 500};
  if (logprobs) request.n_logprobs = 20;
  const std::vector<std::uint64_t> mask =
      one_in == 0 ? std::vector<std::uint64_t>{} : make_mask(n_vocab, one_in);
  request.allowed = mask;
  SamplingParams varied = params;
  for (auto _ : state) {
    ++varied.seed;
    benchmark::DoNotOptimize(sampler.sample(request, varied));
  }
}

const std::vector<std::vector<std::int64_t>> kShapes = {{49152, 256000}, {12, 1}};

BENCHMARK_CAPTURE(sample, greedy, SamplingParams{.temperature = 0}, false)->ArgsProduct(kShapes);
BENCHMARK_CAPTURE(sample, temperature, SamplingParams{.temperature = 0.8F}, false)
    ->ArgsProduct(kShapes);
BENCHMARK_CAPTURE(sample, top_k_40, SamplingParams{.temperature = 0.8F, .top_k = 40}, false)
    ->ArgsProduct(kShapes);
BENCHMARK_CAPTURE(sample, top_p_95, SamplingParams{.temperature = 0.8F, .top_p = 0.95F}, false)
    ->ArgsProduct(kShapes);
BENCHMARK_CAPTURE(sample, min_p_05, SamplingParams{.temperature = 0.8F, .min_p = 0.05F}, false)
    ->ArgsProduct(kShapes);
BENCHMARK_CAPTURE(sample, top_k_p_penalties,
                  SamplingParams{.temperature = 0.8F,
                                 .top_k = 40,
                                 .top_p = 0.95F,
                                 .repetition_penalty = 1.1F,
                                 .frequency_penalty = 0.5F},
                  false)
    ->ArgsProduct(kShapes);
BENCHMARK_CAPTURE(sample, greedy_logprobs_20, SamplingParams{.temperature = 0}, true)
    ->ArgsProduct(kShapes);
BENCHMARK_CAPTURE(sample, greedy_mask_of_all, SamplingParams{.temperature = 0}, false, 1)
    ->ArgsProduct(kShapes);
BENCHMARK_CAPTURE(sample, greedy_mask_of_half, SamplingParams{.temperature = 0}, false, 2)
    ->ArgsProduct(kShapes);
BENCHMARK_CAPTURE(sample, greedy_mask_of_few, SamplingParams{.temperature = 0}, false, 1000)
    ->ArgsProduct(kShapes);
BENCHMARK_CAPTURE(sample, top_p_mask_of_half, SamplingParams{.temperature = 0.8F, .top_p = 0.95F},
                  false, 2)
    ->ArgsProduct(kShapes);
BENCHMARK_CAPTURE(sample, top_p_mask_of_few, SamplingParams{.temperature = 0.8F, .top_p = 0.95F},
                  false, 1000)
    ->ArgsProduct(kShapes);

}  // namespace
}  // namespace jarip

BENCHMARK_MAIN();
