#include "cli/interrupt.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "cli/terminal.h"

namespace jarip {
namespace {

constexpr int kInterruptedExit = 130;
constexpr int kPressesToLeave = 3;

std::atomic<int> g_fd{-1};
std::atomic<int> g_presses{0};
static_assert(std::atomic<int>::is_always_lock_free);  // touched by a signal handler

void signal_fd(int fd) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(fd, &one, sizeof one);  // full means already readable
}

void on_interrupt(int) {
  if (++g_presses >= kPressesToLeave) {
    restore_terminal();
    _exit(kInterruptedExit);
  }
  signal_fd(g_fd);
}

}  // namespace

Interrupt::Interrupt() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  g_presses = 0;
  g_fd = fd_;
  struct sigaction action{};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, &previous_);
}

Interrupt::~Interrupt() {
  sigaction(SIGINT, &previous_, nullptr);
  g_fd = -1;
  close(fd_);
}

bool Interrupt::happened() const { return g_presses > 0; }

void Interrupt::wake() const { signal_fd(fd_); }

void Interrupt::clear() const {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto n_read = read(fd_, &count, sizeof count);
}

}  // namespace jarip
