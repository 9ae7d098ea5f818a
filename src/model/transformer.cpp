#include "model/transformer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/exact_math.h"

namespace jarip {
namespace {

// Rows that one task of a row-wise loop takes: enough to be worth handing over.
constexpr std::uint32_t kRowsPerTask = 4;
// Rows whose products are finished (rotated, activated, stored) while they are still in the caches
// of the core that computed them. A multiple of what the kernels take at once.
constexpr std::uint32_t kRowBlock = 96;
// Rows up to which a step's time goes into reading the weights.
constexpr std::uint32_t kFewRows = 32;
// Tasks for each thread in a matrix product, so that a slow thread leaves little to wait for.
constexpr std::uint32_t kTasksPerThread = 4;

void grow(std::vector<float>& scratch, std::size_t n) {
  if (scratch.size() < n) scratch.resize(n);
}

void add_to(float* out, const float* x, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) out[i] += x[i];
}

}  // namespace

Transformer::Transformer(const ModelConfig& config, const ModelTensors& tensors, ThreadPool& pool,
                         const Kernels& kernels, KvFormat kv_format)
    : config_(config),
      pool_(pool),
      kernels_(kernels),
      page_kernels_(kernels.pages_of(kv_format)),
      kv_head_(kv_head_layout(kv_format, config.head_dim)),
      ropes_{Rope(config, config.rope, tensors.rope_factors),
             Rope(config, config.local_rope, tensors.rope_factors)},
      local_angles_(config.rope != config.local_rope),
      output_norm_(tensors.output_norm),
      scratch_(pool.n_threads()) {
  for (std::uint32_t layer = 0; layer < config.n_layers; ++layer) {
    if (!config.layers[layer].recurrent) plans_used_[plan_of(layer)] = true;
  }
  const auto head_dim = static_cast<float>(config.recurrent.head_dim);
  key_scale_.assign(config.recurrent.head_dim, 1 / std::sqrt(head_dim));
  query_scale_.assign(config.recurrent.head_dim, 1 / head_dim);
}

Result<std::unique_ptr<Model>> Transformer::load(const ModelConfig& config,
                                                 const ModelTensors& tensors, ThreadPool& pool,
                                                 const LoadOptions& options,
                                                 const PackedMatrix::OnRead& on_read) {
  JARIP_TRY(const Kernels* kernels, select_kernels());
  std::unique_ptr<Transformer> model(
      new Transformer(config, tensors, pool, *kernels, options.kv_format));
  Packer pack{pool, on_read};
  const auto report = [&](std::size_t n_done) {
    if (options.on_progress == nullptr) return;
    options.on_progress(options.progress_context,
                        static_cast<float>(n_done) / static_cast<float>(config.n_layers + 1));
  };
  JARIP_TRY(model->embedding_, pack(tensors.embedding));
  model->gives_states_ = options.output == StepOutput::kStates;
  if (!config.tied_embedding && !model->gives_states_) {
    JARIP_TRY(model->output_, pack(tensors.output));
  }
  report(1);
  for (const LayerTensors& layer : tensors.layers) {
    JARIP_TRY(model->layers_.emplace_back(), load_layer(layer, pack));
    report(model->layers_.size() + 1);
  }
  for (auto* rows : {&model->quantized_, &model->quantized_hidden_, &model->quantized_gathered_}) {
    rows->is_read = pack.quantizes;
  }
  return model;
}

std::size_t Transformer::head_offset(std::uint32_t layer, std::uint32_t kv_head) const {
  const std::size_t place = config_.layers[layer].place;
  return (place * config_.n_kv_heads + kv_head) * kv_head_.n_bytes;
}

std::size_t Transformer::kv_page_bytes() const {
  const std::size_t n_layers = config_.n_layers - config_.n_recurrent_layers;
  return n_layers * config_.n_kv_heads * kv_head_.n_bytes;
}

