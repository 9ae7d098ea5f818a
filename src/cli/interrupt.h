// Ctrl-C while an answer is written: it stops the answer and not the program. One at a time, made
// and destroyed by the command's own thread.
#pragma once

#include <csignal>

namespace jarip {

class Interrupt {
 public:
  Interrupt();   // takes SIGINT over
  ~Interrupt();  // gives it back
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  // Becomes readable at the first Ctrl-C, and with wake(). The third Ctrl-C ends the process: the
  // way out of an answer that doesn't stop.
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool happened() const;

  void wake() const;   // any thread
  void clear() const;  // makes fd() unreadable

 private:
  int fd_;
  struct sigaction previous_{};
};

}  // namespace jarip
