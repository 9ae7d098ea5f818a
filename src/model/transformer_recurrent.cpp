// The layers of a gated delta net. Products are those of all rows together; the recurrence runs
// token by token over a state of f32, so that no byte depends on which tokens a step holds. Tasks
// are heads of one sequence.
#include <algorithm>
#include <array>
#include <cstring>

#include "base/exact_math.h"
#include "model/transformer.h"

namespace jarip {
namespace {

constexpr std::uint32_t kRowsPerTask = 4;
constexpr std::size_t kMaxConvWidth = 16;

void grow(std::vector<float>& scratch, std::size_t n) {
  if (scratch.size() < n) scratch.resize(n);
}

double softplus(double x) { return x > 30 ? x : exact_log(1 + exact_exp(x)); }

}  // namespace

void Transformer::plan_recurrent(std::span<const SequenceChunk> chunks, const KvMemory& kv) {
  const RecurrentConfig& net = config_.recurrent;
  const std::size_t n = n_tokens_;
  grow(mixes_, n * net.mixed_dim());
  grow(convolved_, n * net.mixed_dim());
  grow(delta_gates_, n * net.value_dim());
  grow(delta_out_, n * net.value_dim());
  grow(betas_, n * net.n_value_heads);
  grow(decays_, n * net.n_value_heads);
  states_ = kv;
  recurrent_chunks_.clear();
  chunk_of_.clear();
  for (const SequenceChunk& chunk : chunks) {
    std::byte* const state = kv.states + chunk.state * kv.state_bytes;
    if (chunk.position == 0) std::memset(state, 0, kv.state_bytes);
    chunk_of_.insert(chunk_of_.end(), chunk.tokens.size(),
                     static_cast<std::uint32_t>(recurrent_chunks_.size()));
    recurrent_chunks_.push_back(
        {.first_row = static_cast<std::uint32_t>(chunk_of_.size() - chunk.tokens.size()),
         .n_tokens = static_cast<std::uint32_t>(chunk.tokens.size()),
         .state = state,
         .copies = chunk.copies});
  }
}

void Transformer::run_recurrent(std::uint32_t layer) {
  const RecurrentWeights& w = layers_[layer].recurrent;
  const Rows all{0, n_tokens_};
  const MatmulInput in{normed_.data(), &quantized_};
  multiply(all, in, w.mixed.matrix, mixes_.data(), Epilogue::kStore);
  multiply(all, in, w.gate.matrix, delta_gates_.data(), Epilogue::kStore);
  multiply(all, in, w.beta.matrix, betas_.data(), Epilogue::kStore);
  multiply(all, in, w.alpha.matrix, decays_.data(), Epilogue::kStore);
  convolve(layer);
  lap(StepPart::kQkv, n_tokens_,
      {&w.mixed.matrix, &w.gate.matrix, &w.beta.matrix, &w.alpha.matrix});
  run_delta(layer);
  show(ProductInput::kAttentionOut, layer, 0, delta_out_, all, config_.recurrent.value_dim());
  lap(StepPart::kAttention);
  add_to_residual({delta_out_.data(), &quantized_}, w.out, {}, std::nullopt);
  lap(StepPart::kAttentionOut, n_tokens_, {&w.out.matrix});
}

// Row by row: queries, keys and values from the mixes, and the gates of all heads.
void Transformer::convolve(std::uint32_t layer) {
  pool_.run((n_tokens_ + kRowsPerTask - 1) / kRowsPerTask, [&](std::uint32_t task, unsigned) {
    const std::uint32_t end = std::min((task + 1) * kRowsPerTask, n_tokens_);
    for (std::uint32_t row = task * kRowsPerTask; row < end; ++row) convolve_row(layer, row);
  });
}

void Transformer::convolve_row(std::uint32_t layer, std::uint32_t row) {
  const RecurrentWeights& w = layers_[layer].recurrent;
  const RecurrentConfig& net = config_.recurrent;
  const std::size_t n = net.mixed_dim();
  const RecurrentChunk& chunk = recurrent_chunks_[chunk_of_[row]];
  const float* const before = state_of(chunk.state, layer);
  // The last conv_width inputs: those before the chunk are the state's.
  std::array<const float*, kMaxConvWidth> inputs;
  for (std::uint32_t j = 0; j < net.conv_width; ++j) {
    const std::uint32_t back = net.conv_width - 1 - j;
    const std::uint32_t token = row - chunk.first_row;
    inputs[j] = back <= token ? mixes_.data() + (row - back) * n : before + (token + j) * n;
  }
  float* const out = convolved_.data() + row * n;
  kernels_.conv_silu(inputs.data(), w.conv.data(), net.conv_width, net.mixed_dim(), out);

  const std::uint32_t d = net.head_dim;
  const float eps = config_.norm_eps / static_cast<float>(d);
  for (std::uint32_t head = 0; head < 2 * net.n_key_heads; ++head) {
    const auto& scale = head < net.n_key_heads ? query_scale_ : key_scale_;
    float* const x = out + std::size_t{head} * d;
    kernels_.rms_norm(x, scale.data(), d, eps, x);
  }
  for (std::size_t head = 0; head < net.n_value_heads; ++head) {
    float& beta = betas_[row * net.n_value_heads + head];
    beta = static_cast<float>(1 / (1 + exact_exp(-static_cast<double>(beta))));
    float& decay = decays_[row * net.n_value_heads + head];
    const float alpha = decay + w.alpha_bias[head];
    decay = static_cast<float>(
        exact_exp(static_cast<double>(w.decay[head]) * softplus(static_cast<double>(alpha))));
  }
}

// The recurrence of every head; and behind these tasks, what the convolution keeps.
void Transformer::run_delta(std::uint32_t layer) {
  const std::uint32_t n_heads = config_.recurrent.n_value_heads;
  const auto n_chunks = static_cast<std::uint32_t>(recurrent_chunks_.size());
  quantized_.n_cols = config_.recurrent.value_dim();
  pool_.run(n_chunks * (n_heads + 1), [&](std::uint32_t task, unsigned) {
    const RecurrentChunk& chunk = recurrent_chunks_[task % n_chunks];
    const std::uint32_t head = task / n_chunks;
    if (head == n_heads) return keep_inputs(layer, chunk);
    run_delta_head(layer, chunk, head);
    for (std::size_t t = 0; t < chunk.n_tokens; ++t) {
      gate_delta(layers_[layer].recurrent, chunk.first_row + t, head);
    }
  });
}

void Transformer::run_delta_head(std::uint32_t layer, const RecurrentChunk& chunk,
                                 std::uint32_t head) {
  const RecurrentConfig& net = config_.recurrent;
  const std::size_t d = net.head_dim;
  const std::size_t key_column = net.key_head_of(head) * d;
  const std::size_t at = std::size_t{net.conv_width - 1} * net.mixed_dim() + head * d * d;
  float* const state = state_of(chunk.state, layer) + at;
  const auto run = [&](std::uint32_t begin, std::uint32_t end) {
    const std::size_t row = chunk.first_row + begin;
    const float* const from = convolved_.data() + row * net.mixed_dim();
    kernels_.gated_delta({.queries = from + key_column,
                          .keys = from + net.key_dim() + key_column,
                          .values = from + 2 * std::size_t{net.key_dim()} + head * d,
                          .stride = net.mixed_dim(),
                          .decays = decays_.data() + row * net.n_value_heads + head,
                          .betas = betas_.data() + row * net.n_value_heads + head,
                          .gate_stride = net.n_value_heads,
                          .n_tokens = end - begin,
                          .head_dim = net.head_dim,
                          .state = state,
                          .out = delta_out_.data() + row * net.value_dim() + head * d,
                          .out_stride = net.value_dim()});
  };
  std::uint32_t done = 0;
  for (const StateCopy& copy : chunk.copies) {
    run(done, copy.n_tokens);
    done = copy.n_tokens;
    std::byte* const to = states_.states + copy.to * states_.state_bytes;
    std::memcpy(state_of(to, layer) + at, state, d * d * sizeof(float));
  }
  run(done, chunk.n_tokens);
}

// A head's output is normalized, gated, and made ready for the product that reads it.
void Transformer::gate_delta(const RecurrentWeights& w, std::size_t row, std::uint32_t head) {
  const RecurrentConfig& net = config_.recurrent;
  const std::size_t at = row * net.value_dim() + std::size_t{head} * net.head_dim;
  float* const x = delta_out_.data() + at;
  kernels_.rms_norm(x, w.norm.data(), net.head_dim, config_.norm_eps, x);
  kernels_.silu_mul(delta_gates_.data() + at, x, net.head_dim, x);
  quantize(kernels_, x, net.head_dim, quantized_, row, at % net.value_dim());
}

// The last conv_width - 1 inputs, for the tokens to come.
void Transformer::keep_inputs(std::uint32_t layer, const RecurrentChunk& chunk) {
  const RecurrentConfig& net = config_.recurrent;
  const std::size_t n = net.mixed_dim();
  const std::uint32_t n_kept = net.conv_width - 1;
  float* const own = state_of(chunk.state, layer);
  const float* const mixes = mixes_.data() + chunk.first_row * n;
  // In ascending order: within the own state, rows move to the front.
  const auto keep = [&](std::uint32_t n_tokens, float* to) {
    for (std::uint32_t j = 0; j < n_kept; ++j) {
      const std::uint32_t i = n_tokens + j;  // among the inputs before the chunk and those of it
      const float* const from = i < n_kept ? own + i * n : mixes + (i - n_kept) * n;
      std::memcpy(to + j * n, from, n * sizeof(float));
    }
  };
  for (const StateCopy& copy : chunk.copies) {
    keep(copy.n_tokens, state_of(states_.states + copy.to * states_.state_bytes, layer));
  }
  keep(chunk.n_tokens, own);
}

}  // namespace jarip
