// A LoRA adapter (arXiv 2106.09685): for some matrices W of a model two narrow ones, with which W x
// becomes W x + scale B (A x). Immutable once loaded; read by the engine's thread and its workers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "model/config.h"
#include "model/gguf.h"
#include "tensor/packed_matrix.h"

namespace jarip {

// The matrices of a layer that an adapter may change.
enum class AdaptedMatrix : std::uint8_t { kQuery, kKey, kValue, kAttentionOut, kGate, kUp, kDown };
inline constexpr std::size_t kAdaptedMatrices = 7;

struct LowRank {
  PackedMatrix narrow;  // A: [rank, n_in]
  PackedMatrix wide;    // B: [n_out, rank]
  float scale = 1;

  [[nodiscard]] std::uint32_t rank() const { return narrow.n_rows(); }
};

class Adapter {
 public:
  static constexpr std::uint32_t kMaxRank = 4096;

  // Of a GGUF file as llama.cpp's converter writes it, for a model of that config. Errors, all
  // naming the tensor or key: kUnsupported (no LoRA, another family's, a matrix that adapters can't
  // change here), kCorrupt (shapes that don't fit the model, half of a pair), kUnavailable.
  [[nodiscard]] static Result<std::unique_ptr<Adapter>> load(const GgufFile& file,
                                                             const ModelConfig& config,
                                                             ThreadPool& pool);

  // Null where the matrix stays as it is.
  [[nodiscard]] const LowRank* find(std::uint32_t layer, AdaptedMatrix matrix) const {
    const auto& found = layers_[layer][static_cast<std::size_t>(matrix)];
    return found ? &*found : nullptr;
  }
  [[nodiscard]] std::uint32_t max_rank() const { return max_rank_; }
  // No other adapter of this process has the same, one that came to lie at its address included.
  [[nodiscard]] std::uint64_t serial() const { return serial_; }
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  Adapter();

  std::vector<std::array<std::optional<LowRank>, kAdaptedMatrices>> layers_;
  std::uint32_t max_rank_ = 0;
  std::uint64_t serial_;
};

// Whether a file is an adapter and no model.
[[nodiscard]] bool is_adapter(const GgufFile& file);

}  // namespace jarip
