#include "model/transformer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace jarip {
namespace {

// Rows that one task of a row-wise loop takes: enough to be worth handing over.
constexpr std::uint32_t kRowsPerTask = 4;
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
                         const Kernels& kernels)
    : config_(config),
      pool_(pool),
      kernels_(kernels),
      rope_(config, read_optional(tensors.rope_factors)),
      output_norm_(read_vector(*tensors.output_norm)),
      attention_scratch_(pool.n_threads()) {
  for (auto& scratch : attention_scratch_) {
    scratch.resize(attention_scratch_floats(config.head_dim));
  }
}

Result<std::unique_ptr<Model>> Transformer::load(const ModelConfig& config,
                                                 const ModelTensors& tensors, ThreadPool& pool,
                                                 const LoadOptions& options,
                                                 const PackedMatrix::OnRead& on_read) {
  JARIP_TRY(const Kernels* kernels, select_kernels());
  std::unique_ptr<Transformer> model(new Transformer(config, tensors, pool, *kernels));
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

std::size_t Transformer::head_bytes() const {
  return std::size_t{config_.head_dim} * kKvPageTokens * 2 * sizeof(std::uint16_t);
}

std::size_t Transformer::head_offset(std::uint32_t layer, std::uint32_t kv_head) const {
  return (std::size_t{layer} * config_.n_kv_heads + kv_head) * head_bytes();
}

std::size_t Transformer::kv_page_bytes() const { return head_offset(config_.n_layers, 0); }

std::size_t Transformer::memory_bytes() const {
  std::size_t sum = embedding_.memory_bytes() + (output_ ? output_->memory_bytes() : 0);
  for (const LayerWeights& layer : layers_) sum += layer_bytes(layer);
  for (const auto* scratch :
       {&angles_, &residual_, &normed_, &qkv_, &attended_, &gate_, &up_, &last_}) {
    sum += scratch->size() * sizeof(float);
  }
  return sum + quantized_.values.size() + quantized_.blocks.size() * sizeof(ActivationBlock);
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
  float* qkv = qkv_.data();
  normalize(residual_.data(), n_tokens_, w.attention_norm);
  lap(StepPart::kNorm);
  multiply(n_tokens_, normed_.data(),
           {{&w.query, qkv, qkv_dim()},
            {&w.key, qkv + query_dim(), qkv_dim()},
            {&w.value, qkv + query_dim() + kv_dim(), qkv_dim()}});
  lap(StepPart::kQkv, n_tokens_, {&w.query, &w.key, &w.value});
  rotate_and_store(layer);
  lap(StepPart::kRope);
  attend(layer);
  lap_attention();
  quantize(attended_.data(), n_tokens_, query_dim());
  multiply(n_tokens_, attended_.data(),
           {{&w.attention_out, residual_.data(), config_.d_model, Epilogue::kAdd}});
  lap(StepPart::kAttentionOut, n_tokens_, {&w.attention_out});

  normalize(residual_.data(), n_tokens_, w.ff_norm);
  lap(StepPart::kNorm);
  multiply(n_tokens_, normed_.data(),
           {{&w.gate, gate_.data(), config_.d_ff}, {&w.up, up_.data(), config_.d_ff}});
  lap(StepPart::kGateUp, n_tokens_, {&w.gate, &w.up});
  activate();
  lap(StepPart::kActivate);
  multiply(n_tokens_, gate_.data(), {{&w.down, residual_.data(), config_.d_model, Epilogue::kAdd}});
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
  for (const AttentionTask& task : attention_) {
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
  grow(qkv_, std::size_t{n_tokens_} * qkv_dim());
  grow(attended_, std::size_t{n_tokens_} * query_dim());
  grow(gate_, std::size_t{n_tokens_} * config_.d_ff);
  grow(up_, std::size_t{n_tokens_} * config_.d_ff);
  grow(angles_, n_tokens_ * rope_.n_angles());

  places_.clear();
  page_pointers_.clear();
  page_pointers_.reserve(n_pages);  // pointers into it are kept below
  attention_.clear();
  task_kv_head_.clear();
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
        attention_.push_back({qkv_.data() + std::size_t{first_row + t} * qkv_dim() + column,
                              attended_.data() + std::size_t{first_row + t} * query_dim() + column,
                              qkv_dim(), query_dim(), count, n_group, config_.head_dim, position,
                              pages, 0, nullptr});
        task_kv_head_.push_back(head);
      }
      t += count;
    }
  }
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

