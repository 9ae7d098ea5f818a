// Who is shown what a step's matrix products read, to measure how much each column matters. Called
// by the thread that calls step(); the rows are good during the call only.
#pragma once

#include <cstdint>
#include <span>

namespace jarip {

enum class ProductInput : std::uint8_t {
  kAttention,     // of query, key and value
  kAttentionOut,  // of attention's output
  kFeedForward,   // of gate and up, and of an expert's
  kDown,          // of down, and of an expert's
  kOutput         // of the output matrix; layer is 0
};

// Stands for the expert that all tokens use.
inline constexpr std::uint32_t kSharedExpert = ~std::uint32_t{0};

class InputObserver {
 public:
  virtual ~InputObserver() = default;
  // rows: [n_rows, n_cols] of floats, before they are rounded. expert: 0 where there is one
  // feed-forward for all tokens.
  virtual void on_rows(ProductInput input, std::uint32_t layer, std::uint32_t expert,
                       std::span<const float> rows, std::uint32_t n_cols) = 0;
};

}  // namespace jarip
