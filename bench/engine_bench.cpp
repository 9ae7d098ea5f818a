// The engine alone, without a network: reads lines like "streams 16 tokens 256" and answers each
// with the seconds that so many answers of so many tokens took together, as `jarip bench
// --from-stdin` does. bench/compare/overhead.py holds a server against it.
//   engine_bench MODEL THREADS
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <latch>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include "app/loaded_model.h"

namespace jarip {
namespace {

constexpr std::uint32_t kPromptTokens = 8;
constexpr TokenId kFirstToken = 1000;

// As overhead.py has them for the server.
std::vector<TokenId> prompt_of(std::uint32_t stream) {
  std::vector<TokenId> tokens;
  for (std::uint32_t i = 0; i < kPromptTokens; ++i) {
    tokens.push_back(kFirstToken + static_cast<TokenId>(stream * kPromptTokens + i));
  }
  return tokens;
}

Result<double> run(Engine& engine, std::uint32_t n_streams, std::uint32_t n_tokens) {
  std::latch running(n_streams);
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint32_t stream = 0; stream < n_streams; ++stream) {
    GenerateRequest request{.prompt = prompt_of(stream),
                            .sampling = {.temperature = 0},
                            .max_new_tokens = n_tokens,
                            .ignore_end_tokens = true};
    JARIP_TRY([[maybe_unused]] const SequenceId id,
              engine.submit(std::move(request), [&running](const Event& event) {
                if (std::holds_alternative<EndEvent>(event)) running.count_down();
              }));
  }
  running.wait();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

int bench(const char* path, unsigned n_threads) {
  LoadedModelOptions options;
  options.n_threads = n_threads;
  options.engine.max_draft_tokens = 0;
  const auto model = LoadedModel::load(path, "bench", options);
  if (!model) {
    fmt::print(stderr, "{}\n", model.error().message);
    return 1;
  }
  fmt::print("{{\"ready\":true}}\n");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string word;
    std::uint32_t n_streams = 0;
    std::uint32_t n_tokens = 0;
    words >> word >> n_streams >> word >> n_tokens;
    const auto seconds = run((*model)->engine(), n_streams, n_tokens);
    if (!seconds) {
      fmt::print(stderr, "{}\n", seconds.error().message);
      return 1;
    }
    fmt::print("{{\"seconds\":{}}}\n", *seconds);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace jarip

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "engine_bench MODEL THREADS\n");
    return 2;
  }
  return jarip::bench(argv[1], static_cast<unsigned>(std::atoi(argv[2])));
}
