#include "model/transformer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

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

std::vector<float> read_optional(const GgufTensor* tensor) {
  return tensor == nullptr ? std::vector<float>{} : read_vector(*tensor);
}

// How the matrices of a model are packed.
struct Packer {
  ThreadPool& pool;
  const PackedMatrix::OnRead& on_read;

  Result<PackedMatrix> operator()(const GgufTensor* tensor) const {
    return PackedMatrix::pack(tensor->format, tensor->data,
                              static_cast<std::uint32_t>(tensor->shape[1]),
                              static_cast<std::uint32_t>(tensor->shape[0]), pool, on_read);
  }
};

Result<LayerWeights> load_layer(const LayerTensors& tensors, const Packer& pack) {
  LayerWeights out;
  out.attention_norm = read_vector(*tensors.attention_norm);
  out.ff_norm = read_vector(*tensors.ff_norm);
  JARIP_TRY(out.query, pack(tensors.query));
  JARIP_TRY(out.key, pack(tensors.key));
  JARIP_TRY(out.value, pack(tensors.value));
  JARIP_TRY(out.attention_out, pack(tensors.attention_out));
  JARIP_TRY(out.gate, pack(tensors.gate));
  JARIP_TRY(out.up, pack(tensors.up));
  JARIP_TRY(out.down, pack(tensors.down));
  return out;
}

std::size_t layer_bytes(const LayerWeights& layer) {
  std::size_t sum = (layer.attention_norm.size() + layer.ff_norm.size()) * sizeof(float);
  for (const PackedMatrix* matrix : {&layer.query, &layer.key, &layer.value, &layer.attention_out,
                                     &layer.gate, &layer.up, &layer.down}) {
    sum += matrix->memory_bytes();
  }
  return sum;
}

}  // namespace

Transformer::Transformer(const ModelConfig& config, const ModelTensors& tensors, ThreadPool& pool,
                         const Kernels& kernels, KvFormat kv_format)
    : config_(config),
      pool_(pool),
      kernels_(kernels),
      page_kernels_(kernels.pages_of(kv_format)),
      kv_head_(kv_head_layout(kv_format, config.head_dim)),
      rope_(config, read_optional(tensors.rope_factors)),
      output_norm_(read_vector(*tensors.output_norm)),
      scratch_(pool.n_threads()) {}

Result<std::unique_ptr<Model>> Transformer::load(const ModelConfig& config,
                                                 const ModelTensors& tensors, ThreadPool& pool,
                                                 const LoadOptions& options,
                                                 const PackedMatrix::OnRead& on_read) {
  JARIP_TRY(const Kernels* kernels, select_kernels());
  std::unique_ptr<Transformer> model(
      new Transformer(config, tensors, pool, *kernels, options.kv_format));
  const Packer pack{pool, on_read};
  const auto report = [&](std::size_t n_done) {
    if (options.on_progress == nullptr) return;
    options.on_progress(options.progress_context,
                        static_cast<float>(n_done) / static_cast<float>(config.n_layers + 1));
  };
  JARIP_TRY(model->embedding_, pack(tensors.embedding));
  if (!config.tied_embedding) {
    JARIP_TRY(model->output_, pack(tensors.output));
  }
  report(1);
  for (const LayerTensors& layer : tensors.layers) {
    JARIP_TRY(model->layers_.emplace_back(), load_layer(layer, pack));
    report(model->layers_.size() + 1);
  }
  return model;
}

std::size_t Transformer::head_offset(std::uint32_t layer, std::uint32_t kv_head) const {
  return (std::size_t{layer} * config_.n_kv_heads + kv_head) * kv_head_.n_bytes;
}

std::size_t Transformer::kv_page_bytes() const { return head_offset(config_.n_layers, 0); }

std::size_t Transformer::memory_bytes() const {
  std::size_t sum = embedding_.memory_bytes() + (output_ ? output_->memory_bytes() : 0);
  for (const LayerWeights& layer : layers_) sum += layer_bytes(layer);
  for (const auto* scratch :
       {&angles_, &residual_, &normed_, &queries_, &attended_, &hidden_, &last_}) {
    sum += scratch->size() * sizeof(float);
  }
  for (const auto& scratch : scratch_) sum += scratch.size() * sizeof(float);
  for (const QuantizedRows* rows : {&quantized_, &quantized_hidden_}) {
    sum += rows->values.size() + rows->blocks.size() * sizeof(ActivationBlock);
  }
  return sum;
}

