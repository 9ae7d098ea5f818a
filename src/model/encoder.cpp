#include "model/encoder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "model/model.h"

namespace jarip {
namespace {

// Rows that one task of a row-wise loop takes: enough to be worth handing over.
constexpr std::uint32_t kRowsPerTask = 4;
// Rows whose products are finished while they are still in the caches of the core that computed
// them. A multiple of what the kernels take at once.
constexpr std::uint32_t kRowBlock = 96;
// Tasks for each thread in a matrix product, so that a slow thread leaves little to wait for.
constexpr std::uint32_t kTasksPerThread = 4;

void grow(std::vector<float>& scratch, std::size_t n) {
  if (scratch.size() < n) scratch.resize(n);
}

void add_to(float* out, const float* x, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) out[i] += x[i];
}

}  // namespace

Encoder::Encoder(const EncoderConfig& config, const EncoderTensors& tensors, ThreadPool& pool,
                 const Kernels& kernels)
    : shape_(config.shape),
      pool_(pool),
      kernels_(kernels),
      page_kernels_(kernels.pages_of(KvFormat::kF16)),
      kv_head_(kv_head_layout(KvFormat::kF16, config.shape.head_dim)),
      types_(tensors.types),
      positions_(tensors.positions),
      embedding_norm_(tensors.embedding_norm),
      scratch_(pool.n_threads()) {
  if (config.family->rotates) rope_.emplace(shape_, shape_.rope, std::span<const float>());
}

Result<Encoder::Layer> Encoder::load_layer(const EncoderLayerTensors& tensors, Packer& pack) {
  Layer layer;
  JARIP_TRY(layer.query, load_projection(tensors.heads.query, pack));
  JARIP_TRY(layer.key, load_projection(tensors.heads.key, pack));
  JARIP_TRY(layer.value, load_projection(tensors.heads.value, pack));
  JARIP_TRY(layer.attention_out, load_projection(tensors.attention_out, pack));
  if (tensors.gate.matrix.n_rows != 0) {
    JARIP_TRY(layer.gate, load_projection(tensors.gate, pack));
  }
  JARIP_TRY(layer.up, load_projection(tensors.up, pack));
  JARIP_TRY(layer.down, load_projection(tensors.down, pack));
  layer.attention_norm = tensors.attention_norm;
  layer.ff_norm = tensors.ff_norm;
  return layer;
}

Result<std::unique_ptr<EmbeddingModel>> Encoder::load(const EncoderConfig& config,
                                                      const EncoderTensors& tensors,
                                                      ThreadPool& pool,
                                                      const EmbeddingLoadOptions& options,
                                                      const PackedMatrix::OnRead& on_read) {
  JARIP_TRY(const Kernels* kernels, select_kernels());
  std::unique_ptr<Encoder> model(new Encoder(config, tensors, pool, *kernels));
  Packer pack{pool, on_read};
  const auto report = [&](std::size_t n_done) {
    if (options.on_progress == nullptr) return;
    options.on_progress(options.progress_context,
                        static_cast<float>(n_done) / static_cast<float>(tensors.layers.size() + 1));
  };
  JARIP_TRY(model->embedding_, pack(tensors.embedding));
  report(1);
  for (const EncoderLayerTensors& layer : tensors.layers) {
    JARIP_TRY(model->layers_.emplace_back(), load_layer(layer, pack));
    report(model->layers_.size() + 1);
  }
  if (tensors.rank_out.matrix.n_rows != 0) {
    JARIP_TRY(model->rank_, RankHead::load(tensors.rank_dense, tensors.rank_out, pack, *kernels));
  }
  model->quantized_.is_read = pack.quantizes;
  model->quantized_hidden_.is_read = pack.quantizes;
  const ModelConfig& shape = config.shape;
  const std::uint32_t wanted = options.n_ctx == 0 ? shape.n_ctx_train : options.n_ctx;
  model->facts_ = {.family = shape.family,
                   .name = shape.name,
                   .n_vocab = shape.n_vocab,
                   .n_ctx = std::min(wanted, shape.n_ctx_train),
                   .n_outputs = model->rank_ ? model->rank_->n_labels() : shape.d_model,
                   .pooling = shape.pooling};
  return model;
}

std::size_t Encoder::memory_bytes() const {
  std::size_t sum = embedding_.memory_bytes() + pages_.size() + (rank_ ? rank_->memory_bytes() : 0);
  for (const Layer& layer : layers_) {
    for (const Projection* projection :
         {&layer.query, &layer.key, &layer.value, &layer.attention_out, &layer.up, &layer.down}) {
      sum += projection->memory_bytes();
    }
    if (layer.gate) sum += layer.gate->memory_bytes();
  }
  for (const auto* floats : {&types_, &positions_, &angles_, &states_, &queries_, &attended_,
                             &gathered_, &mixed_, &hidden_, &vectors_}) {
    sum += floats->size() * sizeof(float);
  }
  for (const auto& scratch : scratch_) sum += scratch.size() * sizeof(float);
  for (const QuantizedRows* rows : {&quantized_, &quantized_hidden_}) {
    sum += rows->values.size() + rows->blocks.size() * sizeof(ActivationBlock);
  }
  return sum;
}

