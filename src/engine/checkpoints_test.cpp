#include "engine/checkpoints.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

namespace jarip {
namespace {

constexpr std::size_t kBytes = 128;

std::byte* at(const Checkpoints& checkpoints, StateId state) {
  return checkpoints.memory() + state * kBytes;
}

TEST(Checkpoints, GiveEveryStateOnce) {
  auto checkpoints = *Checkpoints::create(kBytes, 3, 10);
  std::set<StateId> taken;
  for (int i = 0; i < 3; ++i) taken.insert(*checkpoints.take());
  EXPECT_EQ(taken.size(), 3U);
  EXPECT_FALSE(checkpoints.take());
  checkpoints.give_back(1);
  EXPECT_EQ(checkpoints.take(), 1U);
}

TEST(Checkpoints, LoseTheLeastRecentlyUsedFirst) {
  auto checkpoints = *Checkpoints::create(kBytes, 4, 10);
  for (const PageId page : {5U, 6U, 7U}) checkpoints.attach(page, *checkpoints.take());
  const StateId own = *checkpoints.take();
  checkpoints.copy(5, own);
  ASSERT_TRUE(checkpoints.take());
  EXPECT_FALSE(checkpoints.has(6));
  ASSERT_TRUE(checkpoints.take());
  EXPECT_FALSE(checkpoints.has(7));
  EXPECT_TRUE(checkpoints.has(5));
  EXPECT_EQ(checkpoints.n_kept(), 1U);
}

TEST(Checkpoints, KeepWhatIsPinned) {
  auto checkpoints = *Checkpoints::create(kBytes, 2, 10);
  checkpoints.attach(1, *checkpoints.take());
  checkpoints.attach(2, *checkpoints.take());
  checkpoints.pin(1);
  ASSERT_TRUE(checkpoints.take());
  EXPECT_TRUE(checkpoints.has(1));
  EXPECT_FALSE(checkpoints.take());
  checkpoints.unpin(1);
  EXPECT_TRUE(checkpoints.take());
  EXPECT_FALSE(checkpoints.has(1));
}

TEST(Checkpoints, CopyTheBytes) {
  auto checkpoints = *Checkpoints::create(kBytes, 2, 10);
  const StateId first = *checkpoints.take();
  std::memset(at(checkpoints, first), 7, kBytes);
  checkpoints.attach(3, first);
  const StateId own = *checkpoints.take();
  checkpoints.copy(3, own);
  EXPECT_EQ(std::memcmp(at(checkpoints, own), at(checkpoints, first), kBytes), 0);
}

TEST(Checkpoints, APageKeepsItsFirstAndGivesItUpWhenAsked) {
  auto checkpoints = *Checkpoints::create(kBytes, 2, 10);
  const StateId first = *checkpoints.take();
  const StateId second = *checkpoints.take();
  checkpoints.attach(3, first);
  checkpoints.attach(3, second);
  EXPECT_EQ(checkpoints.take(), second);
  EXPECT_EQ(checkpoints.detach(3), first);
  EXPECT_FALSE(checkpoints.has(3));
  EXPECT_FALSE(checkpoints.detach(3));
  checkpoints.attach(4, first);
  checkpoints.drop(4);
  EXPECT_EQ(checkpoints.take(), first);
}

TEST(Checkpoints, OfAModelWithoutStatesAreNone) {
  Checkpoints none;
  EXPECT_FALSE(none.in_use());
  EXPECT_FALSE(none.has(0));
  EXPECT_FALSE(none.detach(0));
  none.drop(0);
}

}  // namespace
}  // namespace jarip
