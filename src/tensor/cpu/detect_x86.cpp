#include "tensor/cpu/detect.h"

namespace jarip {

const Kernels& avx2_kernels();
const Kernels& avx512_kernels();
const Kernels& avxvnni_kernels();

std::vector<const Kernels*> detect_kernels() {
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c");
  const bool avxvnni = avx2 && __builtin_cpu_supports("avxvnni");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
  std::vector<const Kernels*> tables;
  if (avx512) tables.push_back(&avx512_kernels());
  if (avxvnni) tables.push_back(&avxvnni_kernels());
  if (avx2) tables.push_back(&avx2_kernels());
  tables.push_back(&scalar_kernels());
  return tables;
}

}  // namespace jarip
