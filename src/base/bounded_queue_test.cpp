#include "base/bounded_queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace jarip {
namespace {

using namespace std::chrono_literals;

TEST(BoundedQueue, GivesValuesInTheOrderTheyCame) {
  BoundedQueue<int> queue(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue.try_push(int{i}));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(queue.try_pop(), i);
  EXPECT_EQ(queue.try_pop(), std::nullopt);
}

TEST(BoundedQueue, RefusesWhenFullAndLeavesTheValue) {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  EXPECT_TRUE(queue.try_push(std::make_unique<int>(1)));
  auto second = std::make_unique<int>(2);
  EXPECT_FALSE(queue.try_push(std::move(second)));
  ASSERT_NE(second, nullptr);
  const std::optional<std::unique_ptr<int>> first = queue.try_pop();
  if (!first) FAIL() << "the first value is lost";
  EXPECT_EQ(**first, 1);
  EXPECT_TRUE(queue.try_push(std::move(second)));
  EXPECT_EQ(queue.size(), 1U);
}

TEST(BoundedQueue, ClosedItRefusesButGivesWhatIsInside) {
  BoundedQueue<int> queue(4);
  EXPECT_TRUE(queue.try_push(7));
  EXPECT_FALSE(queue.closed());
  queue.close();
  EXPECT_TRUE(queue.closed());
  EXPECT_FALSE(queue.try_push(8));
  EXPECT_EQ(queue.pop(), 7);
  EXPECT_EQ(queue.pop(), std::nullopt);
}

TEST(BoundedQueue, PopForGivesUpAfterItsTimeout) {
  BoundedQueue<int> queue(1);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(queue.pop_for(20ms), std::nullopt);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 20ms);
}

TEST(BoundedQueue, CloseWakesAWaitingPop) {
  BoundedQueue<int> queue(1);
  std::optional<int> got = 1;
  std::thread waiter([&] { got = queue.pop(); });
  queue.close();
  waiter.join();
  EXPECT_EQ(got, std::nullopt);
}

TEST(BoundedQueue, ManyProducersLoseAndDoubleNothing) {
  constexpr int kProducers = 4;
  constexpr int kEach = 2000;
  BoundedQueue<int> queue(16);
  std::vector<std::thread> producers;
  producers.reserve(kProducers);
  for (int producer = 0; producer < kProducers; ++producer) {
    producers.emplace_back([&queue, producer] {
      for (int i = 0; i < kEach; ++i) {
        while (!queue.try_push(producer * kEach + i)) std::this_thread::yield();
      }
    });
  }
  std::vector<int> last(kProducers, -1);
  for (int n = 0; n < kProducers * kEach; ++n) {
    const std::optional<int> value = queue.pop_for(30s);
    if (!value) FAIL() << "nothing comes any more";
    const auto producer = static_cast<std::size_t>(*value / kEach);
    EXPECT_EQ(*value % kEach, last[producer] + 1);  // each producer's values stay in order
    last[producer] = *value % kEach;
  }
  for (std::thread& thread : producers) thread.join();
  EXPECT_EQ(queue.size(), 0U);
}

}  // namespace
}  // namespace jarip
