#include "model/synth.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>

#include "base/aligned_buffer.h"
#include "model/gguf.h"
#include "model/model.h"
#include "model/synth_vocabulary.h"
#include "model/synth_weights.h"
#include "model/tokenizer.h"
#include "model/vocabulary.h"
#include "tensor/dequantize.h"

namespace jarip {
namespace {

namespace fs = std::filesystem;

const SynthShape& shape_named(std::string_view name) {
  return *std::ranges::find(synth_shapes(), name, &SynthShape::name);
}

// Tensor name to the name of its format.
std::map<std::string, std::string_view> mix_of(std::string_view shape, FileType format) {
  std::map<std::string, std::string_view> mix;
  for (const SynthTensor& tensor : synth_tensors(shape_named(shape), format)) {
    mix[tensor.name] = format_row(tensor.format).name;
  }
  return mix;
}

struct Rounding {
  Format format;
  double most;  // root of the mean square error, in standard deviations of the weights
};

// A step of n levels over a range of r deviations errs by r / n / sqrt(12): the bounds are that
// with the range of 32 (or 16) normal numbers, about 2.1 (1.8) to either side, and some room.
constexpr Rounding kRoundings[] = {
    {Format::kF32, 1e-9},   {Format::kF16, 4e-4},    {Format::kBF16, 3e-3},
    {Format::kQ8_0, 7e-3},  {Format::kQ5_0, 0.05},   {Format::kQ4_0, 0.10},
    {Format::kQ4_1, 0.09},  {Format::kQ4_K, 0.09},   {Format::kQ5_1, 0.045},
    {Format::kQ2_K, 0.36},  {Format::kQ3_K, 0.17},   {Format::kQ5_K, 0.045},
    {Format::kQ6_K, 0.025}, {Format::kIQ4_NL, 0.09}, {Format::kIQ4_XS, 0.09},
    {Format::kMXFP4, 0.13}};

// The noise in the logits of a small model, beside a signal of one: each matrix that a token passes
// through adds the square of what it errs by, and of what rounding its input to eight bits does.
// (None of it is dampened: a made-up embedding is small beside what layers add to it.)
double rounding_noise(FileType format) {
  constexpr double kOfActivations = 0.005;  // as kernels_test has it
  double noise = 0;
  for (const SynthTensor& tensor : synth_tensors(shape_named("llama-tiny"), format)) {
    if (tensor.shape.size() < 2) continue;
    const auto* const row = std::ranges::find(kRoundings, tensor.format, &Rounding::format);
    noise += row->most * row->most + kOfActivations * kOfActivations;
  }
  return noise;
}

std::string layer_tensor(int layer, std::string_view name) {
  return "blk." + std::to_string(layer) + "." + std::string(name) + ".weight";
}

class SynthTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "synth_test.XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(FileType format, std::uint64_t seed = 0, unsigned n_threads = 2,
                 std::string_view shape = "llama-tiny") {
    fs::path path = folder_ / ("m" + std::to_string(++n_written_) + ".gguf");
    ThreadPool pool(n_threads);
    const auto n_bytes = write_synthetic_model(
        {.shape = &shape_named(shape), .format = format, .seed = seed, .path = path}, pool);
    EXPECT_TRUE(n_bytes) << (n_bytes ? "" : n_bytes.error().message);
    if (n_bytes) EXPECT_EQ(*n_bytes, fs::file_size(path));
    return path;
  }
  static std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  fs::path folder_;
  int n_written_ = 0;
};

TEST_F(SynthTest, OneSeedGivesOneFileOnAnyNumberOfThreads) {
  const std::string first = read(write(FileType::kQ4_K_M, 7, 1));
  EXPECT_EQ(first, read(write(FileType::kQ4_K_M, 7, 3)));
  EXPECT_NE(first, read(write(FileType::kQ4_K_M, 8, 1)));
}

// Logits of a few tokens, by the path that computes with the weights as the file has them.
std::vector<float> logits_of(const GgufFile& file, ComputePath path) {
  ThreadPool pool(1);
  LoadOptions options;
  options.path = path;
  const auto model = load_model(file, pool, options);
  EXPECT_TRUE(model) << (model ? "" : model.error().message);
  if (!model) return {};
  const auto memory = *AlignedBuffer::allocate((*model)->kv_page_bytes());
  const std::array<TokenId, 4> tokens = {65, 300, 2, 400};
  const std::array<PageId, 1> pages = {0};
  const std::array chunks = {
      SequenceChunk{.tokens = tokens, .position = 0, .pages = pages, .n_logits = 1}};
  std::vector<float> logits((*model)->config().n_vocab);
  (*model)->step(chunks,
                 {.base = memory.data(), .page_bytes = (*model)->kv_page_bytes(), .n_pages = 1},
                 logits);
  return logits;
}