std::size_t Transformer::memory_bytes() const {
  std::size_t sum = embedding_.memory_bytes() + (output_ ? output_->memory_bytes() : 0);
  for (const LayerWeights& layer : layers_) sum += layer.memory_bytes();
  for (const auto* scratch :
       {&angles_[0], &angles_[1], &residual_,  &normed_,      &queries_,       &keys_,
        &attended_,  &hidden_,    &mixed_,     &last_,        &router_logits_, &shared_scores_,
        &gathered_,  &given_,     &gates_,     &mixes_,       &convolved_,     &delta_gates_,
        &betas_,     &decays_,    &delta_out_, &narrowed_[0], &narrowed_[1],   &narrowed_[2]}) {
    sum += scratch->size() * sizeof(float);
  }
  for (const auto& scratch : scratch_) sum += scratch.size() * sizeof(float);
  for (const QuantizedRows* rows : {&quantized_, &quantized_hidden_, &quantized_gathered_}) {
    sum += rows->values.size() + rows->blocks.size() * sizeof(ActivationBlock);
  }
  return sum;
}

void Transformer::step(std::span<const SequenceChunk> chunks, const KvMemory& kv,
                       std::span<float> logits) {
  if (profile_ != nullptr) profile_->start();
  plan(chunks, kv);
  if (config_.n_recurrent_layers != 0) plan_recurrent(chunks, kv);
  plan_adapters(chunks);
  lap(StepPart::kPlan);
  embed(chunks);
  lap(StepPart::kEmbed);
  for (std::uint32_t layer = 0; layer < config_.n_layers; ++layer) run_layer(layer);
  project_logits(chunks, logits);
}

void Transformer::run_layer(std::uint32_t layer) {
  const LayerWeights& w = layers_[layer];
  const Rows all{0, n_tokens_};
  normalize(residual_.data(), n_tokens_, w.attention_norm);
  show(ProductInput::kAttention, layer, 0, normed_, all, config_.d_model);
  lap(StepPart::kNorm);
  config_.layers[layer].recurrent ? run_recurrent(layer) : run_attention(layer);

  normalize(residual_.data(), n_tokens_, w.ff_norm);
  lap(StepPart::kNorm);
  if (config_.n_experts != 0) return run_experts(layer);
  const FeedForward& ff = w.experts.front();
  show(ProductInput::kFeedForward, layer, 0, normed_, all, config_.d_model);
  narrow(layer, {AdaptedMatrix::kGate, AdaptedMatrix::kUp}, normed_);
  gate_and_up(ff, {normed_.data(), &quantized_}, all, layer);
  show(ProductInput::kDown, layer, 0, hidden_, all, config_.d_ff);
  lap(StepPart::kGateUp, n_tokens_, {&ff.gate.matrix, &ff.up.matrix});
  narrow(layer, {AdaptedMatrix::kDown}, hidden_);
  add_to_residual({hidden_.data(), &quantized_hidden_}, ff.down, w.ff_post_norm,
                  Adapted{layer, AdaptedMatrix::kDown});
  lap(StepPart::kDown, n_tokens_, {&ff.down.matrix});
}

void Transformer::run_attention(std::uint32_t layer) {
  const LayerWeights& w = layers_[layer];
  narrow(layer, {AdaptedMatrix::kQuery, AdaptedMatrix::kKey, AdaptedMatrix::kValue}, normed_);
  project_heads(layer);
  if (config_.head_norm == HeadNorm::kAllHeads) normalize_all_heads(layer);
  lap(StepPart::kQkv, n_tokens_, {&w.query.matrix, &w.key.matrix, &w.value.matrix});
  attend(layer);
  show(ProductInput::kAttentionOut, layer, 0, attended_, {0, n_tokens_}, query_dim());
  lap_attention(attention_[plan_of(layer)]);
  narrow(layer, {AdaptedMatrix::kAttentionOut}, attended_);
  add_to_residual({attended_.data(), &quantized_}, w.attention_out, w.attention_post_norm,
                  Adapted{layer, AdaptedMatrix::kAttentionOut});
  lap(StepPart::kAttentionOut, n_tokens_, {&w.attention_out.matrix});
}