void Transformer::step(std::span<const SequenceChunk> chunks, const KvMemory& kv,
                       std::span<float> logits) {
  if (profile_ != nullptr) profile_->start();
  plan(chunks, kv);
  lap(StepPart::kPlan);
  embed(chunks);
  lap(StepPart::kEmbed);
  for (std::uint32_t layer = 0; layer < config_.n_layers; ++layer) run_layer(layer);
  project_logits(chunks, logits);
}

void Transformer::run_layer(std::uint32_t layer) {
  const LayerWeights& w = layers_[layer];
  float* residual = residual_.data();
  normalize(residual, n_tokens_, w.attention_norm);
  lap(StepPart::kNorm);
  project_heads(layer);
  lap(StepPart::kQkv, n_tokens_, {&w.query, &w.key, &w.value});
  attend(layer);
  lap_attention();
  multiply(n_tokens_, {attended_.data(), &quantized_}, w.attention_out, residual, Epilogue::kAdd);
  lap(StepPart::kAttentionOut, n_tokens_, {&w.attention_out});

  normalize(residual, n_tokens_, w.ff_norm);
  lap(StepPart::kNorm);
  gate_and_up(w);
  lap(StepPart::kGateUp, n_tokens_, {&w.gate, &w.up});
  multiply(n_tokens_, {hidden_.data(), &quantized_hidden_}, w.down, residual, Epilogue::kAdd);
  lap(StepPart::kDown, n_tokens_, {&w.down});
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
void Transformer::lap_attention() {
  if (profile_ == nullptr) return;
  StepWork work;
  for (const AttentionTask& task : attention_.wholes()) {
    const double n_seen = task.n_tokens * (task.position + (task.n_tokens + 1) / 2.0);
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
  grow(residual_, std::size_t{n_tokens_} * config_.d_model);
  grow(normed_, std::size_t{n_tokens_} * config_.d_model);
  grow(queries_, std::size_t{n_tokens_} * query_dim());
  grow(attended_, std::size_t{n_tokens_} * query_dim());
  grow(hidden_, std::size_t{n_tokens_} * config_.d_ff);
  grow(angles_, n_tokens_ * rope_.n_angles());
  quantized_.resize(n_tokens_, std::max(config_.d_model, query_dim()));
  quantized_hidden_.resize(n_tokens_, config_.d_ff);
  const std::size_t block = std::min(n_tokens_, kRowBlock);
  for (auto& scratch : scratch_) {
    grow(scratch, std::max({attention_scratch_floats(config_.head_dim), block * config_.head_dim,
                            2 * block * gate_tiles_per_task() * kTileRows}));
  }

  places_.clear();
  page_pointers_.clear();
  page_pointers_.reserve(n_pages);  // pointers into it are kept below
  attention_.clear();
  const std::uint32_t n_group = config_.n_heads / config_.n_kv_heads;
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
      rope_.angles(position, std::span(angles_).subspan((first_row + t) * rope_.n_angles()));
    }
    for (std::uint32_t t = 0; t < n;) {
      const std::uint32_t position = chunk.position + t;
      const std::uint32_t count = std::min(
          {n - t, kMaxAttentionQueries / n_group, kAttentionRange - position % kAttentionRange});
      for (std::uint32_t head = 0; head < config_.n_kv_heads; ++head) {
        const std::size_t column = std::size_t{head} * n_group * config_.head_dim;
        const std::size_t at = std::size_t{first_row + t} * query_dim() + column;
        attention_.add(
            {queries_.data() + at, attended_.data() + at, query_dim(), query_dim(), count, n_group,
             config_.head_dim, position, pages, 0, nullptr, 0, position + count, nullptr},
            head);
      }
      t += count;
    }
  }
  attention_.cut(pool_.n_threads());
}

