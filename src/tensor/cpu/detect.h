// Which kernel tables this machine can run; one implementation an architecture, chosen in CMake.
#pragma once

#include <vector>

#include "tensor/kernels.h"

namespace jarip {

// Best first; the last is always the scalar one.
std::vector<const Kernels*> detect_kernels();

}  // namespace jarip
