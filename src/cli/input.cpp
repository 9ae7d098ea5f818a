#include "cli/input.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace jarip {

Result<std::string> read_standard_input() {
  std::string text;
  std::array<char, 1U << 16U> block{};
  while (true) {
    const ssize_t n = read(STDIN_FILENO, block.data(), block.size());
    if (n == 0) return text;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      return fail(ErrorCode::kIo,
                  fmt::format("can't read standard input: {}", std::strerror(errno)));
    }
    text.append(block.data(), static_cast<std::size_t>(n));
    if (text.size() > kMaxInputBytes) {
      return fail(ErrorCode::kTooLarge,
                  fmt::format("standard input is over {} MiB", kMaxInputBytes >> 20U));
    }
  }
}

}  // namespace jarip
