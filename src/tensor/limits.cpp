#include "tensor/limits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>

#include "base/aligned_buffer.h"

namespace jarip {
namespace {

constexpr int kRuns = 7;
constexpr std::uint32_t kRounds = 1U << 18U;  // some milliseconds
constexpr std::size_t kReadBytes = std::size_t{256} << 20U;
constexpr std::uint32_t kReadTasks = 64;

// Work done a second in the quickest of several runs.
template <class Body>
double best_rate(double work, Body body) {
  using Clock = std::chrono::steady_clock;
  double seconds = 1e9;
  for (int run = 0; run < kRuns; ++run) {
    const auto begin = Clock::now();
    body();
    seconds = std::min(seconds, std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return work / seconds;
}

}  // namespace

Result<MachineLimits> measure_limits(const Kernels& kernels, ThreadPool& pool) {
  MachineLimits limits;
  std::atomic<float> sink = 0;  // keeps the compiler from leaving the work out
  const unsigned n = pool.n_threads();
  // One task a thread, and each thread takes exactly one: a task outlasts the start of all others.
  const double rounds = static_cast<double>(n) * kRounds;
  limits.int8_ops_per_second = best_rate(rounds * kOpsInSpinDot, [&] {
    pool.run(
        n, [&](std::uint32_t, unsigned) { sink = static_cast<float>(kernels.spin_dot(kRounds)); });
  });
  limits.f32_flops_per_second = best_rate(rounds * kFlopsInSpinFma, [&] {
    pool.run(n, [&](std::uint32_t, unsigned) { sink = kernels.spin_fma(kRounds); });
  });
  JARIP_TRY(const AlignedBuffer memory, AlignedBuffer::allocate(kReadBytes));
  std::memset(memory.data(), 1, memory.size());  // pages never written share one of zeros
  limits.read_bytes_per_second = best_rate(kReadBytes, [&] {
    pool.run(kReadTasks, [&](std::uint32_t task, unsigned) {
      const std::size_t n_floats = kReadBytes / kReadTasks / sizeof(float);
      sink = kernels.spin_read(memory.at<const float>(0) + task * n_floats, n_floats);
    });
  });
  return limits;
}

}  // namespace jarip