Result<void> Encoder::embed(std::span<const EmbeddingText> texts, std::span<float> out) {
  JARIP_CHECK(plan(texts));
  embed_tokens();
  for (const Layer& layer : layers_) run_layer(layer);
  if (!rank_) {
    pool_rows(texts, out);
    return {};
  }
  vectors_.resize(texts.size() * shape_.d_model);
  pool_rows(texts, vectors_);
  rank_->classify(vectors_, out);
  return {};
}

Result<void> Encoder::reserve_pages(std::size_t n_pages) {
  const std::size_t n_bytes = n_pages * shape_.n_heads * kv_head_.n_bytes;
  if (pages_.size() >= n_bytes) return {};
  pages_ = {};  // first, so that both are never held
  JARIP_TRY(pages_, AlignedBuffer::allocate(n_bytes));
  return {};
}

// Every token's place, and who sees whom.
Result<void> Encoder::plan(std::span<const EmbeddingText> texts) {
  std::size_t n_pages = 0;
  for (const EmbeddingText& text : texts) n_pages += (text.tokens.size() + 31) / kPageLanes;
  JARIP_CHECK(reserve_pages(n_pages));
  const std::size_t page_bytes = shape_.n_heads * kv_head_.n_bytes;
  page_pointers_.clear();
  for (std::size_t i = 0; i < n_pages; ++i) {
    page_pointers_.push_back(pages_.data() + i * page_bytes);
  }
  places_.clear();
  runs_.clear();
  std::byte* const* pages = page_pointers_.data();
  for (const EmbeddingText& text : texts) {
    const auto n = static_cast<std::uint32_t>(text.tokens.size());
    for (std::uint32_t i = 0; i < n; i += kMaxAttentionQueries) {
      runs_.push_back({.first_row = static_cast<std::uint32_t>(places_.size()) + i,
                       .n_rows = std::min(n - i, kMaxAttentionQueries),
                       .n_seen = n,
                       .pages = pages});
    }
    for (std::uint32_t i = 0; i < n; ++i) {
      const bool is_second = text.second != 0 && i >= text.second;
      places_.push_back({text.tokens[i], i, is_second ? 1U : 0U, pages[i / kPageLanes]});
    }
    pages += (n + kPageLanes - 1) / kPageLanes;
  }
  n_tokens_ = static_cast<std::uint32_t>(places_.size());
  reserve_scratch();
  return {};
}

std::uint32_t Encoder::up_tiles_per_task() const {
  // Two tiles make a block of the activations that they give.
  constexpr std::uint32_t kMostTiles = 8;
  const std::uint32_t n_pairs = shape_.d_ff / kBlockCols;
  return std::min(kMostTiles, 2 * std::max(1U, n_pairs / (pool_.n_threads() * kTasksPerThread)));
}

void Encoder::reserve_scratch() {
  const std::size_t n = n_tokens_;
  for (auto* floats : {&states_, &queries_, &attended_, &gathered_, &mixed_}) {
    grow(*floats, n * shape_.d_model);
  }
  grow(hidden_, n * shape_.d_ff);
  if (rope_) grow(angles_, n * rope_->n_angles());
  quantized_.resize(n, shape_.d_model);
  quantized_hidden_.resize(n, shape_.d_ff);
  const std::size_t block = std::min<std::size_t>(n, kRowBlock);
  for (auto& scratch : scratch_) {
    grow(scratch, std::max({attention_scratch_floats(shape_.head_dim), block * shape_.head_dim,
                            2 * block * up_tiles_per_task() * kTileRows}));
  }
}

void Encoder::embed_tokens() {
  const std::uint32_t d = shape_.d_model;
  pool_.run((n_tokens_ + kRowsPerTask - 1) / kRowsPerTask, [&](std::uint32_t task, unsigned) {
    const std::size_t end = std::min((task + 1) * kRowsPerTask, n_tokens_);
    for (std::size_t row = task * kRowsPerTask; row < end; ++row) {
      const TokenPlace& place = places_[row];
      const auto state = std::span(states_).subspan(row * d, d);
      embedding_.unpack_row(place.token, state);
      // A model of one type has only the first.
      const std::size_t type = types_.size() > d ? place.type : 0;
      if (!types_.empty()) add_to(state.data(), types_.data() + type * d, d);
      if (!positions_.empty()) {
        add_to(state.data(), positions_.data() + std::size_t{place.position} * d, d);
      }
      kernels_.layer_norm(state.data(), embedding_norm_.weight.data(), embedding_norm_.bias.data(),
                          d, shape_.norm_eps, state.data());
      quantize(kernels_, state.data(), d, quantized_, row);
      if (rope_) {
        rope_->angles(place.position,
                      std::span(angles_).subspan(row * rope_->n_angles(), rope_->n_angles()));
      }
    }
  });
}

