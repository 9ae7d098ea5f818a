// Attention of one key-value head over pages, written once over the vector type V and the page
// format Page. Inside a range of kAttentionRange positions: scores, softmax, values. Ranges merge
// in ascending order. The order of sums is in kernels.h. Include only through kernels_*.cpp.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "tensor/cpu/kv_text.h"
#include "tensor/cpu/row_text.h"
#include "tensor/kernels.h"

namespace jarip {

template <class V, class Page>
struct Attention {
  using F32 = typename V::F32;
  using Number = typename Page::Number;

  const AttentionTask& task;
  std::uint32_t n_queries = task.n_tokens * task.n_group;
  std::uint32_t head_dim = task.head_dim;
  KvHeadLayout layout = kv_head_layout(Page::kFormat, task.head_dim);
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
  [[nodiscard]] const std::byte* page(std::uint32_t position) const {
    return task.pages[position / kPageLanes] + task.page_offset;
  }
  // What task.parts holds of the range from `begin` on: values [n_queries, head_dim], maximums and
  // sums [n_queries].
  [[nodiscard]] float* part(std::uint32_t begin) const {
    return task.parts +
           (begin - task.first) / kAttentionRange * attention_part_floats(n_queries, head_dim);
  }
  // 16 scales, of the tokens from `lane` on, of the block in which a dimension lies.
  [[nodiscard]] static F32 load_scales(const std::byte* scales, std::uint32_t dim,
                                       std::uint32_t lane) {
    return V::load_f16(reinterpret_cast<const std::uint16_t*>(scales) +
                       std::size_t{dim / kKvBlock} * kPageLanes + lane);
  }

  // Few queries wait for keys and values and not for arithmetic, and a head's parts of two pages
  // lie far apart: what is read next is fetched while the same place of what is read now is used.
  static constexpr int kFewQueries = 6;
  template <int kCount>
  [[gnu::always_inline]] static void prefetch(const std::byte* next, std::size_t index) {
    if constexpr (kCount <= kFewQueries) {
      const std::size_t at = index * sizeof(Number);
      if (at % 64 == 0) __builtin_prefetch(next + at);
    }
  }

  // Sums over one block of dimensions, that from `dim` on, into the scores at `to`.
  template <int kCount, int kWide>
  [[gnu::always_inline]] void put_scores(const F32 (&sum)[kCount][kWide], const std::byte* head,
                                         std::uint32_t dim, std::uint32_t lane, float* to) const {
    for (int w = 0; w < kWide; ++w) {
      for (std::uint32_t i = 0; i < kCount; ++i) {
        float* score = to + i * kAttentionRange + w * 16;
        if constexpr (Page::kScaled) {
          const F32 scales = load_scales(head + layout.key_scales, dim, lane + w * 16);
          const F32 before = dim == 0 ? V::set1(0.0F) : V::load(score);
          V::store(score, V::fma(sum[i][w], scales, before));
        } else {
          V::store(score, sum[i][w]);
        }
      }
    }
  }

