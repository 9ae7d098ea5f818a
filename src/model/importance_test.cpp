#include "model/importance.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <vector>

#include "model/gguf_writer.h"
#include "model/importance_collector.h"

namespace jarip {
namespace {

class ImportanceTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }

  std::filesystem::path path_ = std::filesystem::path(testing::TempDir()) / "importance_test.gguf";
};

TEST_F(ImportanceTest, WhatIsSavedIsLoaded) {
  Importance saved;
  saved.datasets = {"text.txt"};
  saved.n_chunks = 3;
  saved.chunk_size = 512;
  saved.entry("blk.0.ffn_up.weight", 4, 1) = {.sums = {1, 2, 3, 4}, .counts = {10}};
  saved.entry("blk.0.ffn_up_exps.weight", 2, 2) = {.sums = {1, 2, 3, 4}, .counts = {10, 5}};
  ASSERT_TRUE(saved.save(path_));
  const auto loaded = Importance::load(path_);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->datasets, saved.datasets);
  EXPECT_EQ(loaded->n_chunks, 3U);
  EXPECT_EQ(loaded->chunk_size, 512U);
  ASSERT_EQ(loaded->entries().size(), 2U);
  EXPECT_EQ(loaded->entries().at("blk.0.ffn_up.weight").sums, (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(loaded->entries().at("blk.0.ffn_up_exps.weight").counts, (std::vector<float>{10, 5}));
}

TEST_F(ImportanceTest, MeansAreRelativeToTheirMatrixAndNeverZero) {
  Importance importance;
  importance.entry("m", 2, 2) = {.sums = {3, 1, 0, 0}, .counts = {1, 0}};
  const auto means = importance.means("m", 2, 2);
  ASSERT_EQ(means.size(), 4U);
  EXPECT_FLOAT_EQ(means[0], 1.5F);
  EXPECT_FLOAT_EQ(means[1], 0.5F);
  EXPECT_FLOAT_EQ(means[2], 1.0F) << "an expert that was never asked";
  importance.entry("n", 2, 1) = {.sums = {8, 0}, .counts = {1}};
  EXPECT_GT(importance.means("n", 2, 1)[1], 0.0F);
  EXPECT_TRUE(importance.means("other", 2, 1).empty());
  EXPECT_TRUE(importance.means("m", 4, 1).empty()) << "another shape";
}

TEST_F(ImportanceTest, ADamagedFileIsRefusedByName) {
  const auto refusal = [&](GgufWriter& writer) {
    EXPECT_TRUE(writer.write_to(path_));
    const auto loaded = Importance::load(path_);
    return loaded ? std::string("loaded") : loaded.error().message;
  };
  const std::vector<float> sums = {1, 2};
  const std::vector<float> counts = {1};
  const std::vector<float> three = {1, 1, 1};
  const std::vector<float> bad = {1, std::numeric_limits<float>::quiet_NaN()};
  GgufWriter model;
  model.add_string("general.type", "model");
  EXPECT_NE(refusal(model).find("jarip imatrix"), std::string::npos);
  GgufWriter lonely;
  lonely.add_string("general.type", "imatrix").add_f32_tensor("a.in_sum2", {2, 1}, sums);
  EXPECT_NE(refusal(lonely).find("a.in_sum2 has no counts"), std::string::npos);
  GgufWriter unfit;
  unfit.add_string("general.type", "imatrix")
      .add_f32_tensor("a.in_sum2", {2, 1}, sums)
      .add_f32_tensor("a.counts", {1, 3}, three);
  EXPECT_NE(refusal(unfit).find("doesn't fit"), std::string::npos);
  GgufWriter infinite;
  infinite.add_string("general.type", "imatrix")
      .add_f32_tensor("a.in_sum2", {2, 1}, bad)
      .add_f32_tensor("a.counts", {1, 1}, counts);
  EXPECT_NE(refusal(infinite).find("not finite"), std::string::npos);
  GgufWriter empty;
  empty.add_string("general.type", "imatrix");
  EXPECT_NE(refusal(empty).find("holds no sums"), std::string::npos);
}

TEST_F(ImportanceTest, RowsAreCollectedUnderTheNamesOfTheFilesMatrices) {
  GgufWriter writer;
  writer.add_tensor("token_embd.weight", Format::kF32, {2, 3})
      .add_tensor("blk.0.attn_q.weight", Format::kF32, {2, 2})
      .add_tensor("blk.0.attn_k.weight", Format::kF32, {2, 2})
      .add_tensor("blk.0.attn_norm.weight", Format::kF32, {2})
      .add_tensor("blk.1.ffn_up_exps.weight", Format::kF32, {2, 4, 2})
      .add_tensor("output.weight", Format::kF32, {2, 3});
  const auto bytes = writer.finish();
  const auto file = GgufFile::parse(bytes);
  ASSERT_TRUE(file) << file.error().message;
  ImportanceCollector collector;
  collector.on_rows(ProductInput::kAttention, 0, 0, std::vector<float>{1, 2, 3, 4}, 2);
  collector.on_rows(ProductInput::kAttention, 0, 0, std::vector<float>{0, 1}, 2);
  collector.on_rows(ProductInput::kFeedForward, 1, 1, std::vector<float>{5, 0}, 2);
  collector.on_rows(ProductInput::kOutput, 0, 0, std::vector<float>{1, 1}, 2);
  const Importance result = collector.result(*file);
  ASSERT_EQ(result.entries().size(), 4U);
  for (const char* name : {"blk.0.attn_q.weight", "blk.0.attn_k.weight"}) {
    EXPECT_EQ(result.entries().at(name).sums, (std::vector<float>{10, 21})) << name;
    EXPECT_EQ(result.entries().at(name).counts, (std::vector<float>{3})) << name;
  }
  const auto& experts = result.entries().at("blk.1.ffn_up_exps.weight");
  EXPECT_EQ(experts.sums, (std::vector<float>{0, 0, 25, 0}));
  EXPECT_EQ(experts.counts, (std::vector<float>{0, 1}));
  EXPECT_TRUE(result.entries().contains("output.weight"));
  EXPECT_FALSE(result.entries().contains("token_embd.weight"));
}

}  // namespace
}  // namespace jarip