void Transformer::add_to_residual(const MatmulInput& in, const Projection& projection,
                                  const std::vector<float>& post_norm,
                                  const std::optional<Adapted>& adapted) {
  const Rows all{0, n_tokens_};
  const bool is_plain =
      projection.bias.empty() && post_norm.empty() && config_.residual_scale == 1.0F;
  float* to = (is_plain ? residual_ : mixed_).data();
  multiply(all, in, projection.matrix, to, is_plain ? Epilogue::kAdd : Epilogue::kStore);
  if (adapted) widen_all(*adapted, projection.matrix, to);
  if (is_plain) return;
  join_residual(projection.bias, post_norm);
}

void Transformer::join_residual(const std::vector<float>& bias,
                                const std::vector<float>& post_norm) {
  const std::uint32_t d = config_.d_model;
  const float scale = config_.residual_scale;
  pool_.run((n_tokens_ + kRowsPerTask - 1) / kRowsPerTask, [&](std::uint32_t task, unsigned) {
    const std::size_t end = std::min((task + 1) * kRowsPerTask, n_tokens_);
    for (std::size_t row = task * kRowsPerTask; row < end; ++row) {
      float* x = mixed_.data() + row * d;
      if (!bias.empty()) add_to(x, bias.data(), d);
      if (!post_norm.empty()) kernels_.rms_norm(x, post_norm.data(), d, config_.norm_eps, x);
      float* to = residual_.data() + row * d;
      for (std::uint32_t i = 0; i < d; ++i) to[i] += scale * x[i];
    }
  });
}

void Transformer::lap(StepPart part, std::uint32_t n_rows,
                      std::initializer_list<const PackedMatrix*> weights) {
  if (profile_ == nullptr) return;
  StepWork work;
  for (const PackedMatrix* matrix : weights) {
    const double ops = 2.0 * n_rows * matrix->n_rows() * matrix->n_cols();
    (is_float(matrix->format()) ? work.f32_flops : work.int8_ops) += ops;
    work.weight_bytes += static_cast<double>(matrix->memory_bytes());
  }
  profile_->lap(part, work);
}

// Scores and weighted values: two operations each for every dimension of every position seen.
void Transformer::lap_attention(const AttentionPlan& plan) {
  if (profile_ == nullptr) return;
  StepWork work;
  for (const AttentionTask& task : plan.wholes()) {
    const double all = task.position + (task.n_tokens + 1) / 2.0;
    const double n_seen =
        task.n_tokens * (task.window == 0 ? all : std::min<double>(task.window, all));
    work.f32_flops += 4.0 * n_seen * task.n_group * task.head_dim;
  }
  profile_->lap(StepPart::kAttention, work);
}

// Scratch for the step, every token's place in the pages, and the attention's tasks, which are the
// same for all layers but for where in a page a layer lies.
void Transformer::plan(std::span<const SequenceChunk> chunks, const KvMemory& kv) {
  n_tokens_ = 0;
  std::size_t n_pages = 0;
  for (const SequenceChunk& chunk : chunks) {
    n_tokens_ += static_cast<std::uint32_t>(chunk.tokens.size());
    n_pages += chunk.pages.size();
  }
  reserve_scratch();

  places_.clear();
  page_pointers_.clear();
  page_pointers_.reserve(n_pages);  // pointers into it are kept below
  for (AttentionPlan& attention : attention_) attention.clear();
  for (const SequenceChunk& chunk : chunks) {
    std::byte* const* pages = page_pointers_.data() + page_pointers_.size();
    for (const PageId page : chunk.pages) {
      page_pointers_.push_back(kv.base + page * kv.page_bytes);
    }
    const auto n = static_cast<std::uint32_t>(chunk.tokens.size());
    const auto first_row = static_cast<std::uint32_t>(places_.size());
    for (std::uint32_t t = 0; t < n; ++t) {
      const std::uint32_t position = chunk.position + t;
      places_.push_back({pages[position / kKvPageTokens], position % kKvPageTokens});
      for (std::size_t i = 0; i <= std::size_t{local_angles_}; ++i) {
        ropes_[i].angles(position,
                         std::span(angles_[i]).subspan((first_row + t) * ropes_[i].n_angles()));
      }
    }
    for (std::size_t i = 0; i < attention_.size(); ++i) {
      if (plans_used_[i]) plan_attention(chunk, first_row, pages, i == 1);
    }
  }
  for (AttentionPlan& attention : attention_) attention.cut(pool_.n_threads());
}

