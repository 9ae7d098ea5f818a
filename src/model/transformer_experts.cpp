// The feed-forward of many experts. A row's bytes depend on nothing but the row: which experts it
// uses is decided from its own scores, each expert computes its rows apart from one another, and
// what they give is added in the order of their scores.
#include <algorithm>
#include <limits>

#include "base/exact_math.h"
#include "model/transformer.h"

namespace jarip {
namespace {

constexpr std::uint32_t kRowsPerTask = 4;

template <class T>
void grow(std::vector<T>& scratch, std::size_t n) {
  if (scratch.size() < n) scratch.resize(n);
}

}  // namespace

void Transformer::run_experts(std::uint32_t layer) {
  const LayerWeights& w = layers_[layer];
  route(w);
  gather_rows();
  lap(StepPart::kGateUp, n_tokens_, {&w.router.matrix});
  for (std::uint32_t i = 0; i < w.experts.size(); ++i) {
    const Rows rows{expert_begin_[i], expert_begin_[i + 1]};
    if (rows.begin == rows.end) continue;
    const FeedForward& expert = w.experts[i];
    const std::uint32_t shown = i < config_.n_experts ? i : kSharedExpert;
    show(ProductInput::kFeedForward, layer, shown, gathered_, rows, config_.d_model);
    gate_and_up(expert, {gathered_.data(), &quantized_gathered_}, rows, std::nullopt);
    show(ProductInput::kDown, layer, shown, hidden_, rows, config_.d_ff);
    lap(StepPart::kGateUp, rows.end - rows.begin, {&expert.gate.matrix, &expert.up.matrix});
    multiply(rows, {hidden_.data(), &quantized_hidden_}, expert.down.matrix, given_.data(),
             Epilogue::kStore);
    lap(StepPart::kDown, rows.end - rows.begin, {&expert.down.matrix});
  }
  combine(w);
  lap(StepPart::kDown);
}

// The experts of every token: those with the highest scores, the lower index where two are equal,
// weighted by a softmax over theirs alone. Behind them the shared one, if there is one, weighted by
// the sigmoid of its score.
void Transformer::route(const LayerWeights& w) {
  const Projection& router = w.router;
  const std::uint32_t n_experts = config_.n_experts;
  const std::uint32_t n_used = config_.n_experts_used;
  const bool shares = config_.n_experts_shared != 0;
  grow(router_logits_, std::size_t{n_tokens_} * n_experts);
  grow(uses_, n_uses_);
  multiply({0, n_tokens_}, {normed_.data(), &quantized_}, router.matrix, router_logits_.data(),
           Epilogue::kStore);
  if (shares) {
    grow(shared_scores_, n_tokens_);
    multiply({0, n_tokens_}, {normed_.data(), &quantized_}, w.shared_gate, shared_scores_.data(),
             Epilogue::kStore);
  }
  pool_.run((n_tokens_ + kRowsPerTask - 1) / kRowsPerTask, [&](std::uint32_t task, unsigned) {
    const std::size_t end = std::min((task + 1) * kRowsPerTask, n_tokens_);
    for (std::size_t row = task * kRowsPerTask; row < end; ++row) {
      float* scores = router_logits_.data() + row * n_experts;
      for (std::size_t i = 0; i < router.bias.size(); ++i) scores[i] += router.bias[i];
      ExpertUse* uses = uses_.data() + row * experts_each();
      choose_experts({scores, n_experts}, {uses, n_used});
      if (!shares) continue;
      const double weight = 1 / (1 + exact_exp(-static_cast<double>(shared_scores_[row])));
      uses[n_used] = {n_experts, 0, static_cast<float>(weight)};
    }
  });
}

void Transformer::choose_experts(std::span<float> scores, std::span<ExpertUse> uses) const {
  constexpr float kTaken = -std::numeric_limits<float>::infinity();
  float highest = 0;
  double sum = 0;
  for (std::size_t rank = 0; rank < uses.size(); ++rank) {
    std::size_t best = scores.size();
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (scores[i] == kTaken) continue;
      if (best == scores.size() || scores[i] > scores[best]) best = i;
    }
    if (best == scores.size()) best = rank;  // no number is left: only a broken model has none
    if (rank == 0) highest = scores[best];
    const double weight =
        exact_exp(static_cast<double>(scores[best]) - static_cast<double>(highest));
    uses[rank] = {static_cast<std::uint32_t>(best), 0, static_cast<float>(weight)};
    sum += weight;
    scores[best] = kTaken;
  }
  for (ExpertUse& use : uses) {
    use.weight = static_cast<float>(static_cast<double>(use.weight) / sum) * config_.expert_scale;
  }
}

// What the experts read: the rows of each together, in the order of tokens.
void Transformer::gather_rows() {
  const std::uint32_t d = config_.d_model;
  const std::uint32_t n_experts = config_.n_experts + config_.n_experts_shared;
  expert_begin_.assign(n_experts + 1, 0);
  for (std::uint32_t i = 0; i < n_uses_; ++i) ++expert_begin_[uses_[i].expert + 1];
  for (std::uint32_t i = 0; i < n_experts; ++i) expert_begin_[i + 1] += expert_begin_[i];
  expert_next_.assign(expert_begin_.begin(), expert_begin_.end() - 1);
  grow(token_of_, n_uses_);
  for (std::uint32_t i = 0; i < n_uses_; ++i) {
    uses_[i].row = expert_next_[uses_[i].expert]++;
    token_of_[uses_[i].row] = i / experts_each();
  }
  grow(gathered_, std::size_t{n_uses_} * d);
  grow(given_, std::size_t{n_uses_} * d);
  quantized_gathered_.resize(n_uses_, d);
  pool_.run((n_uses_ + kRowsPerTask - 1) / kRowsPerTask, [&](std::uint32_t task, unsigned) {
    const std::size_t end = std::min((task + 1) * kRowsPerTask, n_uses_);
    for (std::size_t row = task * kRowsPerTask; row < end; ++row) {
      const std::size_t token = token_of_[row];
      std::copy_n(normed_.data() + token * d, d, gathered_.data() + row * d);
      if (!quantized_.is_read) continue;
      std::copy_n(quantized_.row_values(token), d, quantized_gathered_.values.data() + row * d);
      std::copy_n(quantized_.row_blocks(token), d / kBlockCols,
                  quantized_gathered_.blocks.data() + row * (d / kBlockCols));
    }
  });
}

void Transformer::combine(const LayerWeights& w) {
  const std::uint32_t d = config_.d_model;
  const std::uint32_t n_used = experts_each();
  pool_.run((n_tokens_ + kRowsPerTask - 1) / kRowsPerTask, [&](std::uint32_t task, unsigned) {
    const std::size_t end = std::min((task + 1) * kRowsPerTask, n_tokens_);
    for (std::size_t row = task * kRowsPerTask; row < end; ++row) {
      float* to = mixed_.data() + row * d;
      std::fill_n(to, d, 0.0F);
      for (std::uint32_t rank = 0; rank < n_used; ++rank) {
        const ExpertUse& use = uses_[row * n_used + rank];
        const float* given = given_.data() + std::size_t{use.row} * d;
        const std::vector<float>& bias = w.experts[use.expert].down.bias;
        if (bias.empty()) {
          for (std::uint32_t i = 0; i < d; ++i) to[i] += use.weight * given[i];
        } else {
          for (std::uint32_t i = 0; i < d; ++i) to[i] += use.weight * (given[i] + bias[i]);
        }
      }
    }
  });
  join_residual({}, w.ff_post_norm);
}

}  // namespace jarip
