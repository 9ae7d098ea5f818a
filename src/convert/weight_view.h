// Weights of tensors of a safetensors model, seen as those of one tensor of GGUF: in other rows,
// put together, in another format. Immutable; readable from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/safetensors.h"
#include "tensor/format.h"

namespace jarip {

// Where an element of a matrix lies in its tensor. All counts are of elements.
struct Strides {
  std::uint64_t matrix = 0;
  std::uint64_t row = 0;
  std::uint64_t column = 1;
  std::uint64_t first = 0;
};

// Heads that are told apart by what they share and then counted; here they take turns. Rows, or
// columns, or elements of a vector.
struct Tiles {
  std::uint64_t first = 0;  // row where heads begin; a multiple of size
  std::uint64_t size = 0;   // of a head; 0: nothing is tiled
  std::uint32_t n_shared = 1;
  std::uint32_t n_each = 1;  // heads that share one
  bool columns = false;
};

struct WeightView {
  std::string name;  // in GGUF
  Format format = Format::kF32;
  std::vector<std::uint64_t> shape;      // shape[0] is contiguous
  std::vector<const SafeTensor*> parts;  // of one shape; they follow each other
  std::vector<float> own;                // in place of parts: computed weights
  Strides strides;                       // within a part
  std::uint32_t rope_half = 0;           // half a head's rows; 0: rows stay where they are
  Tiles tiles = {};
  bool plus_one = false;
  const SafeTensor* scales = nullptr;  // of MXFP4: parts hold the blocks' nibbles

  [[nodiscard]] std::uint64_t n_elements() const;
  // Whether weights follow each other in the parts as they do in the view.
  [[nodiscard]] bool lies_in_order() const;
};

// Weights [first, first + n) of the view, in its format. first and n are multiples of its blocks;
// out has just their bytes.
void read_weights(const WeightView& view, std::uint64_t first, std::uint64_t n,
                  std::span<std::byte> out);

}  // namespace jarip
