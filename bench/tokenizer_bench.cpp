// How fast one thread turns text into tokens and back with the tokenizer of a model file
// (JARIP_TEST_MODEL), and how long the tokenizer takes to build. Texts are the repository's own.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/gguf.h"
#include "model/tokenizer.h"

namespace jarip {
namespace {

constexpr std::size_t kTextBytes = std::size_t{1} << 20U;

std::optional<GgufFile> open_model(benchmark::State& state) {
  const char* path = std::getenv("JARIP_TEST_MODEL");
  auto file = GgufFile::open(path == nullptr ? "" : path);
  if (file) return *std::move(file);
  state.SkipWithError(file.error().message.c_str());
  return std::nullopt;
}

std::optional<Tokenizer> build_tokenizer(benchmark::State& state) {
  const auto file = open_model(state);
  if (!file) return std::nullopt;
  auto tokenizer = Tokenizer::from_gguf(*file);
  if (tokenizer) return *std::move(tokenizer);
  state.SkipWithError(tokenizer.error().message.c_str());
  return std::nullopt;
}

// A file of the repository, repeated to kTextBytes.
std::string read_text(std::string_view name) {
  std::ifstream file(std::string(JARIP_SOURCE_DIR "/").append(name), std::ios::binary);
  const std::string once((std::istreambuf_iterator<char>(file)), {});
  std::string text;
  while (!once.empty() && text.size() < kTextBytes) text += once;
  return text;
}

void build(benchmark::State& state) {
  const auto file = open_model(state);
  if (!file) return;
  for (auto _ : state) benchmark::DoNotOptimize(Tokenizer::from_gguf(*file));
}

void encode(benchmark::State& state, const std::string& text) {
  const auto tokenizer = build_tokenizer(state);
  if (!tokenizer) return;
  std::size_t n_tokens = 0;
  for (auto _ : state) n_tokens = tokenizer->encode(text).size();
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
  state.counters["bytes_per_token"] =
      static_cast<double>(text.size()) / static_cast<double>(n_tokens);
}

void decode(benchmark::State& state, const std::string& text) {
  const auto tokenizer = build_tokenizer(state);
  if (!tokenizer) return;
  const std::vector<TokenId> ids = tokenizer->encode(text);
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer->decode(ids));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}

}  // namespace
}  // namespace jarip

int main(int argc, char** argv) {
  const std::string english = jarip::read_text("tests/fidelity/text/english.txt");
  const std::string korean = jarip::read_text("tests/fidelity/text/korean.txt");
  const std::string code = jarip::read_text("src/model/gguf.cpp");
  const std::string letters(jarip::kTextBytes, 'a');
  const auto unit = benchmark::kMillisecond;
  benchmark::RegisterBenchmark("build", jarip::build)->Unit(unit);
  benchmark::RegisterBenchmark("encode/english", jarip::encode, english)->Unit(unit);
  benchmark::RegisterBenchmark("encode/korean", jarip::encode, korean)->Unit(unit);
  benchmark::RegisterBenchmark("encode/code", jarip::encode, code)->Unit(unit);
  benchmark::RegisterBenchmark("encode/one_letter", jarip::encode, letters)->Unit(unit);
  benchmark::RegisterBenchmark("decode/english", jarip::decode, english)->Unit(unit);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