void Transformer::quantize(const float* x, std::uint32_t n_rows, std::uint32_t n_cols) {
  quantized_.resize(n_rows, n_cols);
  pool_.run((n_rows + kRowsPerTask - 1) / kRowsPerTask, [&](std::uint32_t task, unsigned) {
    const std::size_t end = std::min((task + 1) * kRowsPerTask, n_rows);
    for (std::size_t row = task * kRowsPerTask; row < end; ++row) {
      kernels_.quantize_row(x + row * n_cols, n_cols, quantized_.values.data() + row * n_cols,
                            quantized_.blocks.data() + row * (n_cols / kBlockCols));
    }
  });
}

// silu(gate) * up into gate_, quantized for the next product.
void Transformer::activate() {
  const std::uint32_t d = config_.d_ff;
  quantized_.resize(n_tokens_, d);
  pool_.run((n_tokens_ + kRowsPerTask - 1) / kRowsPerTask, [&](std::uint32_t task, unsigned) {
    const std::size_t end = std::min((task + 1) * kRowsPerTask, n_tokens_);
    for (std::size_t row = task * kRowsPerTask; row < end; ++row) {
      float* gate = gate_.data() + row * d;
      kernels_.silu_mul(gate, up_.data() + row * d, d, gate);
      kernels_.quantize_row(gate, d, quantized_.values.data() + row * d,
                            quantized_.blocks.data() + row * (d / kBlockCols));
    }
  });
}

void Transformer::rotate_and_store(std::uint32_t layer) {
  const std::uint32_t head_dim = config_.head_dim;
  const float query_scale = 1.0F / std::sqrt(static_cast<float>(head_dim));
  pool_.run((n_tokens_ + kRowsPerTask - 1) / kRowsPerTask, [&](std::uint32_t task, unsigned) {
    const std::uint32_t end = std::min((task + 1) * kRowsPerTask, n_tokens_);
    for (std::uint32_t row = task * kRowsPerTask; row < end; ++row) {
      float* queries = qkv_.data() + std::size_t{row} * qkv_dim();
      float* keys = queries + query_dim();
      const float* values = keys + kv_dim();
      const Rotation rotation =
          rope_.rotation(std::span(angles_).subspan(row * rope_.n_angles()), head_dim);
      for (std::uint32_t head = 0; head < config_.n_heads; ++head) {
        kernels_.rotate(rotation, query_scale, queries + std::size_t{head} * head_dim);
      }
      for (std::uint32_t head = 0; head < config_.n_kv_heads; ++head) {
        const std::size_t column = std::size_t{head} * head_dim;
        std::byte* page = places_[row].page + head_offset(layer, head);
        kernels_.rotate(rotation, 1.0F, keys + column);
        kernels_.store_key(keys + column, head_dim, places_[row].slot, page);
        kernels_.store_value(values + column, head_dim, places_[row].slot, page);
      }
    }
  });
}

void Transformer::attend(std::uint32_t layer) {
  pool_.run(static_cast<std::uint32_t>(attention_.size()),
            [&](std::uint32_t index, unsigned worker) {
              AttentionTask task = attention_[index];
              task.page_offset = head_offset(layer, task_kv_head_[index]);
              task.scratch = attention_scratch_[worker].data();
              kernels_.attend(task);
            });
}

// All products read the same rows; their tiles are shared out over the threads as one list.
void Transformer::multiply(std::uint32_t n_rows, const float* rows,
                           std::initializer_list<Product> products) {
  std::uint32_t n_tiles = 0;
  for (const Product& product : products) n_tiles += product.weights->n_tiles();
  const std::uint32_t per_task = std::max(1U, n_tiles / (pool_.n_threads() * kTasksPerThread));
  const MatmulInput in{rows, &quantized_};
  pool_.run((n_tiles + per_task - 1) / per_task, [&](std::uint32_t task, unsigned) {
    std::uint32_t begin = task * per_task;
    std::uint32_t end = std::min(begin + per_task, n_tiles);
    for (const Product& product : products) {
      const std::uint32_t n = product.weights->n_tiles();
      if (begin < std::min(end, n)) {
        kernels_.matmul(*product.weights, in, {0, n_rows, begin, std::min(end, n)}, product.out,
                        product.stride, product.epilogue);
      }
      if (end <= n) return;
      begin = begin > n ? begin - n : 0;
      end -= n;
    }
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
  multiply(n_rows, normed_.data(), {{&output, logits.data(), config_.n_vocab}});
  lap(StepPart::kOutput, n_rows, {&output});
}

}  // namespace jarip
