// Text from standard input, with a limit. Used by the command's own thread.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace jarip {

inline constexpr std::size_t kMaxInputBytes = 64U << 20U;

// All of standard input. Errors: kTooLarge past kMaxInputBytes, kIo.
[[nodiscard]] Result<std::string> read_standard_input();

}  // namespace jarip