void Encoder::run_layer(const Layer& layer) {
  project_heads(layer);
  attend();
  gather_heads();
  multiply({gathered_.data(), &quantized_}, layer.attention_out);
  join(layer.attention_out, layer.attention_norm);
  feed_forward(layer);
  multiply({hidden_.data(), &quantized_hidden_}, layer.down);
  join(layer.down, layer.ff_norm);
}

// Heads of q, then of k, then of v. A task takes one head of block after block of rows, so that its
// weights stay where they are.
void Encoder::project_heads(const Layer& layer) {
  pool_.run(3 * shape_.n_heads, [&](std::uint32_t head, unsigned worker) {
    for (std::uint32_t row = 0; row < n_tokens_; row += kRowBlock) {
      project_head(layer, head, {row, std::min(row + kRowBlock, n_tokens_)},
                   scratch_[worker].data());
    }
  });
}

void Encoder::project_head(const Layer& layer, std::uint32_t head, const Rows& rows,
                           float* scratch) {
  const std::uint32_t d = shape_.head_dim;
  const std::uint32_t n_tiles = d / kTileRows;
  const std::uint32_t part = head / shape_.n_heads;
  const std::uint32_t own = head % shape_.n_heads;
  const bool is_query = part == 0;
  const bool is_value = part == 2;
  const Projection& projection = is_query ? layer.query : is_value ? layer.value : layer.key;
  float* out =
      is_query ? queries_.data() + (std::size_t{own} * n_tokens_ + rows.begin) * d : scratch;
  kernels_.matmul(projection.matrix, {states_.data(), &quantized_},
                  {rows.begin, rows.end, own * n_tiles, (own + 1) * n_tiles}, out, d,
                  Epilogue::kStore);
  for (std::uint32_t row = rows.begin; row < rows.end; ++row, out += d) {
    if (!projection.bias.empty()) add_to(out, projection.bias.data() + std::size_t{own} * d, d);
    if (rope_ && !is_value) {
      const auto angles = std::span<const float>(angles_).subspan(row * rope_->n_angles());
      kernels_.rotate(rope_->rotation(angles, d), is_query ? shape_.attention_scale : 1.0F, out);
    } else if (is_query) {
      for (std::uint32_t i = 0; i < d; ++i) out[i] *= shape_.attention_scale;
    }
    if (is_query) continue;
    const auto store = is_value ? page_kernels_.store_value : page_kernels_.store_key;
    store(out, d, places_[row].position % kPageLanes, places_[row].page + own * kv_head_.n_bytes);
  }
}

// All tokens of a text see the same positions, as the heads of a group at one position do: so they
// go to the kernel as the group of the text's last position.
void Encoder::attend() {
  const std::uint32_t d = shape_.head_dim;
  const auto n_runs = static_cast<std::uint32_t>(runs_.size());
  pool_.run(n_runs * shape_.n_heads, [&](std::uint32_t task, unsigned worker) {
    const std::uint32_t head = task / n_runs;
    const AttentionRun& run = runs_[task % n_runs];
    const std::size_t at = (std::size_t{head} * n_tokens_ + run.first_row) * d;
    const std::size_t stride = std::size_t{run.n_rows} * d;
    page_kernels_.attend({.queries = queries_.data() + at,
                          .out = attended_.data() + at,
                          .query_stride = stride,
                          .out_stride = stride,
                          .n_tokens = 1,
                          .n_group = run.n_rows,
                          .head_dim = d,
                          .position = run.n_seen - 1,
                          .pages = run.pages,
                          .page_offset = head * kv_head_.n_bytes,
                          .scratch = scratch_[worker].data(),
                          .begin = 0,
                          .end = run.n_seen,
                          .parts = nullptr});
  });
}

void Encoder::gather_heads() {
  const std::uint32_t d = shape_.head_dim;
  pool_.run((n_tokens_ + kRowsPerTask - 1) / kRowsPerTask, [&](std::uint32_t task, unsigned) {
    const std::size_t end = std::min((task + 1) * kRowsPerTask, n_tokens_);
    for (std::size_t row = task * kRowsPerTask; row < end; ++row) {
      float* to = gathered_.data() + row * shape_.d_model;
      for (std::size_t head = 0; head < shape_.n_heads; ++head) {
        std::memcpy(to + head * d, attended_.data() + (head * n_tokens_ + row) * d,
                    d * sizeof(float));
      }
      quantize(kernels_, to, shape_.d_model, quantized_, row);
    }
  });
}

