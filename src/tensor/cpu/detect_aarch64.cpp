#include <asm/hwcap.h>
#include <sys/auxv.h>

#include "tensor/cpu/detect.h"

namespace jarip {

const Kernels& neon_kernels();
const Kernels& neon_dotprod_kernels();
const Kernels& neon_i8mm_kernels();

// Linux names in the auxiliary vector what the processor has and the system keeps for a program.
std::vector<const Kernels*> detect_kernels() {
  const bool dotprod = (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
  const bool i8mm = (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0;
  std::vector<const Kernels*> tables;
  if (i8mm) tables.push_back(&neon_i8mm_kernels());
  if (dotprod) tables.push_back(&neon_dotprod_kernels());
  tables.push_back(&neon_kernels());
  tables.push_back(&scalar_kernels());
  return tables;
}

}  // namespace jarip