void Transformer::reserve_scratch() {
  const std::size_t n = n_tokens_;
  n_uses_ = n_tokens_ * std::max(1U, experts_each());
  grow(residual_, n * config_.d_model);
  grow(normed_, n * config_.d_model);
  grow(mixed_, n * config_.d_model);
  grow(queries_, n * query_dim());
  grow(attended_, n * query_dim());
  if (config_.gated_attention) grow(gates_, n * query_dim());
  grow(hidden_, std::size_t{n_uses_} * config_.d_ff);
  if (config_.head_norm == HeadNorm::kAllHeads) grow(keys_, n * kv_dim());
  for (std::size_t i = 0; i <= std::size_t{local_angles_}; ++i) {
    grow(angles_[i], n * ropes_[i].n_angles());
  }
  quantized_.resize(n_tokens_,
                    std::max({config_.d_model, query_dim(), config_.recurrent.value_dim()}));
  quantized_hidden_.resize(n_uses_, config_.d_ff);
  const std::size_t block = std::min(n_tokens_, kRowBlock);
  // An expert may get any number of a step's rows.
  const std::size_t few = std::min(n_tokens_, kFewRows) * gate_tiles_per_task(1);
  const std::size_t many = block * gate_tiles_per_task(n_tokens_);
  for (auto& scratch : scratch_) {
    grow(scratch, std::max({attention_scratch_floats(config_.head_dim), block * config_.head_dim,
                            2 * std::max(few, many) * kTileRows}));
  }
}

// The attention of one chunk, whose tokens are the step's rows from first_row on.
void Transformer::plan_attention(const SequenceChunk& chunk, std::uint32_t first_row,
                                 std::byte* const* pages, bool windowed) {
  const std::uint32_t n_group = config_.n_heads / config_.n_kv_heads;
  const auto n = static_cast<std::uint32_t>(chunk.tokens.size());
  const std::uint32_t window = windowed ? config_.window : 0;
  for (std::uint32_t t = 0; t < n;) {
    const std::uint32_t position = chunk.position + t;
    const std::uint32_t count = std::min(
        {n - t, kMaxAttentionQueries / n_group, kAttentionRange - position % kAttentionRange});
    const std::uint32_t hidden = windowed && position >= window ? position + 1 - window : 0;
    const std::uint32_t first = hidden / kAttentionRange * kAttentionRange;
    for (std::uint32_t head = 0; head < config_.n_kv_heads; ++head) {
      const std::size_t column = std::size_t{head} * n_group * config_.head_dim;
      const std::size_t at = std::size_t{first_row + t} * query_dim() + column;
      attention_[windowed ? 1 : 0].add({.queries = queries_.data() + at,
                                        .out = attended_.data() + at,
                                        .query_stride = query_dim(),
                                        .out_stride = query_dim(),
                                        .n_tokens = count,
                                        .n_group = n_group,
                                        .head_dim = config_.head_dim,
                                        .position = position,
                                        .pages = pages,
                                        .page_offset = 0,
                                        .scratch = nullptr,
                                        .begin = first,
                                        .end = position + count,
                                        .parts = nullptr,
                                        .first = first,
                                        .window = window,
                                        .cap = config_.attention_cap},
                                       head);
    }
    t += count;
  }
}

