// Stored weights out of standard input as f32, to standard output: what our definitions of the
// block formats, and our packed layouts, make of bytes. A tool of the tests that compare with other
// programs, not part of the program.
//
//   weights_dump --list               the formats: name, weights and bytes of a block
//   weights_dump FORMAT N_COLS        rows of N_COLS weights by the formats' definitions
//   weights_dump FORMAT N_COLS packed the same through the layout that kernels read
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "tensor/dequantize.h"
#include "tensor/packed_matrix.h"

namespace jarip {
namespace {

std::vector<std::byte> read_input() {
  std::vector<std::byte> bytes;
  std::byte buffer[1 << 16];
  while (const std::size_t n = std::fread(buffer, 1, sizeof(buffer), stdin)) {
    bytes.insert(bytes.end(), buffer, buffer + n);
  }
  return bytes;
}

Result<void> dump(Format format, std::uint32_t n_cols, bool packed) {
  const std::vector<std::byte> bytes = read_input();
  const std::size_t stored = row_bytes(format, n_cols);
  const auto n_rows = static_cast<std::uint32_t>(bytes.size() / stored);
  ThreadPool pool(1);
  PackedMatrix matrix;
  if (packed) {
    JARIP_TRY(matrix, PackedMatrix::pack(format, bytes, n_rows, n_cols, pool));
  }
  std::vector<float> row(n_cols);
  for (std::uint32_t i = 0; i < n_rows; ++i) {
    if (packed) {
      matrix.unpack_row(i, row);
    } else {
      dequantize_row(format, std::span(bytes).subspan(i * stored, stored), row);
    }
    std::fwrite(row.data(), sizeof(float), row.size(), stdout);
  }
  return {};
}

}  // namespace
}  // namespace jarip

int main(int argc, char** argv) {
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  if (argc == 2 && std::string_view(argv[1]) == "--list") {
    for (const jarip::FormatRow& row : jarip::kFormats) {
      fmt::print("{} {} {}\n", row.name, row.block_size, row.block_bytes);
    }
    return 0;
  }
  const auto* const row = argc < 3
                              ? std::end(jarip::kFormats)
                              : std::ranges::find(jarip::kFormats, std::string_view(arguments[1]),
                                                  &jarip::FormatRow::name);
  std::uint32_t n_cols = 0;
  if (argc >= 3) {
    const std::string_view word(arguments[2]);
    std::from_chars(word.data(), word.data() + word.size(), n_cols);
  }
  if (row == std::end(jarip::kFormats) || n_cols == 0 || n_cols % row->block_size != 0) {
    fmt::print(stderr, "usage: weights_dump --list | weights_dump FORMAT N_COLS [packed]\n");
    return 2;
  }
  const auto done = jarip::dump(row->format, n_cols, argc == 4);
  if (!done) {
    fmt::print(stderr, "weights_dump: {}\n", done.error().message);
    return 1;
  }
  return 0;
}
