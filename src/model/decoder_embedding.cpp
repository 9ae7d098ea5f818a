#include "model/decoder_embedding.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "model/tensors.h"

namespace jarip {
namespace {

// Tokens of one step of the model. Which step a token falls into never shows in the bytes.
constexpr std::uint32_t kStepTokens = 256;

// Keys and values of every layer are kept while a text is read: a longer context has to be asked
// for.
constexpr std::uint32_t kDefaultContext = 8192;

}  // namespace

Result<std::unique_ptr<EmbeddingModel>> DecoderEmbedding::load(
    const GgufFile& file, ThreadPool& pool, const EmbeddingLoadOptions& options) {
  JARIP_TRY(const ModelConfig config, read_config(file));
  if (config.pooling == Pooling::kFirst) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{}.pooling_type takes the first token, which in this family has seen "
                            "no other",
                            config.family),
                config.family + ".pooling_type");
  }
  std::unique_ptr<DecoderEmbedding> model(new DecoderEmbedding());
  JARIP_TRY(model->model_, load_model(file, pool,
                                      {.output = StepOutput::kStates,
                                       .on_progress = options.on_progress,
                                       .progress_context = options.progress_context}));
  if (config.pooling == Pooling::kRank) {
    JARIP_TRY(const Kernels* kernels, select_kernels());
    JARIP_TRY(const ModelTensors tensors, find_tensors(file, config));
    const PackedMatrix::OnRead tell_nobody;
    Packer pack{pool, tell_nobody};
    JARIP_TRY(model->rank_, RankHead::load({}, tensors.rank_out, pack, *kernels));
  }
  const std::uint32_t wanted = options.n_ctx == 0 ? kDefaultContext : options.n_ctx;
  model->facts_ = {.family = config.family,
                   .name = config.name,
                   .n_vocab = config.n_vocab,
                   .n_ctx = std::min(wanted, config.n_ctx_train),
                   .n_outputs = model->rank_ ? 1 : config.d_model,
                   .pooling = config.pooling};
  return model;
}

std::size_t DecoderEmbedding::memory_bytes() const {
  return model_->memory_bytes() + memory_.size() + states_memory_.size() +
         (rank_ ? rank_->memory_bytes() : 0) + (vectors_.size() + states_.size()) * sizeof(float);
}

Result<void> DecoderEmbedding::plan(std::span<const EmbeddingText> texts) {
  std::size_t n_pages = 0;
  for (const EmbeddingText& text : texts) {
    n_pages += (text.tokens.size() + kKvPageTokens - 1) / kKvPageTokens;
  }
  if (const std::size_t n_bytes = n_pages * model_->kv_page_bytes(); memory_.size() < n_bytes) {
    memory_ = {};  // first, so that both are never held
    JARIP_TRY(memory_, AlignedBuffer::allocate(n_bytes));
  }
  const std::size_t n_state_bytes = texts.size() * model_->state_bytes();
  if (states_memory_.size() < n_state_bytes) {
    states_memory_ = {};
    JARIP_TRY(states_memory_, AlignedBuffer::allocate(n_state_bytes));
  }
  pages_.resize(n_pages);
  std::iota(pages_.begin(), pages_.end(), PageId{0});
  progress_.clear();
  std::span<const PageId> left(pages_);
  for (const EmbeddingText& text : texts) {
    const std::size_t n = (text.tokens.size() + kKvPageTokens - 1) / kKvPageTokens;
    progress_.push_back({.pages = left.first(n)});
    left = left.subspan(n);
  }
  vectors_.assign(texts.size() * model_->config().d_model, 0.0F);
  return {};
}

// Of how many of the n tokens after n_done the states are needed: the last ones.
std::uint32_t DecoderEmbedding::n_states(const EmbeddingText& text, std::uint32_t n_done,
                                         std::uint32_t n) const {
  if (facts_.pooling == Pooling::kMean) return n;
  return n_done + n == text.tokens.size() ? 1 : 0;
}

// The next tokens of the first texts that aren't done.
void DecoderEmbedding::step(std::span<const EmbeddingText> texts) {
  const std::size_t d = model_->config().d_model;
  chunks_.clear();
  chunk_texts_.clear();
  std::uint32_t room = kStepTokens;
  std::size_t n_rows = 0;
  for (std::uint32_t i = 0; i < texts.size() && room > 0; ++i) {
    Progress& at = progress_[i];
    const auto n_left = static_cast<std::uint32_t>(texts[i].tokens.size()) - at.n_done;
    if (n_left == 0) continue;
    const std::uint32_t n = std::min(n_left, room);
    chunks_.push_back({.tokens = texts[i].tokens.subspan(at.n_done, n),
                       .position = at.n_done,
                       .pages = at.pages,
                       .n_logits = n_states(texts[i], at.n_done, n),
                       .state = i});
    chunk_texts_.push_back(i);
    n_rows += chunks_.back().n_logits;
    at.n_done += n;
    room -= n;
  }
  states_.resize(n_rows * d);
  model_->step(chunks_,
               {memory_.data(), model_->kv_page_bytes(), static_cast<std::uint32_t>(pages_.size()),
                states_memory_.data(), model_->state_bytes()},
               states_);
  const float* state = states_.data();
  for (std::size_t c = 0; c < chunks_.size(); ++c) {
    float* to = vectors_.data() + chunk_texts_[c] * d;
    for (std::uint32_t i = 0; i < chunks_[c].n_logits; ++i, state += d) {
      for (std::size_t k = 0; k < d; ++k) to[k] += state[k];
    }
  }
}

Result<void> DecoderEmbedding::embed(std::span<const EmbeddingText> texts, std::span<float> out) {
  JARIP_CHECK(plan(texts));
  std::size_t n_left = 0;
  for (const EmbeddingText& text : texts) n_left += text.tokens.size();
  for (; n_left > 0; n_left -= std::min<std::size_t>(n_left, kStepTokens)) step(texts);
  const std::size_t d = model_->config().d_model;
  if (facts_.pooling == Pooling::kMean) {
    for (std::size_t i = 0; i < vectors_.size(); ++i) {
      vectors_[i] /= static_cast<float>(texts[i / d].tokens.size());
    }
  }
  if (!rank_) {
    std::ranges::copy(vectors_, out.begin());
    return {};
  }
  std::vector<float> labels(texts.size() * kRankLabels);
  rank_->classify(vectors_, labels);
  // A softmax over the two is the logistic function of their difference.
  for (std::size_t i = 0; i < texts.size(); ++i) out[i] = labels[2 * i] - labels[2 * i + 1];
  return {};
}

}  // namespace jarip
