#include "tensor/cpu/detect.h"

namespace jarip {

std::vector<const Kernels*> detect_kernels() { return {&scalar_kernels()}; }

}  // namespace jarip
