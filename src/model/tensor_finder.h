// Tensors of a model file by name, checked for shape, and which of them nobody asked for. Used
// while loading, by one thread; matrices are spans into the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "model/gguf.h"
#include "tensor/format.h"

namespace jarip {

// A matrix as the file stores it, or some whole rows of one. Rows are outputs.
struct StoredMatrix {
  Format format = Format::kF32;
  std::uint32_t n_rows = 0;
  std::uint32_t n_cols = 0;
  std::span<const std::byte> bytes;
};

struct StoredProjection {
  StoredMatrix matrix;
  std::vector<float> bias;  // [n_rows], or empty
};

// Rows [first, first + n_rows).
[[nodiscard]] StoredProjection rows_of(const StoredProjection& whole, std::uint32_t first,
                                       std::uint32_t n_rows);

struct StoredHeads {
  StoredProjection query, key, value;
};

// Errors of all that finds: kCorrupt for a tensor that is missing or of another shape, by name.
class TensorFinder {
 public:
  explicit TensorFinder(const GgufFile& file) : file_(file) {}

  [[nodiscard]] bool has(const std::string& name) const {
    return file_.find_tensor(name) != nullptr;
  }

  Result<std::vector<float>> vector(const std::string& name, std::uint64_t n);
  // All numbers of a small matrix.
  Result<std::vector<float>> table(const std::string& name, std::uint32_t n_rows,
                                   std::uint32_t n_cols);
  Result<StoredMatrix> matrix(const std::string& name, std::uint32_t n_rows, std::uint32_t n_cols);
  // NAME.weight, and NAME.bias if there is one.
  Result<StoredProjection> projection(const std::string& name, std::uint32_t n_rows,
                                      std::uint32_t n_cols);
  // The same for n matrices that lie one after the other, as one tall one.
  Result<StoredProjection> projections(const std::string& name, std::uint32_t n,
                                       std::uint32_t n_rows, std::uint32_t n_cols);
  // PREFIXattn_q, attn_k and attn_v, or attn_qkv, which is all three.
  Result<StoredHeads> heads(const std::string& prefix, std::uint32_t query_dim,
                            std::uint32_t kv_dim, std::uint32_t n_cols);

  // A tensor that is known and left out on purpose.
  void skip(const std::string& name) { used_.insert(name); }
  // The same for all whose names begin so.
  void skip_all(std::string_view prefix);

  // Error: kUnsupported for a tensor that was neither found nor skipped, since leaving it out would
  // change what the model gives.
  [[nodiscard]] Result<void> refuse_unused() const;

 private:
  Result<const GgufTensor*> find(const std::string& name, std::uint64_t n_cols,
                                 std::uint64_t n_rows, std::uint64_t n_matrices);

  const GgufFile& file_;
  std::unordered_set<std::string> used_;
};

}  // namespace jarip
