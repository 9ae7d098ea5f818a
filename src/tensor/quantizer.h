// Weights rounded to the block formats with as little error as the formats allow: scales are
// searched for (level_search.h), and every number that is stored is chosen together with its
// neighbours. The same bytes on every instruction set. Free functions; any thread.
#pragma once

#include <cstddef>
#include <span>

#include "tensor/format.h"
#include "tensor/kernels.h"

namespace jarip {

struct QuantizeInput {
  Format format;
  std::span<const float> values;  // finite; a multiple of the format's block size
  // What the error of each column weighs, none negative, at least one of them positive: the mean
  // square of what the column is multiplied with. Empty: all alike.
  std::span<const float> importance;
  std::size_t first_column;  // of values[0]; columns go on from row to row
};

// Writes the values as blocks; out has room for exactly those.
void quantize(const Kernels& kernels, const QuantizeInput& in, std::span<std::byte> out);

}  // namespace jarip
