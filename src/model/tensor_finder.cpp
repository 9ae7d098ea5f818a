#include "model/tensor_finder.h"

#include <fmt/format.h>

#include "tensor/dequantize.h"

namespace jarip {
namespace {

std::vector<float> read_vector(const GgufTensor& tensor) {
  std::vector<float> out(tensor.n_elements);
  dequantize_row(tensor.format, tensor.data, out);
  return out;
}

}  // namespace

StoredProjection rows_of(const StoredProjection& whole, std::uint32_t first, std::uint32_t n_rows) {
  const StoredMatrix& matrix = whole.matrix;
  const std::size_t bytes = row_bytes(matrix.format, matrix.n_cols);
  StoredProjection out{.matrix = {matrix.format, n_rows, matrix.n_cols,
                                  matrix.bytes.subspan(first * bytes, n_rows * bytes)},
                       .bias = {}};
  if (!whole.bias.empty()) {
    out.bias.assign(whole.bias.begin() + first, whole.bias.begin() + first + n_rows);
  }
  return out;
}

Result<std::vector<float>> TensorFinder::vector(const std::string& name, std::uint64_t n) {
  JARIP_TRY(const GgufTensor* tensor, find(name, n, 1, 1));
  return read_vector(*tensor);
}

Result<std::vector<float>> TensorFinder::table(const std::string& name, std::uint32_t n_rows,
                                               std::uint32_t n_cols) {
  JARIP_TRY(const GgufTensor* tensor, find(name, n_cols, n_rows, 1));
  return read_vector(*tensor);
}

Result<StoredMatrix> TensorFinder::matrix(const std::string& name, std::uint32_t n_rows,
                                          std::uint32_t n_cols) {
  JARIP_TRY(const GgufTensor* tensor, find(name, n_cols, n_rows, 1));
  return StoredMatrix{tensor->format, n_rows, n_cols, tensor->data};
}

Result<StoredProjection> TensorFinder::projection(const std::string& name, std::uint32_t n_rows,
                                                  std::uint32_t n_cols) {
  return projections(name, 1, n_rows, n_cols);
}

Result<StoredProjection> TensorFinder::projections(const std::string& name, std::uint32_t n,
                                                   std::uint32_t n_rows, std::uint32_t n_cols) {
  JARIP_TRY(const GgufTensor* tensor, find(name + ".weight", n_cols, n_rows, n));
  StoredProjection out{.matrix = {tensor->format, n * n_rows, n_cols, tensor->data}, .bias = {}};
  if (has(name + ".bias")) {
    JARIP_TRY(const GgufTensor* bias, find(name + ".bias", n_rows, n, 1));
    out.bias = read_vector(*bias);
  }
  return out;
}

Result<StoredHeads> TensorFinder::heads(const std::string& prefix, std::uint32_t query_dim,
                                        std::uint32_t kv_dim, std::uint32_t n_cols) {
  StoredHeads out;
  if (has(prefix + "attn_qkv.weight")) {
    JARIP_TRY(const StoredProjection all,
              projection(prefix + "attn_qkv", query_dim + 2 * kv_dim, n_cols));
    out.query = rows_of(all, 0, query_dim);
    out.key = rows_of(all, query_dim, kv_dim);
    out.value = rows_of(all, query_dim + kv_dim, kv_dim);
    return out;
  }
  JARIP_TRY(out.query, projection(prefix + "attn_q", query_dim, n_cols));
  JARIP_TRY(out.key, projection(prefix + "attn_k", kv_dim, n_cols));
  JARIP_TRY(out.value, projection(prefix + "attn_v", kv_dim, n_cols));
  return out;
}

void TensorFinder::skip_all(std::string_view prefix) {
  for (const GgufTensor& tensor : file_.tensors()) {
    if (tensor.name.starts_with(prefix)) used_.insert(std::string(tensor.name));
  }
}

Result<void> TensorFinder::refuse_unused() const {
  for (const GgufTensor& tensor : file_.tensors()) {
    if (used_.contains(std::string(tensor.name))) continue;
    return fail(ErrorCode::kUnsupported,
                fmt::format("tensor {} isn't one that this family is known to have; the model "
                            "can't run here without changing its answers",
                            tensor.name),
                std::string(tensor.name));
  }
  return {};
}

Result<const GgufTensor*> TensorFinder::find(const std::string& name, std::uint64_t n_cols,
                                             std::uint64_t n_rows, std::uint64_t n_matrices) {
  const GgufTensor* tensor = file_.find_tensor(name);
  if (tensor == nullptr) {
    return fail(ErrorCode::kCorrupt, fmt::format("tensor {} is missing", name), name);
  }
  if (tensor->shape[0] != n_cols || tensor->shape[1] != n_rows || tensor->shape[2] != n_matrices ||
      tensor->shape[3] != 1) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("tensor {} has shape [{}, {}, {}]; the model's numbers call for "
                            "[{}, {}, {}]",
                            name, tensor->shape[0], tensor->shape[1], tensor->shape[2], n_cols,
                            n_rows, n_matrices),
                name);
  }
  used_.insert(name);
  return tensor;
}

}  // namespace jarip
