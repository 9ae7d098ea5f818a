// `jarip version`.
#pragma once

#include "base/result.h"

namespace jarip {

[[nodiscard]] Result<void> run_version();

}  // namespace jarip