  // Scores of kCount queries from `query` on against one page of keys, kWide lanes of 16 at once.
  // What is read after this page begins at `next`.
  template <int kCount, int kWide>
  void score_page(std::uint32_t query, const std::byte* head, std::uint32_t column,
                  const std::byte* next) const {
    const auto* keys = reinterpret_cast<const Number*>(head);
    const float* rows = queries + std::size_t{query} * kQueryStride;
    const std::uint32_t n_together = Page::kScaled && kKvBlock < head_dim ? kKvBlock : head_dim;
    for (std::uint32_t lane = 0; lane < kPageLanes; lane += 16 * kWide) {
      float* to = scores + std::size_t{query} * kAttentionRange + column + lane;
      for (std::uint32_t begin = 0; begin < head_dim; begin += n_together) {
        const std::uint32_t end = head_dim - begin < n_together ? head_dim : begin + n_together;
        F32 sum[kCount][kWide];
        for (auto& row : sum) {
          for (auto& lanes : row) lanes = V::set1(0.0F);
        }
        for (std::uint32_t d = begin; d < end; ++d) {
          F32 key[kWide];
          for (int w = 0; w < kWide; ++w) {
            const std::size_t at = std::size_t{d} * kPageLanes + lane + w * 16;
            key[w] = Page::load(keys + at);
            prefetch<kCount>(next, at);
          }
          for (int i = 0; i < kCount; ++i) {
            const F32 x = V::set1(rows[i * kQueryStride + d]);
            for (int w = 0; w < kWide; ++w) sum[i][w] = V::fma(x, key[w], sum[i][w]);
          }
        }
        put_scores(sum, head, begin, lane, to);
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

  // Weights [kCount, kAttentionRange] of a page times its values' scales, into [kCount,
  // kPageLanes].
  template <int kCount>
  static void scale_weights(const float* weights, const std::byte* scales, std::uint32_t dim,
                            float* scaled) {
    for (std::uint32_t lane = 0; lane < kPageLanes; lane += 16) {
      const F32 factor = load_scales(scales, dim, lane);
      for (std::uint32_t i = 0; i < kCount; ++i) {
        V::store(scaled + i * kPageLanes + lane,
                 V::mul(V::load(weights + i * kAttentionRange + lane), factor));
      }
    }
  }

  // The first n positions of a page into sums; weights [kCount, kStride].
  template <int kCount, int kWide, std::uint32_t kStride>
  [[gnu::always_inline]] void add_values(const std::byte* head, std::uint32_t dim, std::uint32_t n,
                                         const float* weights, const std::byte* next,
                                         F32 (&out)[kCount][kWide]) const {
    const auto* values = reinterpret_cast<const Number*>(head + layout.values);
    for (std::uint32_t k = 0; k < n; ++k) {
      F32 lanes[kWide];
      for (int w = 0; w < kWide; ++w) {
        const std::size_t at = std::size_t{k} * head_dim + dim + w * 16;
        lanes[w] = Page::load(values + at);
        prefetch<kCount>(next, at);
      }
      for (std::uint32_t i = 0; i < kCount; ++i) {
        const F32 weight = V::set1(weights[i * kStride + k]);
        for (int w = 0; w < kWide; ++w) out[i][w] = V::fma(weight, lanes[w], out[i][w]);
      }
    }
  }

  // Where what is read after the values of the page at column `k` of a range begins.
  [[nodiscard]] const std::byte* after_values(std::uint32_t begin, std::uint32_t k) const {
    const std::uint32_t position = begin + k + kPageLanes;
    if (position >= task.end) return page(begin + k);
    return page(position) + (k + kPageLanes < kAttentionRange ? layout.values : 0);
  }

  // Weighted values of kCount queries over n_keys positions, kWide lanes of 16 dimensions
  // from `dim` on.
  template <int kCount, int kWide>
  void sum_values(std::uint32_t query, std::uint32_t begin, std::uint32_t n_keys,
                  std::uint32_t dim) const {
    F32 out[kCount][kWide];
    for (auto& row : out) {
      for (auto& lanes : row) lanes = V::set1(0.0F);
    }
    for (std::uint32_t k = 0; k < n_keys; k += kPageLanes) {
      const std::uint32_t n = n_keys - k < kPageLanes ? n_keys - k : kPageLanes;
      const std::byte* head = page(begin + k);
      const float* weights = scores + std::size_t{query} * kAttentionRange + k;
      const std::byte* next = after_values(begin, k);
      if constexpr (Page::kScaled) {
        float scaled[kCount * kPageLanes];
        scale_weights<kCount>(weights, head + layout.value_scales, dim, scaled);
        add_values<kCount, kWide, kPageLanes>(head, dim, n, scaled, next, out);
      } else {
        add_values<kCount, kWide, kAttentionRange>(head, dim, n, weights, next, out);
      }
    }
    for (int i = 0; i < kCount; ++i) {
      for (int w = 0; w < kWide; ++w) put_values(query + i, begin, dim + w * 16, out[i][w]);
    }
  }

  [[gnu::always_inline]] void put_values(std::uint32_t query, std::uint32_t begin,
                                         std::uint32_t dim, F32 values) const {
    if (task.parts != nullptr) {
      V::store(part(begin) + std::size_t{query} * head_dim + dim, values);
    } else {
      join_values(query, dim, values);
    }
  }

  // Joins a range's values with those of the ranges before.
  [[gnu::always_inline]] void join_values(std::uint32_t query, std::uint32_t dim,
                                          F32 values) const {
    float* to = merged + std::size_t{query} * head_dim + dim;
    const F32 before = V::mul(V::load(to), V::set1(old_factor[query]));
    V::store(to, V::fma(values, V::set1(new_factor[query]), before));
  }

  template <int kCount>
  void attend_queries(std::uint32_t query, std::uint32_t begin, std::uint32_t n_keys) const {
    for (std::uint32_t k = 0; k < n_keys; k += kPageLanes) {
      const bool last = k + kPageLanes >= n_keys;
      score_page<kCount, V::kWide>(
          query, page(begin + k), k,
          last ? page(begin) + layout.values : page(begin + k + kPageLanes));
    }
    for (std::uint32_t i = query; i < query + kCount; ++i) weigh(i, begin, n_keys);
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

  // Scores to the capped ones.
  void hold_scores(float* row, std::uint32_t n_keys) const {
    const F32 cap = V::set1(task.cap);
    const F32 inverse = V::set1(1.0F / task.cap);
    for (std::uint32_t i = 0; i < n_keys; i += 16) {
      V::store(row + i, V::mul(cap, tanh_lanes<V>(V::mul(V::load(row + i), inverse))));
    }
  }

  // The softmax of a range whose first n_hidden columns lie before the query's window. A range that
  // is hidden whole leaves everything as if it weren't there.
  Softmax softmax_in_window(float* row, std::uint32_t n_keys, std::uint32_t n_seen,
                            std::uint32_t n_hidden) const {
    constexpr float kUnseen = -std::numeric_limits<float>::infinity();
    if (n_hidden >= n_keys) {
      for (std::uint32_t i = 0; i < n_keys; i += 16) V::store(row + i, V::set1(0.0F));
      return {kUnseen, 0.0F};
    }
    for (std::uint32_t i = 0; i < n_hidden; ++i) row[i] = kUnseen;
    return softmax(row, n_keys, n_seen);
  }

  // Softmax of the range for one query.
  void weigh(std::uint32_t query, std::uint32_t begin, std::uint32_t n_keys) const {
    const std::uint32_t n_seen = task.position + query / task.n_group + 1 - begin;
    const std::uint32_t n_hidden =
        task.window != 0 && n_seen > task.window ? n_seen - task.window : 0;
    float* row = scores + std::size_t{query} * kAttentionRange;
    if (task.cap != 0.0F) hold_scores(row, n_keys);
    const Softmax range = n_hidden == 0 ? softmax(row, n_keys, n_seen)
                                        : softmax_in_window(row, n_keys, n_seen, n_hidden);
    if (task.parts != nullptr) {
      float* ends = part(begin) + std::size_t{n_queries} * head_dim;
      ends[query] = range.maximum;
      ends[n_queries + query] = range.sum;
    } else {
      join_weights(query, range);
    }
  }

  // The factors with which join_values brings what came before and the range to one maximum.
  void join_weights(std::uint32_t query, const Softmax& range) const {
    if (range.sum == 0.0F) {  // a range before the query's window: nothing of it counts
      old_factor[query] = 1.0F;
      new_factor[query] = 0.0F;
      return;
    }
    const float maximum = maximums[query] > range.maximum ? maximums[query] : range.maximum;
    float factors[16] = {maximums[query] - maximum, range.maximum - maximum};
    V::store(factors, exp_lanes<V>(V::load(factors)));
    maximums[query] = maximum;
    sums[query] = std::fma(range.sum, factors[1], sums[query] * factors[0]);
    old_factor[query] = factors[0];
    new_factor[query] = factors[1];
  }

  void start() const {
    for (std::uint32_t query = 0; query < n_queries; ++query) {
      maximums[query] = -std::numeric_limits<float>::infinity();
      sums[query] = 0.0F;
      for (std::uint32_t d = 0; d < head_dim; d += 16) {
        V::store(merged + std::size_t{query} * head_dim + d, V::set1(0.0F));
      }
    }
  }

  // What the heads' sinks take.
  void join_sinks() const {
    for (std::uint32_t query = 0; query < n_queries; ++query) {
      join_weights(query, {task.sinks[query % task.n_group], 1.0F});
      const F32 factor = V::set1(old_factor[query]);
      for (std::uint32_t d = 0; d < head_dim; d += 16) {
        float* to = merged + std::size_t{query} * head_dim + d;
        V::store(to, V::mul(V::load(to), factor));
      }
    }
  }

  void finish() const {
    if (task.sinks != nullptr) join_sinks();
    for (std::uint32_t query = 0; query < n_queries; ++query) {
      const F32 sum = V::set1(sums[query]);
      for (std::uint32_t d = 0; d < head_dim; d += 16) {
        V::store(task.out + offset(query, task.out_stride) + d,
                 V::div(V::load(merged + std::size_t{query} * head_dim + d), sum));
      }
    }
  }

  void run() const {
    for (std::uint32_t query = 0; query < n_queries; ++query) {
      const float* from = task.queries + offset(query, task.query_stride);
      for (std::uint32_t d = 0; d < head_dim; d += 16) {
        V::store(queries + std::size_t{query} * kQueryStride + d, V::load(from + d));
      }
    }
    if (task.parts == nullptr) start();
    for (std::uint32_t begin = task.begin; begin < task.end; begin += kAttentionRange) {
      const std::uint32_t left = task.end - begin;
      const std::uint32_t n_keys = left < kAttentionRange ? left : kAttentionRange;
      std::uint32_t query = attend_runs<12>(0, begin, n_keys);
      query = attend_runs<6>(query, begin, n_keys);
      query = attend_runs<4>(query, begin, n_keys);
      query = attend_runs<3>(query, begin, n_keys);
      attend_runs<1>(query, begin, n_keys);
    }
    if (task.parts == nullptr) finish();
  }

  // The parts of all ranges, in ascending order, with the arithmetic of run().
  void merge() const {
    start();
    for (std::uint32_t begin = task.first; begin < task.position + task.n_tokens;
         begin += kAttentionRange) {
      const float* ends = part(begin) + std::size_t{n_queries} * head_dim;
      for (std::uint32_t query = 0; query < n_queries; ++query) {
        join_weights(query, {ends[query], ends[n_queries + query]});
        for (std::uint32_t d = 0; d < head_dim; d += 16) {
          join_values(query, d, V::load(part(begin) + std::size_t{query} * head_dim + d));
        }
      }
    }
    finish();
  }
};

template <class V, class Page>
void attend(const AttentionTask& task) {
  Attention<V, Page>{task}.run();
}

template <class V>
void merge_attention(const AttentionTask& task) {
  Attention<V, F16Page<V>>{task}.merge();  // of the parts, which are the same for every format
}

}  // namespace jarip
