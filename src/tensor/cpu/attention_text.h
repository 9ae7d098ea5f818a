// Attention of one key-value head over pages, written once over the vector type V. Inside a range
// of kAttentionRange positions: scores (one fma a dimension), softmax, values (one fma a position,
// in ascending order). Ranges merge in ascending order. Include only through kernels_*.cpp.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "tensor/cpu/row_text.h"
#include "tensor/kernels.h"

namespace jarip {

template <class V>
struct Attention {
  using F32 = typename V::F32;

  const AttentionTask& task;
  std::uint32_t n_queries = task.n_tokens * task.n_group;
  std::uint32_t head_dim = task.head_dim;
  // Scratch, for each query: itself, the scores (then weights) of the range, the merged output, the
  // merged maximum and sum, and what brings the merged and the range's part to one maximum.
  float* queries = task.scratch;  // [n_queries, kQueryStride]
  float* scores = queries + std::size_t{kMaxAttentionQueries} * kQueryStride;  // [.., 256]
  float* merged = scores + std::size_t{kMaxAttentionQueries} * kAttentionRange;
  float* maximums = merged + std::size_t{kMaxAttentionQueries} * head_dim;
  float* sums = maximums + kMaxAttentionQueries;
  float* old_factor = sums + kMaxAttentionQueries;
  float* new_factor = old_factor + kMaxAttentionQueries;

  // Where query vector `query` begins in the task's arrays of this stride.
  [[nodiscard]] std::size_t offset(std::uint32_t query, std::size_t stride) const {
    return query / task.n_group * stride + std::size_t{query % task.n_group} * head_dim;
  }
  [[nodiscard]] const std::uint16_t* page(std::uint32_t position) const {
    return reinterpret_cast<const std::uint16_t*>(task.pages[position / kPageLanes] +
                                                  task.page_offset);
  }

  // Scores of kCount queries from `query` on against one page of keys, kWide lanes of 16 at once.
  template <int kCount, int kWide>
  void score_page(std::uint32_t query, const std::uint16_t* keys, std::uint32_t column) const {
    const float* rows = queries + std::size_t{query} * kQueryStride;
    for (std::uint32_t lane = 0; lane < kPageLanes; lane += 16 * kWide) {
      F32 sum[kCount][kWide];
      for (auto& row : sum) {
        for (auto& lanes : row) lanes = V::set1(0.0F);
      }
      for (std::uint32_t d = 0; d < head_dim; ++d) {
        F32 key[kWide];
        for (int w = 0; w < kWide; ++w) {
          key[w] = V::load_f16(keys + std::size_t{d} * kPageLanes + lane + w * 16);
        }
        for (int i = 0; i < kCount; ++i) {
          const F32 x = V::set1(rows[i * kQueryStride + d]);
          for (int w = 0; w < kWide; ++w) sum[i][w] = V::fma(x, key[w], sum[i][w]);
        }
      }
      for (int i = 0; i < kCount; ++i) {
        float* row = scores + std::size_t{query + i} * kAttentionRange + column + lane;
        for (int w = 0; w < kWide; ++w) V::store(row + w * 16, sum[i][w]);
      }
    }
  }

  // Scores to weights in place over n_keys columns, of which query sees the first n_seen. Returns
  // maximum and sum.
  struct Softmax {
    float maximum;
    float sum;
  };
  Softmax softmax(float* row, std::uint32_t n_keys, std::uint32_t n_seen) const {
    const float unseen = -std::numeric_limits<float>::infinity();
    F32 largest = V::set1(unseen);
    std::uint32_t i = 0;
    for (; i + 16 <= n_seen && i < n_keys; i += 16) largest = V::max(largest, V::load(row + i));
    for (; i < n_keys; i += 16) {
      const F32 seen =
          V::keep_first(V::load(row + i), static_cast<int>(n_seen) - static_cast<int>(i), unseen);
      V::store(row + i, seen);
      largest = V::max(largest, seen);
    }
    const float maximum = V::reduce_max(largest);
    F32 sum = V::set1(0.0F);
    for (i = 0; i < n_keys; i += 16) {
      const F32 weight = exp_lanes<V>(V::add(V::load(row + i), V::set1(-maximum)));
      V::store(row + i, weight);
      sum = V::add(sum, weight);
    }
    return {maximum, V::reduce_add(sum)};
  }

