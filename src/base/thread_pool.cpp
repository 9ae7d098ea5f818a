#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace jarip {
namespace {

// Long enough to bridge the gaps between the loops of one step (microseconds), short enough that
// an idle pool costs nothing a person would see.
constexpr int kSpinsBeforeYield = 2000;
constexpr int kYieldsBeforeSleep = 200;

inline void cpu_relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  asm volatile("yield" ::: "memory");
#endif
}

// cgroup v2: "max 100000" or "<quota> <period>", both in microseconds. 0 when there is no limit.
unsigned cgroup_quota_cores() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 0;
  char* end = nullptr;
  const double microseconds = std::strtod(quota.c_str(), &end);
  if (end == quota.c_str() || microseconds <= 0) return 0;
  return std::max(1U, static_cast<unsigned>(microseconds / period));
}

}  // namespace

unsigned ThreadPool::available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    cores = std::max(1U, static_cast<unsigned>(CPU_COUNT(&set)));
  }
  if (const unsigned quota = cgroup_quota_cores(); quota > 0) cores = std::min(cores, quota);
  return std::min(cores, kMaxThreads);
}

ThreadPool::ThreadPool(unsigned n_threads) : n_threads_(std::clamp(n_threads, 1U, kMaxThreads)) {
  workers_.reserve(n_threads_ - 1);
  for (unsigned worker = 1; worker < n_threads_; ++worker) {
    workers_.emplace_back([this, worker] { work(worker); });
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  loop_.fetch_add(1);
  loop_.notify_all();
  workers_.clear();  // joins
}

void ThreadPool::drain(unsigned worker) {
  std::uint64_t state = unclaimed_.load(std::memory_order_acquire);
  while (static_cast<std::uint32_t>(state) != 0) {
    if (!unclaimed_.compare_exchange_weak(state, state - 1, std::memory_order_acq_rel,
                                          std::memory_order_acquire)) {
      continue;
    }
    call_(context_, n_tasks_ - static_cast<std::uint32_t>(state), worker);
    n_done_.fetch_add(1, std::memory_order_release);
    state = unclaimed_.load(std::memory_order_acquire);
  }
}

void ThreadPool::dispatch(std::uint32_t n_tasks, Call call, void* context) {
  call_ = call;
  context_ = context;
  n_tasks_ = n_tasks;
  n_done_.store(0, std::memory_order_relaxed);
  const std::uint64_t loop = (unclaimed_.load(std::memory_order_relaxed) >> 32U) + 1;
  unclaimed_.store(loop << 32U | n_tasks, std::memory_order_release);
  // Sequentially consistent, as in work(): either the worker sees the new number before it sleeps,
  // or we see that it is asleep and wake it.
  loop_.fetch_add(1);
  if (n_asleep_.load() > 0) loop_.notify_all();

  drain(0);
  for (int spins = 0; n_done_.load(std::memory_order_acquire) != n_tasks; ++spins) {
    if (spins < kSpinsBeforeYield) {
      cpu_relax();
    } else {
      sched_yield();  // more threads than cores: let the worker we wait for run
    }
  }
}

void ThreadPool::work(unsigned worker) {
  for (std::uint32_t seen = 0;;) {
    std::uint32_t loop = loop_.load();
    for (int spins = 0; loop == seen; ++spins) {
      if (spins < kSpinsBeforeYield) {
        cpu_relax();
      } else if (spins < kSpinsBeforeYield + kYieldsBeforeSleep) {
        sched_yield();
      } else {
        n_asleep_.fetch_add(1);
        loop_.wait(seen);
        n_asleep_.fetch_sub(1);
        spins = 0;
      }
      loop = loop_.load();
    }
    seen = loop;
    if (stop_.load()) return;
    drain(worker);
  }
}

}  // namespace jarip
