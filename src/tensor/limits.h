// What this machine can do at most, measured: the yardstick beside every figure of speed. Takes
// about half a second; for benchmarks, on the calling thread and its pool.
#pragma once

#include "base/result.h"
#include "base/thread_pool.h"
#include "tensor/kernels.h"

namespace jarip {

// Of all threads of a pool together; a multiply and an add are two operations.
struct MachineLimits {
  double int8_ops_per_second = 0;    // int8 dot products out of registers
  double f32_flops_per_second = 0;   // f32 fused multiply-adds out of registers
  double read_bytes_per_second = 0;  // of memory far larger than the caches, in order
};

// The best of several runs of each. Errors: kUnavailable (no memory to read).
[[nodiscard]] Result<MachineLimits> measure_limits(const Kernels& kernels, ThreadPool& pool);

}  // namespace jarip
