// The kernels' text compiled for scalar. Everything else is included before the attribute begins,
// so that no shared inline function is compiled for instructions a machine may lack.
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "tensor/cpu/kernel_table.h"
#include "tensor/cpu/vec_scalar.h"
#include "tensor/half.h"
#include "tensor/kernels.h"

namespace jarip {

const Kernels& scalar_kernels() {
  static constexpr Kernels kTable = make_kernels<VecScalar>();
  return kTable;
}

}  // namespace jarip