// Into hidden_, quantized: a task finishes the columns that it computes.
void Encoder::feed_forward(const Layer& layer) {
  const std::uint32_t d = shape_.d_ff;
  const std::uint32_t n_tiles = d / kTileRows;
  const std::uint32_t per_task = up_tiles_per_task();
  const MatmulInput in{states_.data(), &quantized_};
  quantized_hidden_.n_cols = d;
  pool_.run((n_tiles + per_task - 1) / per_task, [&](std::uint32_t task, unsigned worker) {
    const std::uint32_t tile = task * per_task;
    const std::uint32_t end = std::min(tile + per_task, n_tiles);
    const std::uint32_t n_cols = (end - tile) * kTileRows;
    const std::size_t column = std::size_t{tile} * kTileRows;
    const auto product = [&](const Projection& projection, const Rows& rows, float* out) {
      kernels_.matmul(projection.matrix, in, {rows.begin, rows.end, tile, end}, out, n_cols,
                      Epilogue::kStore);
      if (projection.bias.empty()) return;
      for (std::uint32_t row = rows.begin; row < rows.end; ++row, out += n_cols) {
        add_to(out, projection.bias.data() + column, n_cols);
      }
    };
    for (std::uint32_t first = 0; first < n_tokens_; first += kRowBlock) {
      const Rows rows{first, std::min(first + kRowBlock, n_tokens_)};
      float* up = scratch_[worker].data();
      float* gate = up + std::size_t{rows.end - first} * n_cols;
      product(layer.up, rows, up);
      if (layer.gate) product(*layer.gate, rows, gate);
      for (std::size_t row = first; row < rows.end; ++row, gate += n_cols, up += n_cols) {
        float* out = hidden_.data() + row * d + column;
        layer.gate ? kernels_.silu_mul(gate, up, n_cols, out) : kernels_.gelu(up, n_cols, out);
        quantize(kernels_, out, n_cols, quantized_hidden_, row, column);
      }
    }
  });
}

// Into mixed_, the tiles shared out over the threads.
void Encoder::multiply(const MatmulInput& in, const Projection& projection) {
  const PackedMatrix& weights = projection.matrix;
  const std::uint32_t n_tiles = weights.n_tiles();
  // Two tiles are computed together: an odd number would leave one by itself in every task.
  const std::uint32_t n_pairs = (n_tiles + 1) / 2;
  const std::uint32_t per_task = 2 * std::max(1U, n_pairs / (pool_.n_threads() * kTasksPerThread));
  pool_.run((n_tiles + per_task - 1) / per_task, [&](std::uint32_t task, unsigned) {
    const std::uint32_t begin = task * per_task;
    const std::uint32_t end = std::min(begin + per_task, n_tiles);
    kernels_.matmul(weights, in, {0, n_tokens_, begin, end},
                    mixed_.data() + std::size_t{begin} * kTileRows, weights.n_rows(),
                    Epilogue::kStore);
  });
}

void Encoder::join(const Projection& projection, const LayerNorm& norm) {
  const std::uint32_t d = shape_.d_model;
  pool_.run((n_tokens_ + kRowsPerTask - 1) / kRowsPerTask, [&](std::uint32_t task, unsigned) {
    const std::size_t end = std::min((task + 1) * kRowsPerTask, n_tokens_);
    for (std::size_t row = task * kRowsPerTask; row < end; ++row) {
      float* state = states_.data() + row * d;
      float* mixed = mixed_.data() + row * d;
      if (!projection.bias.empty()) add_to(mixed, projection.bias.data(), d);
      add_to(state, mixed, d);
      kernels_.layer_norm(state, norm.weight.data(), norm.bias.data(), d, shape_.norm_eps, state);
      quantize(kernels_, state, d, quantized_, row);
    }
  });
}

void Encoder::pool_rows(std::span<const EmbeddingText> texts, std::span<float> vectors) const {
  const std::size_t d = shape_.d_model;
  const float* row = states_.data();
  float* to = vectors.data();
  for (const EmbeddingText& text : texts) {
    const std::size_t n = text.tokens.size();
    const std::size_t one = shape_.pooling == Pooling::kLast ? n - 1 : 0;
    std::memcpy(to, row + one * d, d * sizeof(float));
    if (shape_.pooling == Pooling::kMean) {
      for (std::size_t i = 1; i < n; ++i) add_to(to, row + i * d, d);
      for (std::size_t i = 0; i < d; ++i) to[i] /= static_cast<float>(n);
    }
    row += n * d;
    to += d;
  }
}

}  // namespace jarip