double correlation(std::span<const float> a, std::span<const float> b) {
  double aa = 0;
  double bb = 0;
  double ab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    aa += double{a[i]} * a[i];
    bb += double{b[i]} * b[i];
    ab += double{a[i]} * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

TEST_F(SynthTest, EveryFormatIsTheSameModelButForRounding) {
  const fs::path exact_path = write(FileType::kF32);
  const auto exact = logits_of(*GgufFile::open(exact_path), ComputePath::kReference);
  for (const FileTypeRow& row : file_types()) {
    const auto file = GgufFile::open(write(row.type));
    ASSERT_TRUE(file) << row.name << ": " << file.error().message;
    EXPECT_TRUE(Tokenizer::from_gguf(*file)) << row.name;
    for (const auto path : {ComputePath::kReference, ComputePath::kOptimized}) {
      const auto logits = logits_of(*file, path);
      ASSERT_EQ(logits.size(), exact.size()) << row.name;
      EXPECT_TRUE(std::ranges::all_of(logits, [](float x) { return std::isfinite(x); }));
      EXPECT_GT(correlation(logits, exact), 1 / std::sqrt(1 + rounding_noise(row.type)))
          << row.name;
    }
  }
}

TEST_F(SynthTest, LogitsAreNeitherFlatNorWild) {
  const auto logits = logits_of(*GgufFile::open(write(FileType::kQ4_K_M)), ComputePath::kOptimized);
  double square = 0;
  for (const float logit : logits) square += double{logit} * logit;
  const double deviation = std::sqrt(square / static_cast<double>(logits.size()));
  EXPECT_GT(deviation, 0.3);
  EXPECT_LT(deviation, 3.0);
}

TEST(SynthMix, FourBitMediumFavoursTheLayersThatMatterMore) {
  const auto mix = mix_of("llama-1b", FileType::kQ4_K_M);
  EXPECT_EQ(mix.at("token_embd.weight"), "Q6_K");
  EXPECT_EQ(mix.at("output_norm.weight"), "F32");
  const std::set<int> more_bits = {0, 1, 4, 7, 10, 13, 14, 15};  // of 16
  for (int layer = 0; layer < 16; ++layer) {
    const bool more = more_bits.contains(layer);
    EXPECT_EQ(mix.at(layer_tensor(layer, "attn_v")), more ? "Q6_K" : "Q4_K") << layer;
    EXPECT_EQ(mix.at(layer_tensor(layer, "ffn_down")), more ? "Q6_K" : "Q4_K") << layer;
    for (const char* name : {"attn_q", "attn_k", "attn_output", "ffn_gate", "ffn_up"}) {
      EXPECT_EQ(mix.at(layer_tensor(layer, name)), "Q4_K") << layer << name;
    }
    EXPECT_EQ(mix.at(layer_tensor(layer, "attn_norm")), "F32");
  }
}

TEST(SynthMix, RowsThatNoBlockOf256FitsFallBack) {
  const auto mix = mix_of("llama-135m", FileType::kQ4_K_M);
  EXPECT_EQ(mix.at("token_embd.weight"), "Q8_0");
  EXPECT_EQ(mix.at(layer_tensor(0, "attn_q")), "Q5_0");
  EXPECT_EQ(mix.at(layer_tensor(0, "attn_v")), "Q8_0");
  EXPECT_EQ(mix.at(layer_tensor(0, "ffn_down")), "Q6_K");
  EXPECT_EQ(mix.at(layer_tensor(3, "attn_v")), "Q5_0");
  EXPECT_EQ(mix.at(layer_tensor(3, "ffn_down")), "Q4_K");
  EXPECT_EQ(mix.at(layer_tensor(3, "ffn_gate")), "Q5_0");
}

TEST(SynthMix, TypesOfFewBitsGiveMoreToWhatNeedsThem) {
  struct Want {
    FileType format;
    int layer;
    std::string_view value, attention_out, down, other;
  };
  // llama-1b: 16 layers, four query heads for each key-value head.
  const Want wants[] = {
      {FileType::kQ2_K, 5, "Q4_K", "Q3_K", "Q3_K", "Q2_K"},
      {FileType::kQ2_K_S, 0, "Q4_K", "Q2_K", "Q4_K", "Q2_K"},
      {FileType::kQ2_K_S, 2, "Q4_K", "Q2_K", "Q2_K", "Q2_K"},
      {FileType::kQ3_K_S, 0, "Q3_K", "Q3_K", "Q3_K", "Q3_K"},
      {FileType::kQ3_K_M, 0, "Q5_K", "Q4_K", "Q5_K", "Q3_K"},
      {FileType::kQ3_K_M, 1, "Q5_K", "Q4_K", "Q4_K", "Q3_K"},
      {FileType::kQ3_K_M, 2, "Q4_K", "Q4_K", "Q4_K", "Q3_K"},
      {FileType::kQ3_K_L, 15, "Q5_K", "Q5_K", "Q5_K", "Q3_K"},
      {FileType::kQ4_K_S, 1, "Q5_K", "Q4_K", "Q5_K", "Q4_K"},
      {FileType::kQ4_K_S, 3, "Q5_K", "Q4_K", "Q4_K", "Q4_K"},
      {FileType::kQ4_K_S, 4, "Q4_K", "Q4_K", "Q4_K", "Q4_K"},
      {FileType::kQ5_K_S, 0, "Q5_K", "Q5_K", "Q5_K", "Q5_K"},
      {FileType::kQ5_K_M, 0, "Q6_K", "Q5_K", "Q6_K", "Q5_K"},
      {FileType::kQ5_K_M, 2, "Q5_K", "Q5_K", "Q5_K", "Q5_K"},
      {FileType::kIQ4_NL, 1, "Q5_K", "IQ4_NL", "Q5_K", "IQ4_NL"},
      {FileType::kIQ4_XS, 2, "Q5_K", "IQ4_XS", "IQ4_XS", "IQ4_XS"},
      {FileType::kMXFP4, 2, "Q8_0", "Q8_0", "MXFP4", "Q8_0"},
  };
  for (const Want& want : wants) {
    const auto mix = mix_of("llama-1b", want.format);
    const std::string name(file_type_row(want.format).name);
    EXPECT_EQ(mix.at(layer_tensor(want.layer, "attn_v")), want.value) << name;
    EXPECT_EQ(mix.at(layer_tensor(want.layer, "attn_output")), want.attention_out) << name;
    EXPECT_EQ(mix.at(layer_tensor(want.layer, "ffn_down")), want.down) << name;
    EXPECT_EQ(mix.at(layer_tensor(want.layer, "attn_q")), want.other) << name;
    EXPECT_EQ(mix.at("token_embd.weight"), want.format == FileType::kMXFP4 ? "Q8_0" : "Q6_K");
  }
  // llama-135m has three heads for each, and rows of 576.
  const auto narrow = mix_of("llama-135m", FileType::kQ2_K);
  EXPECT_EQ(narrow.at(layer_tensor(2, "attn_v")), "IQ4_NL");
  EXPECT_EQ(narrow.at(layer_tensor(2, "ffn_down")), "Q3_K");
  EXPECT_EQ(mix_of("llama-135m", FileType::kQ5_K_S).at(layer_tensor(2, "attn_q")), "Q5_1");
  EXPECT_EQ(mix_of("llama-135m", FileType::kIQ4_XS).at(layer_tensor(2, "attn_q")), "IQ4_NL");
}

TEST(SynthMix, OtherTypesKeepOneFormatButForTheOutput) {
  for (const auto& [name, format] : mix_of("llama-1b", FileType::kQ4_0)) {
    const bool norm = name.contains("norm");
    EXPECT_EQ(format, norm ? "F32" : name == "token_embd.weight" ? "Q6_K" : "Q4_0") << name;
  }
  for (const auto& [name, format] : mix_of("llama-1b", FileType::kQ8_0)) {
    EXPECT_EQ(format, name.contains("norm") ? "F32" : "Q8_0") << name;
  }
}

class SynthRounding : public testing::TestWithParam<Rounding> {};

TEST_P(SynthRounding, LosesWhatTheFormatMustLose) {
  const SynthWeights weights(3);
  std::vector<float> values(std::size_t{SynthWeights::kRun} * 64);
  for (std::uint64_t run = 0; run < 64; ++run) {
    weights.generate(1, run, 0, 0.05F,
                     std::span(values).subspan(run * SynthWeights::kRun, SynthWeights::kRun));
  }
  const Format format = GetParam().format;
  std::vector<std::byte> bytes(row_bytes(format, values.size()));
  encode_weights(format, values, bytes);
  std::vector<float> back(values.size());
  dequantize_row(format, bytes, back);
  double square = 0;
  double error = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    square += double{values[i]} * values[i];
    error += std::pow(double{back[i]} - values[i], 2);
  }
  EXPECT_NEAR(std::sqrt(square / static_cast<double>(values.size())), 0.05, 0.001);
  EXPECT_LT(std::sqrt(error / square), GetParam().most);
}

