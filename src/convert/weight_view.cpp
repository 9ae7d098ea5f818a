#include "convert/weight_view.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "tensor/dequantize.h"

namespace jarip {
namespace {

constexpr std::size_t kRun = 1024;  // weights that are converted together

// A run of weights of one row of a view.
struct Run {
  const SafeTensor* tensor;
  std::uint64_t first;  // element of the tensor
  std::uint64_t column_stride;
  std::uint64_t n;
};

std::uint64_t n_rows_of(const WeightView& view) {
  return view.shape.size() > 1 ? view.shape[1] : 1;
}

// The row of a head's before its halves became neighbours.
std::uint64_t row_before(std::uint64_t row, std::uint64_t half) {
  const std::uint64_t in_head = row % (2 * half);
  return row - in_head + in_head % 2 * half + in_head / 2;
}

// Where a row or column of a head was before heads took turns.
std::uint64_t place_before(std::uint64_t place, const Tiles& tiles) {
  if (place < tiles.first) return place;
  const std::uint64_t head = (place - tiles.first) / tiles.size;
  const std::uint64_t before = head % tiles.n_shared * tiles.n_each + head / tiles.n_shared;
  return tiles.first + before * tiles.size + (place - tiles.first) % tiles.size;
}

// Of weights [at, at + n) the run within the row where it begins.
Run run_at(const WeightView& view, std::uint64_t at, std::uint64_t n) {
  const std::uint64_t n_cols = view.shape[0];
  const std::uint64_t n_rows = n_rows_of(view);
  const std::uint64_t per_part = view.n_elements() / view.parts.size();
  const std::uint64_t in_part = at % per_part;
  const std::uint64_t column = in_part % n_cols;
  std::uint64_t row = in_part / n_cols;
  const std::uint64_t matrix = row / n_rows;
  row %= n_rows;
  // A vector's elements are its rows, as far as heads go.
  const bool is_vector = view.shape.size() == 1;
  std::uint64_t place = column;
  n = std::min(n, n_cols - column);
  if (view.rope_half != 0) {
    (is_vector ? place : row) = row_before(is_vector ? column : row, view.rope_half);
    if (is_vector) n = 1;
  }
  if (view.tiles.size != 0 && (is_vector || view.tiles.columns)) {
    place = place_before(column, view.tiles);
    n = std::min(n, view.tiles.size - column % view.tiles.size);
  } else if (view.tiles.size != 0) {
    row = place_before(row, view.tiles);
  }
  return {.tensor = view.parts[at / per_part],
          .first = view.strides.first + matrix * view.strides.matrix + row * view.strides.row +
                   place * view.strides.column,
          .column_stride = view.strides.column,
          .n = n};
}

// n elements of a run from `done` on, gathered where they don't lie together.
std::span<const std::byte> gather(const Run& run, std::uint64_t done, std::size_t n,
                                  std::size_t n_bytes_each, std::span<std::byte> scratch) {
  const std::byte* from =
      run.tensor->data.data() + (run.first + done * run.column_stride) * n_bytes_each;
  if (run.column_stride == 1) return {from, n * n_bytes_each};
  for (std::size_t i = 0; i < n; ++i) {
    std::memcpy(scratch.data() + i * n_bytes_each, from + i * run.column_stride * n_bytes_each,
                n_bytes_each);
  }
  return scratch.first(n * n_bytes_each);
}

void copy_run(const WeightView& view, const Run& run, std::span<std::byte> out) {
  const Format theirs = *run.tensor->format;
  const std::size_t each = format_row(theirs).block_bytes;
  std::array<std::byte, kRun * sizeof(float)> scratch;
  for (std::uint64_t done = 0; done < run.n; done += kRun) {
    const std::size_t n = std::min<std::uint64_t>(kRun, run.n - done);
    const auto from = gather(run, done, n, each, scratch);
    std::byte* const to = out.data() + row_bytes(view.format, done);
    if (theirs == view.format && !view.plus_one) {
      std::memcpy(to, from.data(), from.size());
      continue;
    }
    // What isn't kept becomes F32, which holds every value of the 16-bit formats.
    std::array<float, kRun> values;
    dequantize_row(theirs, from, std::span(values).first(n));
    if (view.plus_one) {
      for (float& value : std::span(values).first(n)) value += 1;
    }
    std::memcpy(to, values.data(), n * sizeof(float));
  }
}

// gpt-oss writes the nibbles of neighbours together, GGUF those of weights 16 apart.
void copy_block(const std::byte* nibbles, std::byte scale, std::byte* to) {
  constexpr std::size_t kHalf = 16;
  const auto nibble = [&](std::size_t i) {
    const auto byte = std::to_integer<unsigned>(nibbles[i / 2]);
    return i % 2 == 0 ? byte & 15U : byte >> 4U;
  };
  *to++ = scale;
  for (std::size_t i = 0; i < kHalf; ++i) {
    *to++ = static_cast<std::byte>(nibble(i) | nibble(i + kHalf) << 4U);
  }
}

// A run whose elements are weights: its first is a block's first.
void copy_blocks(const WeightView& view, const Run& run, std::span<std::byte> out) {
  const FormatRow& row = format_row(Format::kMXFP4);
  for (std::uint64_t i = 0; i < run.n / row.block_size; ++i) {
    const std::uint64_t block = run.first / row.block_size + i;
    copy_block(run.tensor->data.data() + block * row.block_size / 2, view.scales->data[block],
               out.data() + i * row.block_bytes);
  }
}

}  // namespace

std::uint64_t WeightView::n_elements() const {
  std::uint64_t n = 1;
  for (const std::uint64_t dimension : shape) n *= dimension;
  return n;
}

bool WeightView::lies_in_order() const {
  // Half a matrix of each expert doesn't.
  const bool whole = shape.size() < 3 || parts.size() != 1 || strides.matrix == shape[0] * shape[1];
  const bool by_rows =
      whole && strides.row == shape[0] && strides.column == 1 && strides.first == 0;
  return own.empty() && by_rows && rope_half == 0 && tiles.size == 0 && scales == nullptr;
}

void read_weights(const WeightView& view, std::uint64_t first, std::uint64_t n,
                  std::span<std::byte> out) {
  if (!view.own.empty()) {
    std::memcpy(out.data(), view.own.data() + first, n * sizeof(float));
    return;
  }
  while (n > 0) {
    const Run run = run_at(view, first, n);
    const auto part = out.first(row_bytes(view.format, run.n));
    view.scales == nullptr ? copy_run(view, run, part) : copy_blocks(view, run, part);
    out = out.subspan(part.size());
    first += run.n;
    n -= run.n;
  }
}

}  // namespace jarip