void Transformer::embed(std::span<const SequenceChunk> chunks) {
  std::size_t row = 0;
  for (const SequenceChunk& chunk : chunks) {
    for (const TokenId token : chunk.tokens) {
      const auto to = std::span(residual_).subspan(row++ * config_.d_model, config_.d_model);
      embedding_.unpack_row(token, to);
      if (config_.embedding_scale == 1.0F) continue;
      for (float& value : to) value *= config_.embedding_scale;
    }
  }
}

void Transformer::normalize(const float* x, std::uint32_t n_rows,
                            const std::vector<float>& weight) {
  const std::uint32_t d = config_.d_model;
  quantized_.resize(n_rows, d);
  pool_.run((n_rows + kRowsPerTask - 1) / kRowsPerTask, [&](std::uint32_t task, unsigned) {
    const std::size_t end = std::min((task + 1) * kRowsPerTask, n_rows);
    for (std::size_t row = task * kRowsPerTask; row < end; ++row) {
      float* out = normed_.data() + row * d;
      if (weight.empty()) {
        std::copy_n(x + row * d, d, out);
      } else {
        kernels_.rms_norm(x + row * d, weight.data(), d, config_.norm_eps, out);
      }
      quantize(kernels_, out, d, quantized_, row);
    }
  });
}

// Heads of q, then of k, then of v, then the gates of q's, if there are some. A task takes the same
// heads of block after block of rows, so that their weights stay where they are.
void Transformer::project_heads(std::uint32_t layer) {
  const std::uint32_t n_projected = config_.n_heads + 2 * config_.n_kv_heads;
  const std::uint32_t n_heads = n_projected + (config_.gated_attention ? config_.n_heads : 0);
  const std::uint32_t per_task =
      n_tokens_ > kFewRows ? 1 : std::max(1U, n_heads / (pool_.n_threads() * kTasksPerThread));
  pool_.run((n_heads + per_task - 1) / per_task, [&](std::uint32_t task, unsigned worker) {
    const std::uint32_t end = std::min((task + 1) * per_task, n_heads);
    for (std::uint32_t head = task * per_task; head < end; ++head) {
      for (std::uint32_t row = 0; row < n_tokens_; row += kRowBlock) {
        const Rows rows{row, std::min(row + kRowBlock, n_tokens_)};
        if (head < n_projected) {
          project_head(layer, head, rows, scratch_[worker].data());
        } else {
          project_gate(layer, head - n_projected, rows);
        }
      }
    }
  });
}

void Transformer::rotate_head(std::uint32_t layer, std::uint32_t row, float scale,
                              float* head) const {
  const std::size_t i = rope_of(layer);
  const Rope& rope = ropes_[i];
  const auto angles = std::span<const float>(angles_[i]).subspan(row * rope.n_angles());
  Rotation rotation = rope.rotation(angles, config_.head_dim);
  if (!config_.layers[layer].rope) rotation.rope_dim = 0;
  kernels_.rotate(rotation, scale, head);
}

