// The kernels' text compiled for avx2. Everything else is included before the attribute begins, so
// that no shared inline function is compiled for instructions a machine may lack.
#include <immintrin.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "tensor/half.h"
#include "tensor/kernels.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#include "tensor/cpu/kernel_table.h"
#include "tensor/cpu/vec_avx2.h"

namespace jarip {

const Kernels& avx2_kernels();

const Kernels& avx2_kernels() {
  static constexpr Kernels kTable = make_kernels<VecAvx2>();
  return kTable;
}

}  // namespace jarip

#pragma clang attribute pop
