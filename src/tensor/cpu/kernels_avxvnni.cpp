// The kernels' text compiled for avxvnni. Everything else is included before the attribute begins,
// so that no shared inline function is compiled for instructions a machine may lack.
#include <immintrin.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "tensor/half.h"
#include "tensor/kernels.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avxvnni"))), apply_to = function)

#include "tensor/cpu/kernel_table.h"
#include "tensor/cpu/vec_avxvnni.h"

namespace jarip {

const Kernels& avxvnni_kernels();

const Kernels& avxvnni_kernels() {
  static constexpr Kernels kTable = make_kernels<VecAvxVnni>();
  return kTable;
}

}  // namespace jarip

#pragma clang attribute pop
