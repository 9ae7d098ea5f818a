#include "model/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "model/gguf_writer.h"
#include "model/model_fixture.h"
#include "tensor/dequantize.h"
#include "tensor/half.h"
#include "tensor/kernels.h"
#include "tests/support/random_weights.h"

namespace jarip {
namespace {

// A tiny llama of random weights. 256-wide, so that every block format fits.
struct TinyShape {
  Format format = Format::kQ4_0;
  std::uint32_t n_heads = 4;
  std::uint32_t n_kv_heads = 2;
  std::uint32_t head_dim = 64;
  bool tied = true;
  KvFormat kv_format = KvFormat::kF16;
};

constexpr std::uint32_t kTinyVocab = 300;
constexpr LargestOfBlock kTinyWeights = {0.01F, 0.1F};

std::vector<std::byte> make_tiny_file(const TinyShape& shape) {
  constexpr std::uint32_t kWidth = 256;
  constexpr std::uint32_t kHidden = 512;
  std::uint64_t seed = 99;
  GgufWriter writer;
  writer.add_string("general.architecture", "llama")
      .add_u32("llama.block_count", 2)
      .add_u32("llama.embedding_length", kWidth)
      .add_u32("llama.feed_forward_length", kHidden)
      .add_u32("llama.context_length", 1024)
      .add_u32("llama.attention.head_count", shape.n_heads)
      .add_u32("llama.attention.head_count_kv", shape.n_kv_heads)
      .add_u32("llama.attention.key_length", shape.head_dim)
      .add_u32("llama.attention.value_length", shape.head_dim)
      .add_u32("llama.rope.dimension_count", shape.head_dim)
      .add_f32("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  const auto matrix = [&](const std::string& name, std::uint32_t n_rows, std::uint32_t n_cols) {
    const std::vector<std::uint64_t> dims = {n_cols, n_rows};
    writer.add_tensor(name, shape.format, dims,
                      random_weights(shape.format, n_rows, n_cols, ++seed, kTinyWeights));
  };
  const auto vector = [&](const std::string& name) {
    std::vector<float> ones(kWidth, 1.0F);
    writer.add_f32_tensor(name, {kWidth}, ones);
  };
  matrix("token_embd.weight", kTinyVocab, kWidth);
  if (!shape.tied) matrix("output.weight", kTinyVocab, kWidth);
  vector("output_norm.weight");
  for (const std::string layer : {"blk.0.", "blk.1."}) {
    vector(layer + "attn_norm.weight");
    vector(layer + "ffn_norm.weight");
    matrix(layer + "attn_q.weight", shape.n_heads * shape.head_dim, kWidth);
    matrix(layer + "attn_k.weight", shape.n_kv_heads * shape.head_dim, kWidth);
    matrix(layer + "attn_v.weight", shape.n_kv_heads * shape.head_dim, kWidth);
    matrix(layer + "attn_output.weight", kWidth, shape.n_heads * shape.head_dim);
    matrix(layer + "ffn_gate.weight", kHidden, kWidth);
    matrix(layer + "ffn_up.weight", kHidden, kWidth);
    matrix(layer + "ffn_down.weight", kWidth, kHidden);
  }
  return writer.finish();
}

const TinyShape kShapes[] = {
    {Format::kF32},
    {Format::kF16},
    {Format::kBF16},
    {Format::kQ8_0},
    {Format::kQ4_0},
    {Format::kQ4_1},
    {Format::kQ5_0},
    {Format::kQ5_1},
    {Format::kQ2_K},
    {Format::kQ3_K},
    {Format::kQ4_K},
    {Format::kQ5_K},
    {Format::kQ6_K},
    {Format::kIQ4_NL},
    {Format::kIQ4_XS},
    {Format::kMXFP4},
    {Format::kQ4_0, 8, 1, 32, false},
    {Format::kQ8_0, 3, 3, 96, false},
    {Format::kF32, 4, 2, 64, true, KvFormat::kQ8_0},
    {Format::kQ4_0, 8, 1, 32, false, KvFormat::kQ8_0},
    {Format::kQ8_0, 4, 2, 48, true, KvFormat::kQ8_0},  // the last block of a head is a short one
};

// The release tries both; builds that are slow try many threads with chunks that end within a page.
const std::vector<std::pair<unsigned, std::uint32_t>> kThreadsAndChunks =
    JARIP_SLOW_BUILD ? std::vector<std::pair<unsigned, std::uint32_t>>{{5, 37}}
                     : std::vector<std::pair<unsigned, std::uint32_t>>{{2, 37}, {5, 270}};

class TinyModel : public testing::TestWithParam<TinyShape> {
 protected:
  TinyModel() : bytes_(make_tiny_file(GetParam())), file_(*GgufFile::parse(bytes_)) {}
  ~TinyModel() override { unsetenv("JARIP_CPU"); }
  static LoadOptions optimized() { return {.kv_format = GetParam().kv_format}; }
  std::vector<std::byte> bytes_;
  GgufFile file_;
};

TEST_P(TinyModel, LogitsAreTheSameBytesForEveryChunkThreadCountAndInstructionSet) {
  const auto tokens = random_tokens(270, kTinyVocab, 1);
  Runner plain(file_, 1, optimized());
  const auto expected = plain.run(tokens, 1);
  for (const Kernels* kernels : available_kernels()) {
    setenv("JARIP_CPU", std::string(kernels->name).c_str(), 1);
    for (const auto& [n_threads, chunk] : kThreadsAndChunks) {
      Runner runner(file_, n_threads, optimized());
      EXPECT_TRUE(same_bytes(expected, runner.run(tokens, chunk)))
          << kernels->name << ", " << n_threads << " threads, chunks of " << chunk;
    }
  }
}

TEST_P(TinyModel, AllSequencesOfABatchGetTheLogitsTheyGetAlone) {
  constexpr std::uint32_t kSequences = 9;
  Runner batch(file_, 3, optimized(), kSequences, 320);
  std::vector<std::vector<TokenId>> tokens;
  for (std::uint32_t s = 0; s < kSequences; ++s) {
    tokens.push_back(random_tokens(20 + s * 37, kTinyVocab, 10 + s));
  }
  const std::uint32_t n_vocab = batch.n_vocab();
  // Step 1: all but the last 4 tokens; then 4 steps of one token each, as decoding does.
  std::vector<std::vector<float>> last(kSequences);
  for (int step = 0; step < 5; ++step) {
    std::vector<SequenceChunk> chunks;
    std::vector<float> logits(std::size_t{kSequences} * n_vocab);
    for (std::uint32_t s = 0; s < kSequences; ++s) {
      const std::size_t end = tokens[s].size() - 4 + step;
      const auto begin = static_cast<std::uint32_t>(step == 0 ? 0 : end - 1);
      chunks.push_back(batch.chunk(std::span(tokens[s]).first(end), begin, 1, s));
    }
    batch.step(chunks, logits);
    for (std::uint32_t s = 0; s < kSequences; ++s) {
      last[s].insert(last[s].end(), logits.begin() + s * n_vocab,
                     logits.begin() + (s + 1) * n_vocab);
    }
  }
  for (std::uint32_t s = 0; s < kSequences; ++s) {
    Runner alone(file_, 1, optimized());
    const auto all = alone.run(tokens[s], 64);
    const std::vector<float> expected(all.end() - std::ptrdiff_t{5} * n_vocab, all.end());
    EXPECT_TRUE(same_bytes(expected, last[s])) << "sequence " << s;
  }
}

TEST_P(TinyModel, AgreesWithTheReference) {
  const auto tokens = random_tokens(80, kTinyVocab, 2);
  Runner reference(file_, 2, {.path = ComputePath::kReference});
  Runner runner(file_, 2, optimized());
  const auto truth = reference.run(tokens, 80);
  EXPECT_TRUE(same_bytes(truth, reference.run(tokens, 7)));
  // Eight bits of keys and values cost less than eight bits of activations.
  const bool exact_kv = GetParam().kv_format == KvFormat::kF16;
  const double most = is_float(GetParam().format) ? (exact_kv ? 1e-5 : 1e-4) : 2e-3;
  EXPECT_LT(mean_kl(truth, runner.run(tokens, 80), kTinyVocab), most);
}

INSTANTIATE_TEST_SUITE_P(, TinyModel, testing::ValuesIn(kShapes), [](const auto& info) {
  return std::string(format_row(info.param.format).name) + "_" +
         std::to_string(info.param.n_heads) + "_" + std::to_string(info.param.n_kv_heads) + "_" +
         std::to_string(info.param.head_dim) + "_kv_" +
         std::string(kv_format_name(info.param.kv_format));
});

TEST(DefaultModel, PredictsParisAndDependsOnNothingButItsTokens) {
  const char* path = std::getenv("JARIP_TEST_MODEL");
  if (path == nullptr) GTEST_SKIP() << "JARIP_TEST_MODEL names no model file";
  const auto file = GgufFile::open(path);
  ASSERT_TRUE(file.has_value()) << file.error().message;
  // "The capital of France is"
  const std::vector<TokenId> tokens = {504, 3575, 282, 4649, 314};
  Runner runner(*file, 2);
  const auto logits = runner.run(tokens, 5);
  const auto begin = logits.end() - runner.n_vocab();
  EXPECT_EQ(std::max_element(begin, logits.end()) - begin, 7042);  // " Paris"
  Runner alone(*file, 1);
  EXPECT_TRUE(same_bytes(logits, alone.run(tokens, 1)));
}

TEST(KvPages, AreAboutHalfAsLargeInQ8_0) {
  const auto bytes = make_tiny_file({.head_dim = 64});
  const auto file = *GgufFile::parse(bytes);
  ThreadPool pool(1);
  const auto page_bytes = [&](KvFormat format) {
    return (*load_model(file, pool, {.kv_format = format}))->kv_page_bytes();
  };
  // Two layers of two heads with 32 keys and 32 values of 64 numbers, and two scales for each.
  EXPECT_EQ(page_bytes(KvFormat::kF16), 2U * 2 * 32 * 2 * 64 * 2);
  EXPECT_EQ(page_bytes(KvFormat::kQ8_0), 2U * 2 * 32 * 2 * (64 + 2 * 2));
}

TEST(LoadModel, TheReferenceRefusesAKvFormat) {
  const auto bytes = make_tiny_file({});
  const auto file = *GgufFile::parse(bytes);
  ThreadPool pool(1);
  const auto refused =
      load_model(file, pool, {.path = ComputePath::kReference, .kv_format = KvFormat::kQ8_0});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(refused.error().where, "kv_format");
}

TEST(LoadModel, RefusesWhatItCannotRunByName) {
  const auto refusal = [](GgufWriter& writer) {
    const auto bytes = writer.finish();
    const auto file = GgufFile::parse(bytes);
    EXPECT_TRUE(file.has_value());
    ThreadPool pool(1);
    const auto model = load_model(*file, pool);
    EXPECT_FALSE(model.has_value());
    return model.error();
  };
  GgufWriter family;
  family.add_string("general.architecture", "mamba");
  EXPECT_EQ(refusal(family).code, ErrorCode::kUnsupported);
  EXPECT_NE(refusal(family).message.find("'mamba'"), std::string::npos);

  GgufWriter missing;
  missing.add_string("general.architecture", "llama").add_u32("llama.block_count", 1);
  EXPECT_EQ(refusal(missing).code, ErrorCode::kCorrupt);
  EXPECT_NE(refusal(missing).message.find("llama.embedding_length"), std::string::npos);

  GgufWriter experts;
  experts.add_string("general.architecture", "qwen2").add_u32("qwen2.expert_count", 8);
  EXPECT_EQ(refusal(experts).where, "qwen2.expert_count");
}

}  // namespace
}  // namespace jarip
