#include "model/memory_need.h"

#include <algorithm>

#include "tensor/kv_format.h"
#include "tensor/packed_matrix.h"

namespace jarip {

std::uint64_t weight_bytes(const GgufFile& file, ComputePath path) {
  std::uint64_t sum = 0;
  for (const GgufTensor& tensor : file.tensors()) {
    if (path == ComputePath::kReference || tensor.n_dims < 2) {
      sum += tensor.n_elements * sizeof(float);
      continue;
    }
    // Packed, a matrix has whole tiles of rows.
    const std::uint64_t n_rows = tensor.n_elements / tensor.shape[0];
    const std::uint64_t n_tiles = (n_rows + kTileRows - 1) / kTileRows;
    sum += tensor.data.size() / n_rows * n_tiles * kTileRows;
  }
  return sum;
}

std::size_t kv_page_bytes(std::size_t n_heads, std::uint32_t head_dim, ComputePath path,
                          KvFormat format) {
  if (path == ComputePath::kReference) {
    return n_heads * 2 * kKvPageTokens * head_dim * sizeof(float);
  }
  return n_heads * kv_head_layout(format, head_dim).n_bytes;
}

std::uint64_t step_bytes(const ModelConfig& config, std::uint64_t n_tokens) {
  const std::uint64_t query_dim = std::uint64_t{config.n_heads} * config.head_dim;
  const std::uint64_t n_used = std::max(1U, config.n_experts_used);
  const std::uint64_t per_token =
      (3 + 2 * n_used) * config.d_model + 3 * query_dim + n_used * config.d_ff;
  return n_tokens * per_token * sizeof(float) * 3 / 2;
}

}  // namespace jarip
