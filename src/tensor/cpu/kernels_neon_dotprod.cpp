// The kernels' text compiled for neon-dotprod. Everything else is included before the attribute
// begins, so that no shared inline function is compiled for instructions a machine may lack.
#include <arm_neon.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "tensor/half.h"
#include "tensor/kernels.h"

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)

#include "tensor/cpu/kernel_table.h"
#include "tensor/cpu/vec_neon_dotprod.h"

namespace jarip {

const Kernels& neon_dotprod_kernels();

const Kernels& neon_dotprod_kernels() {
  static constexpr Kernels kTable = make_kernels<VecNeonDotprod>();
  return kTable;
}

}  // namespace jarip

#pragma clang attribute pop