  // Weighted values of kCount queries over n_keys positions, kWide lanes of 16 dimensions
  // from `dim` on, merged with those of the ranges before.
  template <int kCount, int kWide>
  void sum_values(std::uint32_t query, std::uint32_t begin, std::uint32_t n_keys,
                  std::uint32_t dim) const {
    F32 out[kCount][kWide];
    for (auto& row : out) {
      for (auto& lanes : row) lanes = V::set1(0.0F);
    }
    for (std::uint32_t k = 0; k < n_keys; ++k) {
      const std::uint16_t* value = page(begin + k) + std::size_t{head_dim} * kPageLanes +
                                   std::size_t{k % kPageLanes} * head_dim + dim;
      F32 lanes[kWide];
      for (int w = 0; w < kWide; ++w) lanes[w] = V::load_f16(value + w * 16);
      for (int i = 0; i < kCount; ++i) {
        const F32 weight = V::set1(scores[std::size_t{query + i} * kAttentionRange + k]);
        for (int w = 0; w < kWide; ++w) out[i][w] = V::fma(weight, lanes[w], out[i][w]);
      }
    }
    for (int i = 0; i < kCount; ++i) {
      const F32 before = V::set1(old_factor[query + i]);
      const F32 now = V::set1(new_factor[query + i]);
      for (int w = 0; w < kWide; ++w) {
        float* to = merged + std::size_t{query + i} * head_dim + dim + w * 16;
        V::store(to, V::fma(out[i][w], now, V::mul(V::load(to), before)));
      }
    }
  }

  template <int kCount>
  void attend_queries(std::uint32_t query, std::uint32_t begin, std::uint32_t n_keys) const {
    for (std::uint32_t k = 0; k < n_keys; k += kPageLanes) {
      score_page<kCount, V::kWide>(query, page(begin + k), k);
    }
    for (std::uint32_t i = query; i < query + kCount; ++i) merge_weights(i, begin, n_keys);
    std::uint32_t dim = 0;
    for (; dim + 16 * V::kWide <= head_dim; dim += 16 * V::kWide) {
      sum_values<kCount, V::kWide>(query, begin, n_keys, dim);
    }
    for (; dim < head_dim; dim += 16) sum_values<kCount, 1>(query, begin, n_keys, dim);
  }

  // As many queries at once as the registers hold, from `query` on; returns the next query.
  template <int kCount>
  std::uint32_t attend_runs(std::uint32_t query, std::uint32_t begin, std::uint32_t n_keys) const {
    if constexpr (kCount <= V::kQueries) {
      for (; query + kCount <= n_queries; query += kCount) {
        attend_queries<kCount>(query, begin, n_keys);
      }
    }
    return query;
  }

  // Softmax of the range, then the factors with which sum_values joins it to what came before.
  void merge_weights(std::uint32_t query, std::uint32_t begin, std::uint32_t n_keys) const {
    const std::uint32_t n_seen = task.position + query / task.n_group + 1 - begin;
    const Softmax range = softmax(scores + std::size_t{query} * kAttentionRange, n_keys, n_seen);
    const float maximum = maximums[query] > range.maximum ? maximums[query] : range.maximum;
    float factors[16] = {maximums[query] - maximum, range.maximum - maximum};
    V::store(factors, exp_lanes<V>(V::load(factors)));
    maximums[query] = maximum;
    sums[query] = std::fma(range.sum, factors[1], sums[query] * factors[0]);
    old_factor[query] = factors[0];
    new_factor[query] = factors[1];
  }

  void run() const {
    for (std::uint32_t query = 0; query < n_queries; ++query) {
      maximums[query] = -std::numeric_limits<float>::infinity();
      sums[query] = 0.0F;
      const float* from = task.queries + offset(query, task.query_stride);
      for (std::uint32_t d = 0; d < head_dim; d += 16) {
        V::store(queries + std::size_t{query} * kQueryStride + d, V::load(from + d));
        V::store(merged + std::size_t{query} * head_dim + d, V::set1(0.0F));
      }
    }
    const std::uint32_t n_positions = task.position + task.n_tokens;
    for (std::uint32_t begin = 0; begin < n_positions; begin += kAttentionRange) {
      const std::uint32_t left = n_positions - begin;
      const std::uint32_t n_keys = left < kAttentionRange ? left : kAttentionRange;
      std::uint32_t query = attend_runs<12>(0, begin, n_keys);
      query = attend_runs<6>(query, begin, n_keys);
      query = attend_runs<4>(query, begin, n_keys);
      query = attend_runs<3>(query, begin, n_keys);
      attend_runs<1>(query, begin, n_keys);
    }
    for (std::uint32_t query = 0; query < n_queries; ++query) {
      const F32 sum = V::set1(sums[query]);
      for (std::uint32_t d = 0; d < head_dim; d += 16) {
        V::store(task.out + offset(query, task.out_stride) + d,
                 V::div(V::load(merged + std::size_t{query} * head_dim + d), sum));
      }
    }
  }
};

template <class V>
void attend(const AttentionTask& task) {
  Attention<V>{task}.run();
}

}  // namespace jarip
