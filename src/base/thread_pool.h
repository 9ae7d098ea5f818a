// Worker threads for data-parallel loops inside an engine step. One thread (the engine's) calls
// run(); workers spin briefly between loops of a step and sleep when nothing comes.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace jarip {

class ThreadPool {
 public:
  // n_threads counts the calling thread: 1 makes no workers. Range 1 to kMaxThreads.
  explicit ThreadPool(unsigned n_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  static constexpr unsigned kMaxThreads = 256;
  [[nodiscard]] unsigned n_threads() const { return n_threads_; }

  // Calls body(task, worker) once for every task in [0, n_tasks), spread over the threads, and
  // returns when all are done. Which thread runs which task is unspecified: a body's result must
  // not depend on it. worker is in [0, n_threads). Not reentrant; one caller at a time.
  template <class Body>
  void run(std::uint32_t n_tasks, Body&& body) {
    if (n_tasks == 0) return;
    if (n_threads_ == 1 || n_tasks == 1) {
      for (std::uint32_t task = 0; task < n_tasks; ++task) body(task, 0U);
      return;
    }
    auto call = [](void* context, std::uint32_t task, unsigned worker) {
      (*static_cast<std::remove_reference_t<Body>*>(context))(task, worker);
    };
    dispatch(n_tasks, call, const_cast<void*>(static_cast<const void*>(&body)));
  }

  // Cores this process may use: the affinity mask, cut by the cgroup's CPU quota; at least 1.
  static unsigned available_cores();

 private:
  using Call = void (*)(void* context, std::uint32_t task, unsigned worker);

  void dispatch(std::uint32_t n_tasks, Call call, void* context);
  void work(unsigned worker);
  // Runs tasks of the current loop until none is left to claim.
  void drain(unsigned worker);

  unsigned n_threads_;

  // The current loop. Written while no task is claimed, read only by who has claimed one.
  Call call_ = nullptr;
  void* context_ = nullptr;
  std::uint32_t n_tasks_ = 0;

  // The loop's number above, tasks not yet claimed below: claiming is one compare-and-swap, and a
  // worker that comes late, to a loop that has ended, can't mistake the next loop's tasks. So the
  // caller waits for tasks, never for a worker that the system has put aside.
  alignas(64) std::atomic<std::uint64_t> unclaimed_{0};
  alignas(64) std::atomic<std::uint32_t> n_done_{0};
  alignas(64) std::atomic<std::uint32_t> n_asleep_{0};
  std::atomic<std::uint32_t> loop_{0};  // what sleepers wait on
  std::atomic<bool> stop_{false};

  std::vector<std::jthread> workers_;
};

}  // namespace jarip
