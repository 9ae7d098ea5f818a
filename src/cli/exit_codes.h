// What the process tells its caller when it ends: one table for main() and the help.
#pragma once

#include <span>
#include <vector>

#include "base/language.h"
#include "base/result.h"

namespace jarip {

struct ExitCode {
  int code = 0;
  std::vector<ErrorCode> errors;
  Words meaning;
};

[[nodiscard]] std::span<const ExitCode> exit_codes();
[[nodiscard]] int exit_code_of(ErrorCode error);

}  // namespace jarip
