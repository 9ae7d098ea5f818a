#include "cli/terminal.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <optional>

#include "cli/line_editor.h"

namespace jarip {
namespace {

constexpr std::string_view kBracketedPasteOn = "\x1b[?2004h";
constexpr std::string_view kBracketedPasteOff = "\x1b[?2004l";
constexpr int kEscapePatience_ms = 50;  // a key's sequence comes at once; a lone Escape doesn't

termios g_original{};
std::atomic<bool> g_saved{false};

void put(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // the next read of a key fails too, and ends the program
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void restore_and_die(int signal) {
  restore_terminal();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void save_once() {
  if (g_saved || tcgetattr(STDIN_FILENO, &g_original) != 0) return;
  g_saved = true;
  for (const int signal : {SIGTERM, SIGHUP}) std::signal(signal, restore_and_die);
}

winsize terminal_size() {
  winsize size{};
  ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
  if (size.ws_col == 0) size.ws_col = 80;
  if (size.ws_row == 0) size.ws_row = 24;
  return size;
}

// Draws over what the last call drew; remembers only in which of its rows the cursor was left.
class Screen {
 public:
  void draw(const EditView& view) {
    std::string bytes = to_top();
    bytes += "\x1b[J";
    for (std::size_t i = 0; i < view.rows.size(); ++i) {
      if (i != 0) bytes += '\n';
      bytes += view.rows[i];
    }
    if (const std::size_t up = view.rows.size() - 1 - view.cursor_row; up != 0) {
      bytes += fmt::format("\x1b[{}A", up);
    }
    bytes += '\r';
    if (view.cursor_column != 0) bytes += fmt::format("\x1b[{}C", view.cursor_column);
    put(bytes);
    cursor_row_ = view.cursor_row;
    n_below_ = view.rows.size() - 1 - view.cursor_row;
  }

  // Leaves the drawing and goes on below it.
  void finish() {
    put((n_below_ == 0 ? std::string() : fmt::format("\x1b[{}B", n_below_)) + "\n");
    cursor_row_ = 0;
  }

  void clear() {
    put("\x1b[H\x1b[2J");
    cursor_row_ = 0;
  }

 private:
  [[nodiscard]] std::string to_top() const {
    return cursor_row_ == 0 ? "\r" : fmt::format("\r\x1b[{}A", cursor_row_);
  }

  std::size_t cursor_row_ = 0;
  std::size_t n_below_ = 0;
};

}  // namespace

void restore_terminal() {
  if (!g_saved) return;
  put(kBracketedPasteOff);
  tcsetattr(STDIN_FILENO, TCSANOW, &g_original);
}

RawMode::RawMode(CtrlC ctrl_c) {
  save_once();
  if (!g_saved) return;
  termios raw = g_original;
  raw.c_iflag &= ~static_cast<tcflag_t>(ICRNL | INLCR | IXON);
  raw.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | IEXTEN);
  if (ctrl_c == CtrlC::kKey) raw.c_lflag &= ~static_cast<tcflag_t>(ISIG);
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  if (ctrl_c == CtrlC::kKey) put(kBracketedPasteOn);
}

RawMode::~RawMode() { restore_terminal(); }

LineOutcome LineReader::read(std::string_view prompt, const std::vector<std::string>& history,
                             std::string& text) {
  auto mode = std::make_optional<RawMode>(RawMode::CtrlC::kKey);
  LineEditor editor(history);
  Screen screen;
  const auto draw = [&] {
    const winsize size = terminal_size();
    screen.draw(clip_view(editor.view(prompt, size.ws_col), size.ws_row));
  };
  const auto leave = [&](LineOutcome outcome) {
    draw();
    screen.finish();
    text = editor.text();
    return outcome;
  };
  while (true) {
    std::optional<Key> key;
    while (!(key = keys_.next())) {  // nothing is drawn between keys that came together
      draw();
      if (!wait_for_keys()) return LineOutcome::kEnded;
    }
    switch (editor.press(*key)) {
      case EditOutcome::kEditing:
        break;
      case EditOutcome::kClear:
        screen.clear();
        break;
      case EditOutcome::kSuspend:
        mode.reset();
        std::raise(SIGTSTP);
        mode.emplace(RawMode::CtrlC::kKey);
        break;
      case EditOutcome::kAccepted:
        return leave(LineOutcome::kLine);
      case EditOutcome::kInterrupted:
        return leave(LineOutcome::kInterrupted);
      case EditOutcome::kEnded:
        return leave(LineOutcome::kEnded);
    }
  }
}

// More bytes for keys_, or a sequence given up; false at the end of input.
bool LineReader::wait_for_keys() {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  const int n_ready = poll(&input, 1, keys_.waiting() ? kEscapePatience_ms : -1);
  if (n_ready < 0 && errno == EINTR) return true;
  if (n_ready == 0) {
    keys_.give_up_sequence();
    return true;
  }
  std::array<char, 4096> bytes{};
  const ssize_t n = ::read(STDIN_FILENO, bytes.data(), bytes.size());
  if (n < 0 && errno == EINTR) return true;
  if (n <= 0) return false;
  keys_.feed({bytes.data(), static_cast<std::size_t>(n)});
  return true;
}

}  // namespace jarip
