// The terminal on standard input and output: its modes, and a line read with editing.
// Used by the command's own thread; restore_terminal() also by signal handlers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/keyboard.h"

namespace jarip {

// Puts the terminal back as it was before the first RawMode. Does nothing if there was none.
void restore_terminal();

// While one exists, keys come one by one and unseen. Ctrl-C is a signal or a key.
class RawMode {
 public:
  enum class CtrlC : std::uint8_t { kSignal, kKey };
  explicit RawMode(CtrlC ctrl_c);
  ~RawMode();
  RawMode(const RawMode&) = delete;
  RawMode& operator=(const RawMode&) = delete;
};

enum class LineOutcome : std::uint8_t { kLine, kInterrupted, kEnded };

// Reads lines for one program run; keeps the keys that were typed ahead.
class LineReader {
 public:
  // history: oldest first. text: what was typed.
  LineOutcome read(std::string_view prompt, const std::vector<std::string>& history,
                   std::string& text);

 private:
  bool wait_for_keys();

  KeyReader keys_;
};

}  // namespace jarip