void Transformer::embed(std::span<const SequenceChunk> chunks) {
  std::size_t row = 0;
  for (const SequenceChunk& chunk : chunks) {
    for (const TokenId token : chunk.tokens) {
      embedding_.unpack_row(token,
                            std::span(residual_).subspan(row++ * config_.d_model, config_.d_model));
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
      kernels_.rms_norm(x + row * d, weight.data(), d, config_.norm_eps, out);
      kernels_.quantize_row(out, d, quantized_.values.data() + row * d,
                            quantized_.blocks.data() + row * (d / kBlockCols));
    }
  });
}

// Heads of q, then of k, then of v. A task takes the same heads of block after block of rows, so
// that their weights stay where they are.
void Transformer::project_heads(std::uint32_t layer) {
  const std::uint32_t n_heads = config_.n_heads + 2 * config_.n_kv_heads;
  const std::uint32_t per_task =
      n_tokens_ > kFewRows ? 1 : std::max(1U, n_heads / (pool_.n_threads() * kTasksPerThread));
  pool_.run((n_heads + per_task - 1) / per_task, [&](std::uint32_t task, unsigned worker) {
    const std::uint32_t end = std::min((task + 1) * per_task, n_heads);
    for (std::uint32_t head = task * per_task; head < end; ++head) {
      for (std::uint32_t row = 0; row < n_tokens_; row += kRowBlock) {
        project_head(layer, head, {row, std::min(row + kRowBlock, n_tokens_)},
                     scratch_[worker].data());
      }
    }
  });
}

void Transformer::project_head(std::uint32_t layer, std::uint32_t head, const Rows& rows,
                               float* scratch) {
  const LayerWeights& w = layers_[layer];
  const std::uint32_t d = config_.head_dim;
  const std::uint32_t n_tiles = d / kTileRows;
  const bool is_query = head < config_.n_heads;
  const std::uint32_t kv_head = is_query ? 0 : (head - config_.n_heads) % config_.n_kv_heads;
  const bool is_key = !is_query && head < config_.n_heads + config_.n_kv_heads;
  const std::uint32_t tile = (is_query ? head : kv_head) * n_tiles;
  float* out = is_query
                   ? queries_.data() + std::size_t{rows.begin} * query_dim() + std::size_t{head} * d
                   : scratch;
  const std::size_t stride = is_query ? query_dim() : d;
  kernels_.matmul(is_query ? w.query
                  : is_key ? w.key
                           : w.value,
                  {normed_.data(), &quantized_}, {rows.begin, rows.end, tile, tile + n_tiles}, out,
                  stride, Epilogue::kStore);
  const float query_scale = 1.0F / std::sqrt(static_cast<float>(d));
  for (std::uint32_t row = rows.begin; row < rows.end; ++row, out += stride) {
    if (is_query || is_key) {
      const auto angles = std::span<const float>(angles_).subspan(row * rope_.n_angles());
      kernels_.rotate(rope_.rotation(angles, d), is_query ? query_scale : 1.0F, out);
    }
    if (is_query) continue;
    const auto store = is_key ? page_kernels_.store_key : page_kernels_.store_value;
    store(out, d, places_[row].slot, places_[row].page + head_offset(layer, kv_head));
  }
}

// A whole's queries are its own columns of its rows, so who ends it quantizes what it wrote; blocks
// that would span two wholes (a head's width times its group is no multiple of 32) wait for all.
void Transformer::attend(std::uint32_t layer) {
  const std::uint32_t n = query_dim();
  const std::uint32_t group_dim = n / config_.n_kv_heads;
  const bool apart = group_dim % kBlockCols == 0;
  quantized_.n_cols = n;
  const auto quantize = [&](std::size_t row, std::uint32_t column, std::uint32_t n_cols) {
    kernels_.quantize_row(attended_.data() + row * n + column, n_cols,
                          quantized_.values.data() + row * n + column,
                          quantized_.blocks.data() + (row * n + column) / kBlockCols);
  };
  const auto pieces = attention_.pieces();
  pool_.run(static_cast<std::uint32_t>(pieces.size()), [&](std::uint32_t index, unsigned worker) {
    const AttentionPlan::Piece& piece = pieces[index];
    AttentionTask task = attention_.task(piece);
    task.page_offset = head_offset(layer, attention_.kv_head(piece));
    task.scratch = scratch_[worker].data();
    page_kernels_.attend(task);
    if (!attention_.end(piece)) return;
    if (task.parts != nullptr) kernels_.merge_attention(task);
    if (!apart) return;
    const auto at = static_cast<std::size_t>(task.out - attended_.data());
    for (std::uint32_t t = 0; t < task.n_tokens; ++t) {
      quantize(at / n + t, static_cast<std::uint32_t>(at % n), group_dim);
    }
  });
  for (std::size_t row = 0; row < n_tokens_ && !apart; ++row) quantize(row, 0, n);
}

