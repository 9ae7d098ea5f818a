#include "cli/answer_stream.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "base/log.h"
#include "cli/interrupt.h"
#include "cli/output.h"

namespace jarip {
namespace {

// Events on their way from the engine's thread to this one; at most as many as the answer has
// tokens. Waiting wakes for Ctrl-C too.
class Mailbox {
 public:
  void put(TurnEvent event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    interrupt_.wake();
  }

  std::optional<TurnEvent> wait() {
    while (true) {
      interrupt_.clear();
      {
        const std::lock_guard lock(mutex_);
        if (!events_.empty()) {
          TurnEvent event = std::move(events_.front());
          events_.pop_front();
          return event;
        }
      }
      if (interrupt_.happened() && !std::exchange(told_, true)) return std::nullopt;
      pollfd waited{.fd = interrupt_.fd(), .events = POLLIN, .revents = 0};
      poll(&waited, 1, -1);
    }
  }

 private:
  Interrupt interrupt_;
  std::mutex mutex_;
  std::deque<TurnEvent> events_;
  bool told_ = false;
};

double per_second(double n, double ms) { return ms > 0 ? n * 1000 / ms : 0; }

}  // namespace

Result<TurnEnd> stream_answer(Pipeline& pipeline, Turn turn,
                              const std::function<Result<void>(std::string_view)>& on_text) {
  Mailbox mailbox;
  JARIP_TRY(const TurnId id, pipeline.start(std::move(turn), [&mailbox](TurnEvent event) {
    mailbox.put(std::move(event));
  }));
  Result<void> written;
  while (true) {
    std::optional<TurnEvent> event = mailbox.wait();
    if (!event) {
      pipeline.cancel(id);
    } else if (auto* end = std::get_if<TurnEnd>(&*event)) {
      if (!written) return std::unexpected(written.error());
      if (end->error) return std::unexpected(*std::move(end->error));
      return std::move(*end);
    } else if (written) {
      written = on_text(std::get<TextDelta>(*event).text);
      if (!written) pipeline.cancel(id);
    }
  }
}

Result<void> write_answer(std::string_view text) {
  static const bool on_terminal = isatty(STDOUT_FILENO) == 1;
  std::string safe;
  if (on_terminal) {
    for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
      safe += printable(text.substr(0, end)) + '\n';
      text.remove_prefix(end + 1);
    }
    safe += printable(text);
    text = safe;
  }
  return print(text);
}

std::string speeds_of(const TurnEnd& end) {
  const double n_decoded = end.n_new_tokens > 0 ? end.n_new_tokens - 1.0 : 0.0;
  const double n_prefilled = end.n_prompt_tokens - static_cast<double>(end.n_cached_tokens);
  return fmt::format(
      "prompt {} tokens, {:.1f}/s; answer {} tokens, {:.1f}/s; first token after {:.2f} s; seed {}",
      end.n_prompt_tokens, per_second(n_prefilled, end.prefill_ms), end.n_new_tokens,
      per_second(n_decoded, end.decode_ms), (end.queue_ms + end.prefill_ms) / 1000, end.seed);
}

}  // namespace jarip