void Transformer::project_head(std::uint32_t layer, std::uint32_t head, const Rows& rows,
                               float* scratch) {
  const LayerWeights& w = layers_[layer];
  const std::uint32_t d = config_.head_dim;
  const std::uint32_t n_tiles = d / kTileRows;
  const bool is_query = head < config_.n_heads;
  const std::uint32_t kv_head = is_query ? 0 : (head - config_.n_heads) % config_.n_kv_heads;
  const bool is_key = !is_query && head < config_.n_heads + config_.n_kv_heads;
  const bool all_heads = config_.head_norm == HeadNorm::kAllHeads && (is_query || is_key);
  const std::uint32_t own = is_query ? head : kv_head;
  std::size_t stride = d;
  float* out = scratch;
  if (is_query || all_heads) {
    stride = is_query ? query_dim() : kv_dim();
    out = (is_query ? queries_ : keys_).data() + rows.begin * stride + std::size_t{own} * d;
  }
  const Projection& projection = is_query ? w.query : is_key ? w.key : w.value;
  const std::uint32_t block = is_query && config_.gated_attention ? 2 * own : own;
  const MatmulRange range{rows.begin, rows.end, block * n_tiles, (block + 1) * n_tiles};
  kernels_.matmul(projection.matrix, {normed_.data(), &quantized_}, range, out, stride,
                  Epilogue::kStore);
  widen({layer, is_query ? AdaptedMatrix::kQuery
                : is_key ? AdaptedMatrix::kKey
                         : AdaptedMatrix::kValue},
        range, out, stride);
  const std::vector<float>& norm = is_query ? w.query_norm : w.key_norm;
  const bool normed = config_.head_norm == HeadNorm::kHead && (is_query || is_key);
  for (std::uint32_t row = rows.begin; row < rows.end; ++row, out += stride) {
    if (!projection.bias.empty()) add_to(out, projection.bias.data() + std::size_t{block} * d, d);
    if (all_heads) continue;
    if (normed) kernels_.rms_norm(out, norm.data(), d, config_.norm_eps, out);
    if (is_query || is_key) rotate_head(layer, row, is_query ? config_.attention_scale : 1.0F, out);
    if (is_query) continue;
    const auto store = is_key ? page_kernels_.store_key : page_kernels_.store_value;
    store(out, d, places_[row].slot, places_[row].page + head_offset(layer, kv_head));
  }
}

// A head's gate follows it in the matrix.
void Transformer::project_gate(std::uint32_t layer, std::uint32_t head, const Rows& rows) {
  const Projection& query = layers_[layer].query;
  const std::uint32_t d = config_.head_dim;
  const std::uint32_t n_tiles = d / kTileRows;
  const std::uint32_t block = 2 * head + 1;
  float* out = gates_.data() + std::size_t{rows.begin} * query_dim() + std::size_t{head} * d;
  const MatmulRange range{rows.begin, rows.end, block * n_tiles, (block + 1) * n_tiles};
  kernels_.matmul(query.matrix, {normed_.data(), &quantized_}, range, out, query_dim(),
                  Epilogue::kStore);
  widen({layer, AdaptedMatrix::kQuery}, range, out, query_dim());
  if (query.bias.empty()) return;
  for (std::uint32_t row = rows.begin; row < rows.end; ++row, out += query_dim()) {
    add_to(out, query.bias.data() + std::size_t{block} * d, d);
  }
}

// What project_head leaves to do where a norm spans all heads.
void Transformer::normalize_all_heads(std::uint32_t layer) {
  const LayerWeights& w = layers_[layer];
  const std::uint32_t d = config_.head_dim;
  pool_.run(n_tokens_, [&](std::uint32_t row, unsigned) {
    float* query = queries_.data() + std::size_t{row} * query_dim();
    float* key = keys_.data() + std::size_t{row} * kv_dim();
    kernels_.rms_norm(query, w.query_norm.data(), query_dim(), config_.norm_eps, query);
    kernels_.rms_norm(key, w.key_norm.data(), kv_dim(), config_.norm_eps, key);
    for (std::uint32_t head = 0; head < config_.n_heads; ++head) {
      rotate_head(layer, row, config_.attention_scale, query + std::size_t{head} * d);
    }
    for (std::uint32_t head = 0; head < config_.n_kv_heads; ++head) {
      rotate_head(layer, row, 1.0F, key + std::size_t{head} * d);
      page_kernels_.store_key(key + std::size_t{head} * d, d, places_[row].slot,
                              places_[row].page + head_offset(layer, head));
    }
  });
}

