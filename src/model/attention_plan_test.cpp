#include "model/attention_plan.h"

#include <gtest/gtest.h>

namespace jarip {
namespace {

AttentionTask task_of(std::uint32_t n_positions, std::uint32_t n_tokens = 1) {
  AttentionTask task{};
  task.n_tokens = n_tokens;
  task.n_group = 3;
  task.head_dim = 64;
  task.position = n_positions - n_tokens;
  task.end = n_positions;
  return task;
}

TEST(AttentionPlan, PiecesCoverEveryPositionOfEveryWholeOnce) {
  AttentionPlan plan;
  for (const unsigned n_threads : {1U, 2U, 7U, 64U}) {
    plan.clear();
    const std::uint32_t lengths[] = {1, 255, 256, 257, 5000};
    for (std::uint32_t i = 0; i < 5; ++i) plan.add(task_of(lengths[i]), i);
    plan.cut(n_threads);
    std::uint32_t whole = 0;
    std::uint32_t position = 0;
    for (const auto& piece : plan.pieces()) {
      if (piece.whole != whole) {
        EXPECT_EQ(position, lengths[whole]);
        ++whole;
        position = 0;
      }
      EXPECT_EQ(piece.whole, whole);
      EXPECT_EQ(piece.begin, position);
      EXPECT_EQ(piece.begin % kAttentionRange, 0U);
      EXPECT_LT(piece.begin, piece.end);
      EXPECT_EQ(plan.kv_head(piece), whole);
      position = piece.end;
    }
    EXPECT_EQ(whole, 4U);
    EXPECT_EQ(position, 5000U);
  }
}

TEST(AttentionPlan, ALongTextIsSharedByAllThreads) {
  AttentionPlan plan;
  for (std::uint32_t head = 0; head < 3; ++head) plan.add(task_of(8192), head);
  plan.cut(4);
  EXPECT_GE(plan.pieces().size(), 4 * kPiecesPerThread);
  EXPECT_LE(plan.pieces().size(), 8 * kPiecesPerThread);
}

TEST(AttentionPlan, WholesStayWholeWhereNothingIsWonByCutting) {
  AttentionPlan plan;
  plan.add(task_of(8192), 0);
  plan.cut(1);
  EXPECT_EQ(plan.pieces().size(), 1U);
  EXPECT_EQ(plan.task(plan.pieces()[0]).parts, nullptr);
  plan.clear();
  for (std::uint32_t i = 0; i < 64; ++i) plan.add(task_of(8192), i);
  plan.cut(8);
  EXPECT_EQ(plan.pieces().size(), 64U);
  EXPECT_TRUE(plan.end(plan.pieces()[63]));
}

TEST(AttentionPlan, TheLastPieceToEndIsToldSoInEveryLayer) {
  AttentionPlan plan;
  plan.add(task_of(1000), 0);
  plan.cut(2);
  ASSERT_EQ(plan.pieces().size(), 4U);
  for (int layer = 0; layer < 3; ++layer) {
    for (const std::size_t i : {2U, 0U, 3U}) EXPECT_FALSE(plan.end(plan.pieces()[i]));
    EXPECT_TRUE(plan.end(plan.pieces()[1]));
  }
}

TEST(AttentionPlan, PartsOfDifferentWholesLieApart) {
  AttentionPlan plan;
  plan.add(task_of(1000, 2), 0);
  plan.add(task_of(100), 1);
  plan.add(task_of(600), 2);
  plan.cut(4);
  const auto wholes = plan.wholes();
  EXPECT_EQ(wholes[1].parts, nullptr);
  EXPECT_EQ(wholes[2].parts - wholes[0].parts,
            static_cast<std::ptrdiff_t>(4 * attention_part_floats(6, 64)));
}

}  // namespace
}  // namespace jarip
