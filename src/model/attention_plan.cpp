#include "model/attention_plan.h"

#include <algorithm>
#include <atomic>

namespace jarip {
namespace {

std::uint32_t n_ranges(const AttentionTask& task) {
  return (task.end - task.first + kAttentionRange - 1) / kAttentionRange;
}

std::size_t parts_floats(const AttentionTask& task) {
  return n_ranges(task) * attention_part_floats(task.n_tokens * task.n_group, task.head_dim);
}

}  // namespace

void AttentionPlan::clear() {
  wholes_.clear();
  kv_heads_.clear();
  n_pieces_.clear();
  pieces_.clear();
}

void AttentionPlan::add(const AttentionTask& task, std::uint32_t kv_head) {
  wholes_.push_back(task);
  kv_heads_.push_back(kv_head);
}

void AttentionPlan::cut(unsigned n_threads) {
  const auto n_wholes = static_cast<std::uint32_t>(wholes_.size());
  const std::uint32_t wanted = n_threads == 1 ? 1 : n_threads * kPiecesPerThread;
  const std::uint32_t n_each = n_wholes == 0 ? 1 : (wanted + n_wholes - 1) / n_wholes;
  std::size_t n_floats = 0;
  for (std::uint32_t i = 0; i < n_wholes; ++i) {
    const AttentionTask& whole = wholes_[i];
    const std::uint32_t n = n_ranges(whole);
    const std::uint32_t step = (n + n_each - 1) / n_each * kAttentionRange;
    const std::size_t first = pieces_.size();
    for (std::uint32_t begin = whole.first; begin < whole.end; begin += step) {
      pieces_.push_back({i, begin, std::min(begin + step, whole.end)});
    }
    n_pieces_.push_back(static_cast<std::uint32_t>(pieces_.size() - first));
    if (n_pieces_[i] > 1) n_floats += parts_floats(whole);
  }
  n_left_ = n_pieces_;
  if (parts_.size() < n_floats) parts_.resize(n_floats);
  float* parts = parts_.data();
  for (std::uint32_t i = 0; i < n_wholes; ++i) {
    if (n_pieces_[i] == 1) continue;
    wholes_[i].parts = parts;
    parts += parts_floats(wholes_[i]);
  }
}

AttentionTask AttentionPlan::task(const Piece& piece) const {
  AttentionTask task = wholes_[piece.whole];
  task.begin = piece.begin;
  task.end = piece.end;
  return task;
}

bool AttentionPlan::end(const Piece& piece) {
  const std::uint32_t n = n_pieces_[piece.whole];
  if (n == 1) return true;
  std::atomic_ref<std::uint32_t> n_left(n_left_[piece.whole]);
  if (n_left.fetch_sub(1, std::memory_order_acq_rel) != 1) return false;
  n_left.store(n, std::memory_order_relaxed);  // for the next layer
  return true;
}

}  // namespace jarip