// A whole's queries are its own columns of its rows, so who ends it gates and quantizes what it
// wrote; blocks that would span two wholes (a head's width times its group is no multiple of 32)
// wait for all.
void Transformer::attend(std::uint32_t layer) {
  const std::uint32_t n = query_dim();
  const std::uint32_t group_dim = n / config_.n_kv_heads;
  const bool apart = group_dim % kBlockCols == 0;
  quantized_.n_cols = n;
  AttentionPlan& plan = attention_[plan_of(layer)];
  const std::vector<float>& sinks = layers_[layer].sinks;
  const auto pieces = plan.pieces();
  pool_.run(static_cast<std::uint32_t>(pieces.size()), [&](std::uint32_t index, unsigned worker) {
    const AttentionPlan::Piece& piece = pieces[index];
    AttentionTask task = plan.task(piece);
    const std::uint32_t kv_head = plan.kv_head(piece);
    task.page_offset = head_offset(layer, kv_head);
    if (!sinks.empty()) task.sinks = sinks.data() + std::size_t{kv_head} * task.n_group;
    task.scratch = scratch_[worker].data();
    page_kernels_.attend(task);
    if (!plan.end(piece)) return;
    if (task.parts != nullptr) kernels_.merge_attention(task);
    if (!apart) return;
    const auto at = static_cast<std::size_t>(task.out - attended_.data());
    for (std::uint32_t t = 0; t < task.n_tokens; ++t) {
      float* const out = task.out + std::size_t{t} * n;
      if (config_.gated_attention) kernels_.sigmoid_mul(&gates_[at + t * n], out, group_dim, out);
      quantize(kernels_, out, group_dim, quantized_, at / n + t, at % n);
    }
  });
  for (std::size_t row = 0; row < n_tokens_ && !apart; ++row) {
    float* const out = attended_.data() + row * n;
    if (config_.gated_attention) kernels_.sigmoid_mul(&gates_[row * n], out, n, out);
    quantize(kernels_, out, n, quantized_, row);
  }
}

std::uint32_t Transformer::gate_tiles_per_task(std::uint32_t n_rows) const {
  // Two tiles make a block of the activations that they give.
  constexpr std::uint32_t kTilesOfManyRows = 8;
  const std::uint32_t n_pairs = config_.d_ff / kBlockCols;
  const std::uint32_t share = 2 * std::max(1U, n_pairs / (pool_.n_threads() * kTasksPerThread));
  return n_rows > kFewRows ? std::min(kTilesOfManyRows, share) : share;
}

// activation(gate) * up into hidden_, quantized: a task finishes the columns that it computes.
void Transformer::gate_and_up(const FeedForward& w, const MatmulInput& in, const Rows& rows,
                              std::optional<std::uint32_t> adapted_layer) {
  const std::uint32_t d = config_.d_ff;
  const std::uint32_t n_tiles = d / kTileRows;
  const std::uint32_t per_task = gate_tiles_per_task(rows.end - rows.begin);
  const auto activate = config_.activation == Activation::kSilu   ? kernels_.silu_mul
                        : config_.activation == Activation::kGelu ? kernels_.gelu_mul
                                                                  : kernels_.clamped_silu_mul;
  quantized_hidden_.n_cols = d;
  pool_.run((n_tiles + per_task - 1) / per_task, [&](std::uint32_t task, unsigned worker) {
    const std::uint32_t tile = task * per_task;
    const std::uint32_t end = std::min(tile + per_task, n_tiles);
    const std::uint32_t n_cols = (end - tile) * kTileRows;
    const std::size_t column = std::size_t{tile} * kTileRows;
    for (std::uint32_t first = rows.begin; first < rows.end; first += kRowBlock) {
      const std::uint32_t last = std::min(first + kRowBlock, rows.end);
      float* gate = scratch_[worker].data();
      float* up = gate + std::size_t{last - first} * n_cols;
      const MatmulRange range{first, last, tile, end};
      kernels_.matmul(w.gate.matrix, in, range, gate, n_cols, Epilogue::kStore);
      kernels_.matmul(w.up.matrix, in, range, up, n_cols, Epilogue::kStore);
      if (adapted_layer) {
        widen({*adapted_layer, AdaptedMatrix::kGate}, range, gate, n_cols);
        widen({*adapted_layer, AdaptedMatrix::kUp}, range, up, n_cols);
      }
      for (std::size_t row = first; row < last; ++row, gate += n_cols, up += n_cols) {
        if (!w.gate.bias.empty()) add_to(gate, w.gate.bias.data() + column, n_cols);
        if (!w.up.bias.empty()) add_to(up, w.up.bias.data() + column, n_cols);
        float* out = hidden_.data() + row * d + column;
        activate(gate, up, n_cols, out);
        quantize(kernels_, out, n_cols, quantized_hidden_, row, column);
      }
    }
  });
}