INSTANTIATE_TEST_SUITE_P(Formats, SynthRounding, testing::ValuesIn(kRoundings),
                         [](const auto& info) {
                           return std::string(format_row(info.param.format).name);
                         });

TEST(SynthVocabulary, CutsTextAndJoinsItAgain) {
  for (const std::uint32_t n_tokens : {257U, 512U, 49152U}) {
    const SynthVocabulary made(n_tokens);
    ASSERT_EQ(made.tokens.size(), n_tokens);
    EXPECT_EQ(made.end, n_tokens - 1);
    Vocabulary vocabulary;
    vocabulary.model = "gpt2";
    vocabulary.pre = "smollm";
    vocabulary.tokens = made.tokens;
    for (const std::int32_t type : made.types) {
      vocabulary.types.push_back(static_cast<TokenType>(type));
    }
    vocabulary.merges = made.merges;
    vocabulary.eos = made.end;
    const auto tokenizer = Tokenizer::from_vocabulary(vocabulary);
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    const std::string text = "the rain in Spain\n자립 \xFF";
    const auto ids = tokenizer->encode(text);
    EXPECT_EQ(tokenizer->decode(ids), text);
    if (n_tokens > 257) EXPECT_LT(ids.size(), text.size());
  }
}

}  // namespace
}  // namespace jarip
