// Law L1 for every family that embeds or ranks, over made-up models: the same bytes alone, in every
// batch, for every number of threads and instruction set; what pooling and token types do; and what
// is refused. tests/embeddings holds them against llama.cpp.
#include "model/embedding_model.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "model/model_fixture.h"
#include "model/synth.h"
#include "model/synth_embedding.h"
#include "tensor/kernels.h"
#include "tests/support/tiny_encoder.h"

namespace jarip {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kVocab = 500;
// Around pages, the kernel's queries and a range of attention.
constexpr std::size_t kLengths[] = {1, 33, 48, 97, 257, 5};

class Embeddings : public testing::TestWithParam<const SynthFamily*> {
 protected:
  Embeddings() {
    path_ = fs::temp_directory_path() / ("jarip-embedding-" + std::to_string(::getpid()) + "-" +
                                         std::string(GetParam()->name) + ".gguf");
    ThreadPool pool(2);
    EXPECT_TRUE(write_synthetic_model({.shape = synth_shapes().data(),
                                       .family = GetParam(),
                                       .format = FileType::kQ8_0,
                                       .seed = 3,
                                       .path = path_},
                                      pool)
                    .has_value());
    file_ = *GgufFile::open(path_);
    for (const std::size_t length : kLengths) {
      texts_.push_back(random_tokens(length, kVocab, static_cast<std::uint32_t>(length)));
    }
  }
  ~Embeddings() override {
    unsetenv("JARIP_CPU");
    fs::remove(path_);
  }

  static std::vector<float> embed(EmbeddingModel& model, std::span<const EmbeddingText> texts) {
    std::vector<float> out(texts.size() * model.facts().n_outputs);
    EXPECT_TRUE(model.embed(texts, out).has_value());
    return out;
  }
  [[nodiscard]] std::vector<EmbeddingText> all() const {
    std::vector<EmbeddingText> out;
    for (const auto& text : texts_) out.push_back({.tokens = text});
    return out;
  }

  fs::path path_;
  GgufFile file_;
  std::vector<std::vector<TokenId>> texts_;
};

TEST_P(Embeddings, AreTheSameBytesAloneInABatchAndOnEveryMachine) {
  ThreadPool pool(1);
  auto model = load_embedding_model(file_, pool);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  std::vector<float> alone;
  for (const EmbeddingText& text : all()) {
    const auto one = embed(**model, {&text, 1});
    alone.insert(alone.end(), one.begin(), one.end());
  }
  EXPECT_TRUE(same_bytes(alone, embed(**model, all())));
  for (const Kernels* kernels : available_kernels()) {
    setenv("JARIP_CPU", std::string(kernels->name).c_str(), 1);
    ThreadPool threads(3);
    auto other = load_embedding_model(file_, threads);
    ASSERT_TRUE(other.has_value());
    // All of them on the best one; on the others, which may be slow, the first few.
    const auto texts = all();
    const bool best = kernels == available_kernels().front();
    const auto some = std::span(texts).first(best ? texts.size() : 3);
    const std::size_t n = some.size() * (*other)->facts().n_outputs;
    EXPECT_TRUE(same_bytes({alone.begin(), alone.begin() + static_cast<std::ptrdiff_t>(n)},
                           embed(**other, some)))
        << kernels->name;
  }
}

TEST_P(Embeddings, DifferFromTextToText) {
  ThreadPool pool(2);
  auto model = load_embedding_model(file_, pool);
  ASSERT_TRUE(model.has_value());
  const std::size_t n = (*model)->facts().n_outputs;
  const auto rows = embed(**model, all());
  for (std::size_t i = 1; i < texts_.size(); ++i) {
    EXPECT_FALSE(std::equal(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(n),
                            rows.begin() + static_cast<std::ptrdiff_t>(i * n)));
  }
}

TEST_P(Embeddings, OnlyModelsOfTwoTypesTellTheSecondTextApart) {
  ThreadPool pool(2);
  auto model = load_embedding_model(file_, pool);
  ASSERT_TRUE(model.has_value());
  const EmbeddingText one{.tokens = texts_[3]};
  const EmbeddingText two{.tokens = texts_[3], .second = 40};
  EXPECT_EQ(same_bytes(embed(**model, {&one, 1}), embed(**model, {&two, 1})),
            GetParam()->n_types != 2);
}

TEST_P(Embeddings, AreOfTheSizeAndContextThatTheFileSays) {
  ThreadPool pool(1);
  EXPECT_TRUE(*is_embedding_model(file_));
  auto model = load_embedding_model(file_, pool, {.n_ctx = 100});
  ASSERT_TRUE(model.has_value());
  const EmbeddingFacts& facts = (*model)->facts();
  EXPECT_EQ(facts.family, GetParam()->architecture);
  EXPECT_EQ(facts.pooling, GetParam()->pooling);
  EXPECT_EQ(facts.n_ctx, 100);
  EXPECT_EQ(facts.n_outputs, facts.pooling == Pooling::kRank ? 1 : synth_shapes().front().d_model);
  EXPECT_GT((*model)->memory_bytes(), 0);
}

std::vector<const SynthFamily*> all_families() {
  std::vector<const SynthFamily*> out;
  for (const SynthFamily& family : synth_embedding_families()) out.push_back(&family);
  return out;
}

INSTANTIATE_TEST_SUITE_P(Every, Embeddings, testing::ValuesIn(all_families()),
                         [](const testing::TestParamInfo<const SynthFamily*>& info) {
                           std::string name(info.param->name);
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

Result<EmbeddingFacts> load(const GgufWriter& writer) {
  const std::vector<std::byte> bytes = writer.finish();
  JARIP_TRY(const GgufFile file, GgufFile::parse(bytes));
  ThreadPool pool(1);
  JARIP_TRY(const auto model, load_embedding_model(file, pool));
  return model->facts();
}

TEST(EmbeddingFiles, AreReadOrRefusedByName) {
  EXPECT_TRUE(load(tiny_encoder(1)).has_value());
  const auto where = [](const Result<EmbeddingFacts>& facts) {
    return facts ? "" : facts.error().where;
  };
  EXPECT_EQ(where(load(tiny_encoder(0))), "bert.pooling_type");
  EXPECT_EQ(where(load(tiny_encoder(5))), "bert.pooling_type");
  EXPECT_EQ(where(load(tiny_encoder(4))), "cls.output.weight");
  EXPECT_EQ(where(load(tiny_encoder(1, true))), "bert.attention.causal");
  GgufWriter unknown = tiny_encoder(1);
  unknown.add_tensor("blk.0.attn_q_norm.weight", Format::kF32, {32});
  EXPECT_EQ(where(load(unknown)), "blk.0.attn_q_norm.weight");
  GgufWriter alibi = tiny_encoder(1);
  alibi.add_f32("bert.attention.max_alibi_bias", 8);
  EXPECT_EQ(where(load(alibi)), "bert.attention.max_alibi_bias");
}

}  // namespace
}  // namespace jarip
