// The kernel table of a vector type V. Include only through kernels_*.cpp.
#pragma once

#include "tensor/cpu/attention_text.h"
#include "tensor/cpu/kv_text.h"
#include "tensor/cpu/levels_text.h"
#include "tensor/cpu/limits_text.h"
#include "tensor/cpu/matmul_text.h"
#include "tensor/cpu/recurrent_text.h"
#include "tensor/cpu/row_text.h"
#include "tensor/kernels.h"

namespace jarip {

template <class V, class Page>
constexpr PageKernels make_page_kernels() {
  return {Page::store_key, Page::store_value, attend<V, Page>};
}

template <class V>
constexpr Kernels make_kernels() {
  return {V::kName,
          quantize_row<V>,
          matmul<V>,
          rms_norm<V>,
          layer_norm<V>,
          silu_mul<V>,
          gelu_mul<V>,
          gelu<V>,
          clamped_silu_mul<V>,
          sigmoid_mul<V>,
          rotate<V>,
          conv_silu<V>,
          gated_delta<V>,
          {make_page_kernels<V, F16Page<V>>(), make_page_kernels<V, Q8Page<V>>()},
          merge_attention<V>,
          try_levels<V>,
          spin_dot<V>,
          spin_fma<V>,
          spin_read<V>};
}

}  // namespace jarip
