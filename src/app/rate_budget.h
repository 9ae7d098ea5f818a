// So much a minute: a budget that refills evenly and saves up at most a minute's worth. A value;
// belongs to whoever holds it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace jarip {

class RateBudget {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Seconds = std::chrono::duration<double>;

  RateBudget(std::int64_t per_minute, Time now)
      : per_minute_(per_minute), left_(static_cast<double>(per_minute)), at_(now) {}

  [[nodiscard]] std::int64_t per_minute() const { return per_minute_; }

  // May leave less than nothing: what was used is known only afterwards.
  void spend(double amount, Time now) {
    refill(now);
    left_ -= amount;
  }
  [[nodiscard]] double left(Time now) {
    refill(now);
    return left_;
  }
  // Until so much is there; zero when it is. At most a minute's worth ever is.
  [[nodiscard]] Seconds until(double amount, Time now) {
    refill(now);
    return Seconds(std::max(0.0, (amount - left_) / per_second()));
  }
  [[nodiscard]] Seconds until_full(Time now) {
    return until(static_cast<double>(per_minute_), now);
  }

 private:
  [[nodiscard]] double per_second() const { return static_cast<double>(per_minute_) / 60.0; }
  void refill(Time now) {
    if (now <= at_) return;
    left_ = std::min(static_cast<double>(per_minute_),
                     left_ + Seconds(now - at_).count() * per_second());
    at_ = now;
  }

  std::int64_t per_minute_;
  double left_;
  Time at_;
};

}  // namespace jarip
