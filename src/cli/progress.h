// Progress of something slow, on standard error: a bar that redraws itself on a terminal, else one
// line. Nothing is shown of what takes under half a second. Used by one thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace jarip {

class Progress {
 public:
  explicit Progress(std::string what);  // "loading smollm2"
  ~Progress();                          // wipes the bar
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // fraction: 0 to 1. detail: what stands behind the bar.
  void update(float fraction, std::string_view detail = {});

 private:
  using Clock = std::chrono::steady_clock;

  std::string what_;
  bool on_terminal_;
  Clock::time_point next_;  // nothing is drawn before this
  bool drawn_ = false;
};

}  // namespace jarip
