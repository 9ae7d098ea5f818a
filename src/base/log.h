// The process's log: lines on standard error, from any thread. Set up once, at the start of main().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace jarip {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError, kOff };

// Before the first call, lines from kWarning up are written.
void set_log_level(LogLevel level);

void log_line(LogLevel level, std::string_view line);

// The same text with control characters written out (\x1b), so that what came from a model or a
// client can neither break a line nor command a terminal. Tabs and the rest of UTF-8 stay.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace jarip
