#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/log.h"

namespace jarip {
namespace {

constexpr auto kPatience = std::chrono::milliseconds(500);
constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr std::size_t kBarWidth = 24;

}  // namespace

Progress::Progress(std::string what)
    : what_(printable(what)),
      on_terminal_(isatty(STDERR_FILENO) == 1),
      next_(Clock::now() + kPatience) {}

Progress::~Progress() {
  if (drawn_ && on_terminal_) fmt::print(stderr, "\r\x1b[K");
}

void Progress::update(float fraction, std::string_view detail) {
  const Clock::time_point now = Clock::now();
  if (now < next_ || (drawn_ && !on_terminal_)) return;
  next_ = now + kRedraw;
  drawn_ = true;
  if (!on_terminal_) {
    fmt::print(stderr, "jarip: {}…\n", what_);
    return;
  }
  fraction = std::clamp(fraction, 0.0F, 1.0F);
  const auto n_full = static_cast<std::size_t>(fraction * static_cast<float>(kBarWidth));
  fmt::print(stderr, "\r{} [{:=<{}}{:<{}}] {:3.0f} %{}{}\x1b[K", what_, "", n_full, "",
             kBarWidth - n_full, fraction * 100, detail.empty() ? "" : "  ", printable(detail));
  std::fflush(stderr);
}

}  // namespace jarip
