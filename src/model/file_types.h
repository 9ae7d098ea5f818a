// The file types that quantizers write: which matrix of a file has which block format. Constant
// data and free functions; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "tensor/format.h"

namespace jarip {

// What llama.cpp's quantizer calls a file type: the format of most matrices, and which of them get
// another one.
enum class FileType : std::uint8_t {
  kF32,
  kF16,
  kBF16,
  kQ8_0,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ2_K,
  kQ2_K_S,
  kQ3_K_S,
  kQ3_K_M,
  kQ3_K_L,
  kQ4_K_S,
  kQ4_K_M,
  kQ5_K_S,
  kQ5_K_M,
  kQ6_K,
  kIQ4_NL,
  kIQ4_XS,
  kMXFP4
};

struct FileTypeRow {
  FileType type;
  std::string_view name;  // "q4_k_m"
  std::uint32_t number;   // GGUF's general.file_type
  Format matrix;          // of most matrices
  Format output;          // of the output matrix, or of an embedding that is one
  Format favoured;        // of values and down projections in the layers that matter more
};

[[nodiscard]] std::span<const FileTypeRow> file_types();
[[nodiscard]] const FileTypeRow& file_type_row(FileType type);

// The first and last eighth of the layers, and every third between: llama.cpp's choice for the
// files that it calls _M.
[[nodiscard]] bool matters_more(std::uint32_t layer, std::uint32_t n_layers);

// What a matrix's place in a model says of its format.
struct MatrixPlace {
  std::string_view name;  // of the tensor
  std::uint32_t n_layers;
  std::uint32_t n_group;  // query heads for each key-value head
  std::uint64_t n_cols;
};

// The format of a matrix which would have `format`, but for what its file type makes of its name,
// and for rows that are no multiple of a block: these take a like format with blocks of 32.
[[nodiscard]] Format format_at(FileType type, Format format, const MatrixPlace& place);

}  // namespace jarip