std::uint32_t Transformer::gate_tiles_per_task() const {
  // Two tiles make a block of the activations that they give.
  constexpr std::uint32_t kTilesOfManyRows = 8;
  const std::uint32_t n_pairs = config_.d_ff / kBlockCols;
  const std::uint32_t share = 2 * std::max(1U, n_pairs / (pool_.n_threads() * kTasksPerThread));
  return n_tokens_ > kFewRows ? std::min(kTilesOfManyRows, share) : share;
}

// silu(gate) * up into hidden_, quantized: a task finishes the columns that it computes.
void Transformer::gate_and_up(const LayerWeights& w) {
  const std::uint32_t d = config_.d_ff;
  const std::uint32_t n_tiles = d / kTileRows;
  const std::uint32_t per_task = gate_tiles_per_task();
  quantized_hidden_.n_cols = d;
  pool_.run((n_tiles + per_task - 1) / per_task, [&](std::uint32_t task, unsigned worker) {
    const std::uint32_t tile = task * per_task;
    const std::uint32_t end = std::min(tile + per_task, n_tiles);
    const std::uint32_t n_cols = (end - tile) * kTileRows;
    const std::size_t column = std::size_t{tile} * kTileRows;
    for (std::uint32_t first = 0; first < n_tokens_; first += kRowBlock) {
      const std::uint32_t last = std::min(first + kRowBlock, n_tokens_);
      const MatmulInput in{normed_.data(), &quantized_};
      float* gate = scratch_[worker].data();
      float* up = gate + std::size_t{last - first} * n_cols;
      kernels_.matmul(w.gate, in, {first, last, tile, end}, gate, n_cols, Epilogue::kStore);
      kernels_.matmul(w.up, in, {first, last, tile, end}, up, n_cols, Epilogue::kStore);
      for (std::size_t row = first; row < last; ++row, gate += n_cols, up += n_cols) {
        float* out = hidden_.data() + row * d + column;
        kernels_.silu_mul(gate, up, n_cols, out);
        kernels_.quantize_row(out, n_cols, quantized_hidden_.values.data() + row * d + column,
                              quantized_hidden_.blocks.data() + (row * d + column) / kBlockCols);
      }
    }
  });
}

// A product of the whole step, its tiles shared out over the threads; out is [n_rows, its rows].
void Transformer::multiply(std::uint32_t n_rows, const MatmulInput& in, const PackedMatrix& weights,
                           float* out, Epilogue epilogue) {
  const std::uint32_t n_tiles = weights.n_tiles();
  const std::uint32_t per_task = std::max(1U, n_tiles / (pool_.n_threads() * kTasksPerThread));
  pool_.run((n_tiles + per_task - 1) / per_task, [&](std::uint32_t task, unsigned) {
    const std::uint32_t begin = task * per_task;
    const std::uint32_t end = std::min(begin + per_task, n_tiles);
    kernels_.matmul(weights, in, {0, n_rows, begin, end}, out + std::size_t{begin} * kTileRows,
                    weights.n_rows(), epilogue);
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
  const PackedMatrix& output = output_ ? *output_ : embedding_;
  multiply(n_rows, {normed_.data(), &quantized_}, output, logits.data(), Epilogue::kStore);
  lap(StepPart::kOutput, n_rows, {&output});
}

}  // namespace jarip
