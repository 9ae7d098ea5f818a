// The first error that one of several tasks met; the others see that there is one and leave off.
// Written by any thread; read by the caller once all are done.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <utility>

#include "base/result.h"

namespace jarip {

class FirstError {
 public:
  [[nodiscard]] bool is_set() const { return is_set_.load(std::memory_order_relaxed); }
  void set(Error error) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
    is_set_.store(true, std::memory_order_relaxed);
  }
  // Hands the error over.
  [[nodiscard]] Result<void> result() {
    if (error_) return std::unexpected(*std::move(error_));
    return {};
  }

 private:
  std::mutex mutex_;
  std::atomic<bool> is_set_{false};
  std::optional<Error> error_;
};

}  // namespace jarip