// A product of some rows, its tiles shared out over the threads; out is [rows.end, its rows].
void Transformer::multiply(const Rows& rows, const MatmulInput& in, const PackedMatrix& weights,
                           float* out, Epilogue epilogue) {
  const std::uint32_t n_tiles = weights.n_tiles();
  const std::uint32_t per_task = std::max(1U, n_tiles / (pool_.n_threads() * kTasksPerThread));
  float* first = out + std::size_t{rows.begin} * weights.n_rows();
  pool_.run((n_tiles + per_task - 1) / per_task, [&](std::uint32_t task, unsigned) {
    const std::uint32_t begin = task * per_task;
    const std::uint32_t end = std::min(begin + per_task, n_tiles);
    kernels_.matmul(weights, in, {rows.begin, rows.end, begin, end},
                    first + std::size_t{begin} * kTileRows, weights.n_rows(), epilogue);
  });
}

void Transformer::project_logits(std::span<const SequenceChunk> chunks, std::span<float> logits) {
  const std::size_t d = config_.d_model;
  std::uint32_t n_rows = 0;
  for (const SequenceChunk& chunk : chunks) n_rows += chunk.n_logits;
  if (n_rows == 0) return;
  grow(last_, n_rows * d);
  grow(normed_, n_rows * d);
  std::size_t chunk_end = 0;
  float* to = last_.data();
  for (const SequenceChunk& chunk : chunks) {
    chunk_end += chunk.tokens.size();
    std::memcpy(to, residual_.data() + (chunk_end - chunk.n_logits) * d,
                chunk.n_logits * d * sizeof(float));
    to += chunk.n_logits * d;
  }
  normalize(last_.data(), n_rows, output_norm_);
  if (gives_states_) {
    std::memcpy(logits.data(), normed_.data(), n_rows * d * sizeof(float));
    return lap(StepPart::kOutput);
  }
  show(ProductInput::kOutput, 0, 0, normed_, {0, n_rows}, config_.d_model);
  const PackedMatrix& output = output_ ? *output_ : embedding_;
  multiply({0, n_rows}, {normed_.data(), &quantized_}, output, logits.data(), Epilogue::kStore);
  finish_logits(logits.first(std::size_t{n_rows} * config_.n_vocab));
  lap(StepPart::kOutput, n_rows, {&output});
}

void Transformer::finish_logits(std::span<float> logits) {
  const float scale = config_.logit_scale;
  const float cap = config_.logit_cap;
  if (scale == 1.0F && cap == 0.0F) return;
  constexpr std::size_t kLogitsPerTask = 8192;
  const auto n_tasks =
      static_cast<std::uint32_t>((logits.size() + kLogitsPerTask - 1) / kLogitsPerTask);
  pool_.run(n_tasks, [&](std::uint32_t task, unsigned) {
    const std::size_t begin = task * kLogitsPerTask;
    const auto part = logits.subspan(begin, std::min(kLogitsPerTask, logits.size() - begin));
    for (float& logit : part) logit *= scale;
    if (cap == 0.0F) return;
    for (float& logit : part) {
      // Past 40 the tangent is 1 to every bit.
      const float x = std::clamp(2 * logit / cap, -80.0F, 80.0F);
      logit = cap * (1 - 2 / (exact_exp_f32(x) + 1));
    }
  });
}

}  // namespace jarip
