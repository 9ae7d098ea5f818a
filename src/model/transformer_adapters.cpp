// What adapters add to a layer's products. Rows that go with one adapter lie together; a row's
// bytes depend on nothing but the row and its adapter.
#include <algorithm>

#include "model/adapter.h"
#include "model/transformer.h"

namespace jarip {
namespace {

constexpr std::uint32_t kRowsPerTask = 32;

// Matrices that read the same rows, and are computed one after the other.
constexpr std::size_t slot_of(AdaptedMatrix matrix) {
  switch (matrix) {
    case AdaptedMatrix::kKey:
    case AdaptedMatrix::kUp:
      return 1;
    case AdaptedMatrix::kValue:
      return 2;
    default:
      return 0;
  }
}

}  // namespace

void Transformer::plan_adapters(std::span<const SequenceChunk> chunks) {
  adapted_.clear();
  std::uint32_t row = 0;
  std::uint32_t max_rank = 0;
  for (const SequenceChunk& chunk : chunks) {
    const std::uint32_t end = row + static_cast<std::uint32_t>(chunk.tokens.size());
    if (chunk.adapter != nullptr) {
      max_rank = std::max(max_rank, chunk.adapter->max_rank());
      if (!adapted_.empty() && adapted_.back().adapter == chunk.adapter &&
          adapted_.back().rows.end == row) {
        adapted_.back().rows.end = end;
      } else {
        adapted_.push_back({{row, end}, chunk.adapter});
      }
    }
    row = end;
  }
  for (auto& narrowed : narrowed_) {
    const std::size_t n = std::size_t{row} * max_rank;
    if (narrowed.size() < n) narrowed.resize(n);
  }
  narrowed_stride_ = max_rank;
}

void Transformer::narrow(std::uint32_t layer, std::initializer_list<AdaptedMatrix> matrices,
                         const std::vector<float>& from) {
  for (const AdaptedRows& adapted : adapted_) {
    const std::uint32_t n_rows = adapted.rows.end - adapted.rows.begin;
    for (const AdaptedMatrix matrix : matrices) {
      const LowRank* pair = adapted.adapter->find(layer, matrix);
      if (pair == nullptr) continue;
      const std::uint32_t rank = pair->rank();
      float* to = narrowed_of(matrix, adapted);
      const float* rows = from.data() + std::size_t{adapted.rows.begin} * pair->narrow.n_cols();
      pool_.run((n_rows + kRowsPerTask - 1) / kRowsPerTask, [&](std::uint32_t task, unsigned) {
        const std::uint32_t begin = task * kRowsPerTask;
        const std::uint32_t end = std::min(begin + kRowsPerTask, n_rows);
        float* out = to + std::size_t{begin} * rank;
        kernels_.matmul(pair->narrow, {rows, nullptr}, {begin, end, 0, pair->narrow.n_tiles()}, out,
                        rank, Epilogue::kStore);
        for (float& value : std::span(out, std::size_t{end - begin} * rank)) value *= pair->scale;
      });
    }
  }
}

void Transformer::widen(const Adapted& place, const MatmulRange& range, float* out,
                        std::size_t out_stride) {
  for (const AdaptedRows& adapted : adapted_) {
    const std::uint32_t begin = std::max(range.row_begin, adapted.rows.begin);
    const std::uint32_t end = std::min(range.row_end, adapted.rows.end);
    if (begin >= end) continue;
    const LowRank* pair = adapted.adapter->find(place.layer, place.matrix);
    if (pair == nullptr) continue;
    kernels_.matmul(
        pair->wide, {narrowed_of(place.matrix, adapted), nullptr},
        {begin - adapted.rows.begin, end - adapted.rows.begin, range.tile_begin, range.tile_end},
        out + (begin - range.row_begin) * out_stride, out_stride, Epilogue::kAdd);
  }
}

void Transformer::widen_all(const Adapted& place, const PackedMatrix& matrix, float* out) {
  if (adapted_.empty()) return;
  const std::size_t stride = matrix.n_rows();
  pool_.run(matrix.n_tiles(), [&](std::uint32_t tile, unsigned) {
    widen(place, {0, n_tokens_, tile, tile + 1}, out + std::size_t{tile} * kTileRows, stride);
  });
}

// [its rows, rank], from the first of its rows on.
float* Transformer::narrowed_of(AdaptedMatrix matrix, const AdaptedRows& adapted) {
  return narrowed_[slot_of(matrix)].data() + std::size_t{adapted.rows.begin} * narrowed_stride_;
}

}  // namespace jarip
