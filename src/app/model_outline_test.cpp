#include "app/model_outline.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "app/model_loader.h"
#include "base/thread_pool.h"
#include "model/embedding_model.h"
#include "model/synth.h"
#include "model/synth_embedding.h"

namespace jarip {
namespace {

class ModelOutlineTest : public ::testing::Test {
 protected:
  ~ModelOutlineTest() override { std::filesystem::remove(path_); }

  GgufFile write(const SynthFamily& family, FileType format) {
    EXPECT_TRUE(write_synthetic_model({.shape = synth_shapes().data(),
                                       .family = &family,
                                       .format = format,
                                       .path = path_,
                                       .existing = Existing::kReplace},
                                      pool_));
    return *GgufFile::open(path_);
  }

  const std::filesystem::path path_ = std::filesystem::path(::testing::TempDir()) /
                                      ("outline-" + std::to_string(::getpid()) + ".gguf");
  ThreadPool pool_{1};
};

TEST_F(ModelOutlineTest, WhatIsLoadedNeedsNoMoreThanTheHeaderSaid) {
  for (const SynthFamily& family : synth_families()) {
    for (const FileType format : {FileType::kQ8_0, FileType::kF16}) {
      const GgufFile file = write(family, format);
      const auto outline = outline_model(file, {});
      ASSERT_TRUE(outline) << family.name << outline.error().message;
      const auto model = load_model(file, pool_);
      ASSERT_TRUE(model) << family.name;
      const auto& memory = outline->memory;
      EXPECT_GE(memory.weights + memory.scratch, (*model)->memory_bytes()) << family.name;
      EXPECT_LE(memory.weights, 2 * (*model)->memory_bytes() + (1U << 20U)) << family.name;
      const std::uint64_t n_pages = 2 * ((outline->n_ctx + kKvPageTokens - 1) / kKvPageTokens);
      EXPECT_GE(memory.kv, n_pages * (*model)->kv_page_bytes()) << family.name;
      EXPECT_EQ(outline->n_vocab, (*model)->config().n_vocab);
      EXPECT_EQ(outline->task, ModelTask::kWrite);
    }
  }
}

TEST_F(ModelOutlineTest, ModelsThatEmbedAndRankAreToldFromThoseThatWrite) {
  for (const SynthFamily& family : synth_embedding_families()) {
    const GgufFile file = write(family, FileType::kF16);
    const auto outline = outline_model(file, {});
    ASSERT_TRUE(outline) << family.name << outline.error().message;
    const auto model = load_embedding_model(file, pool_);
    ASSERT_TRUE(model) << family.name;
    EXPECT_EQ(outline->n_ctx, (*model)->facts().n_ctx) << family.name;
    EXPECT_EQ(outline->task == ModelTask::kRank, (*model)->facts().pooling == Pooling::kRank);
    EXPECT_NE(outline->task, ModelTask::kWrite);
    EXPECT_GE(outline->memory.total(), (*model)->memory_bytes()) << family.name;
  }
}

TEST_F(ModelOutlineTest, TheCardIsTheSameBeforeAndAfterLoading) {
  for (const auto families : {synth_families().first(1), synth_embedding_families().first(1)}) {
    write(families.front(), FileType::kQ8_0);
    const LibraryModel file{.name = "x", .path = path_, .n_bytes = 0, .modified = 0};
    ModelLoading loading{.options = {}, .fits_context = true};
    loading.options.n_threads = 1;
    loading.options.engine.n_ctx = 1U << 20U;  // more than it was trained for
    const auto known = describe_model(file, loading);
    ASSERT_TRUE(known) << known.error().message;
    const auto answerer = load_answerer(file, loading, {});
    ASSERT_TRUE(answerer) << answerer.error().message;
    const ModelCard& card = (*answerer)->card();
    EXPECT_EQ(known->card.name, card.name);
    EXPECT_EQ(known->card.created, card.created);
    EXPECT_EQ(known->card.n_vocab, card.n_vocab);
    EXPECT_EQ(known->card.n_ctx, card.n_ctx);
    EXPECT_EQ(known->card.fingerprint, card.fingerprint);
    EXPECT_EQ(known->card.task, card.task);
  }
}

TEST_F(ModelOutlineTest, WhatDoesNotFitIsSaidWithTheNumbers) {
  const ModelMemory memory{.weights = 3U << 20U, .kv = 1U << 20U, .scratch = 1U << 20U};
  EXPECT_TRUE(check_memory("x", memory, 5U << 20U));
  const auto refused = check_memory("x", memory, (5U << 20U) - 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kTooLarge);
  for (const char* part : {"x needs 5.0 MiB", "3.0 MiB weights", "--memory", "--ctx"}) {
    EXPECT_TRUE(refused.error().message.contains(part)) << refused.error().message;
  }
}

}  // namespace
}  // namespace jarip
