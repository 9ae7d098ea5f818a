#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <vector>

namespace jarip {
namespace {

TEST(ThreadPool, RunsEveryTaskExactlyOnceInEveryLoop) {
  for (unsigned n_threads : {1U, 2U, 3U, 8U}) {
    ThreadPool pool(n_threads);
    for (std::uint32_t n_tasks : {0U, 1U, 2U, 7U, 64U, 1000U}) {
      std::vector<std::atomic<int>> counts(n_tasks);
      pool.run(n_tasks, [&](std::uint32_t task, unsigned worker) {
        EXPECT_LT(worker, n_threads);
        counts[task].fetch_add(1);
      });
      for (auto& count : counts) EXPECT_EQ(count.load(), 1);
    }
  }
}

TEST(ThreadPool, SurvivesThousandsOfShortLoops) {
  ThreadPool pool(4);
  std::atomic<std::uint64_t> sum{0};
  for (int i = 0; i < 5000; ++i) {
    pool.run(3, [&](std::uint32_t task, unsigned) { sum.fetch_add(task + 1); });
  }
  EXPECT_EQ(sum.load(), 5000U * 6U);
}

TEST(ThreadPool, WakesAfterSleeping) {
  ThreadPool pool(3);
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    std::atomic<int> n{0};
    pool.run(8, [&](std::uint32_t, unsigned) { n.fetch_add(1); });
    EXPECT_EQ(n.load(), 8);
  }
}

TEST(ThreadPool, CountsAtLeastOneCore) { EXPECT_GE(ThreadPool::available_cores(), 1U); }

}  // namespace
}  // namespace jarip
