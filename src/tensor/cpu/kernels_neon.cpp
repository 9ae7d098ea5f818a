// The kernels' text compiled for neon. Every aarch64 machine runs it, so it needs no attribute.
#include <arm_neon.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "tensor/cpu/kernel_table.h"
#include "tensor/cpu/vec_neon.h"
#include "tensor/half.h"
#include "tensor/kernels.h"

namespace jarip {

const Kernels& neon_kernels();

const Kernels& neon_kernels() {
  static constexpr Kernels kTable = make_kernels<VecNeon>();
  return kTable;
}

}  // namespace jarip
