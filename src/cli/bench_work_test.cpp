#include "cli/bench_work.h"

#include <gtest/gtest.h>

#include <string>

namespace jarip {
namespace {

TEST(BenchItem, IsReadFromALine) {
  const auto all = parse_bench_item("prefill 512 batch 4 depth 1024");
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(all->kind, BenchKind::kPrefill);
  EXPECT_EQ(all->n_tokens, 512U);
  EXPECT_EQ(all->batch, 4U);
  EXPECT_EQ(all->depth, 1024U);

  const auto least = parse_bench_item("  decode\t32\r");
  ASSERT_TRUE(least) << least.error().message;
  EXPECT_EQ(least->kind, BenchKind::kDecode);
  EXPECT_EQ(least->n_tokens, 32U);
  EXPECT_EQ(least->batch, 1U);
  EXPECT_EQ(least->depth, 0U);
}

TEST(BenchItem, IsRefusedByWhatIsWrong) {
  const auto told = [](std::string_view line) {
    const auto item = parse_bench_item(line);
    return item ? std::string("taken") : item.error().message;
  };
  EXPECT_TRUE(told("").contains("neither prefill nor decode"));
  EXPECT_TRUE(told("batch 4").contains("neither prefill nor decode"));
  EXPECT_TRUE(told("prefill").contains("prefill is \"\""));
  EXPECT_TRUE(told("prefill 0").contains("prefill is \"0\""));
  EXPECT_TRUE(told("prefill 12x").contains("prefill is \"12x\""));
  EXPECT_TRUE(told("decode 8 batch 257").contains("from 1 to 256"));
  EXPECT_TRUE(told("decode 8 width 2").contains("\"width\" is none of"));
}

// Notes what it is fed; its logits are nothing.
class RecordingModel : public Model {
 public:
  struct Step {
    std::uint32_t n_sequences;
    std::uint32_t position;
    std::size_t n_tokens;
    std::uint32_t n_logits;
    bool operator==(const Step&) const = default;
  };

  RecordingModel() { config_.n_vocab = 100; }
  [[nodiscard]] const ModelConfig& config() const override { return config_; }
  [[nodiscard]] std::size_t kv_page_bytes() const override { return 64; }
  [[nodiscard]] std::size_t memory_bytes() const override { return 0; }
  void step(std::span<const SequenceChunk> chunks, const KvMemory& kv,
            std::span<float> logits) override {
    const SequenceChunk& first = chunks.front();
    const std::size_t end = first.position + first.tokens.size();
    EXPECT_GE(first.pages.size() * kKvPageTokens, end);
    EXPECT_EQ(kv.n_pages, first.pages.size() * chunks.size());
    EXPECT_EQ(logits.size(), chunks.size() * first.n_logits * config_.n_vocab);
    steps.push_back({static_cast<std::uint32_t>(chunks.size()), first.position, first.tokens.size(),
                     first.n_logits});
  }

  std::vector<Step> steps;

 private:
  ModelConfig config_;
};

using Step = RecordingModel::Step;

TEST(BenchWork, ReadsInStepsOfTheEnginesSize) {
  RecordingModel model;
  BenchWork work(model);
  const BenchItem item{.kind = BenchKind::kPrefill, .n_tokens = 300, .batch = 2};
  ASSERT_TRUE(work.prepare(item));
  EXPECT_TRUE(model.steps.empty());
  work.run(item);
  EXPECT_EQ(model.steps, (std::vector<Step>{{2, 0, 128, 0}, {2, 128, 128, 0}, {2, 256, 44, 1}}));
}

TEST(BenchWork, WritesATokenAStepAfterItsContext) {
  RecordingModel model;
  BenchWork work(model);
  const BenchItem item{.kind = BenchKind::kDecode, .n_tokens = 2, .batch = 1, .depth = 100};
  ASSERT_TRUE(work.prepare(item));
  EXPECT_EQ(model.steps, (std::vector<Step>{{1, 0, 100, 0}}));
  work.run(item);
  EXPECT_EQ(model.steps, (std::vector<Step>{{1, 0, 100, 0}, {1, 100, 1, 1}, {1, 101, 1, 1}}));
}

TEST(BenchWork, KeepsAContextThatWasReadBefore) {
  RecordingModel model;
  BenchWork work(model);
  ASSERT_TRUE(work.prepare({.n_tokens = 8, .batch = 1, .depth = 200}));
  model.steps.clear();
  ASSERT_TRUE(work.prepare({.n_tokens = 8, .batch = 1, .depth = 60}));
  ASSERT_TRUE(work.prepare({.n_tokens = 8, .batch = 1, .depth = 200}));
  EXPECT_TRUE(model.steps.empty());
  ASSERT_TRUE(work.prepare({.n_tokens = 8, .batch = 2, .depth = 60}));
  EXPECT_EQ(model.steps, (std::vector<Step>{{2, 0, 60, 0}}));
}

}  // namespace
}  // namespace jarip
