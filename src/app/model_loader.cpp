#include "app/model_loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "app/embedding_answerer.h"
#include "app/loaded_embedder.h"
#include "app/loading.h"
#include "app/pipeline_answerer.h"
#include "model/embedding_model.h"
#include "model/gguf.h"

namespace jarip {
namespace {

LoadedModelOptions options_for(const GgufFile& file, const ModelLoading& loading) {
  LoadedModelOptions options = loading.options;
  const auto family = file.read_string("general.architecture");
  if (!loading.fits_context || options.engine.n_ctx == 0 || !family) return options;
  const auto n_trained = file.read_uint(fmt::format("{}.context_length", *family));
  if (n_trained && *n_trained < options.engine.n_ctx) {
    options.engine.n_ctx = static_cast<std::uint32_t>(*n_trained);
  }
  return options;
}

}  // namespace

Result<KnownModel> describe_model(const LibraryModel& file, const ModelLoading& loading) {
  JARIP_TRY(const GgufFile gguf, GgufFile::open(file.path));
  const LoadedModelOptions options = options_for(gguf, loading);
  KnownModel known;
  JARIP_TRY(known.outline, outline_model(gguf, options));
  known.card = {.name = file.name,
                .created = modified_at(file.path),
                .n_vocab = known.outline.n_vocab,
                .n_ctx = known.outline.n_ctx,
                .fingerprint = {},
                .task = known.outline.task};
  if (known.card.task == ModelTask::kWrite) {
    known.card.fingerprint = fingerprint_of(known.card, arithmetic_of(options));
  }
  return known;
}

Result<std::unique_ptr<Answerer>> load_answerer(const LibraryModel& file,
                                                const ModelLoading& loading,
                                                const std::function<void(float)>& on_progress) {
  LoadedModelOptions options;
  bool embeds = false;
  {
    JARIP_TRY(const GgufFile gguf, GgufFile::open(file.path));
    options = options_for(gguf, loading);
    JARIP_TRY(embeds, is_embedding_model(gguf));
  }
  if (embeds) {
    LoadedEmbedderOptions embedding{.n_threads = options.n_threads,
                                    .n_ctx = options.engine.n_ctx,
                                    .embedder = {},
                                    .on_progress = on_progress};
    embedding.embedder.max_queued = options.engine.max_sequences + options.engine.max_queued;
    JARIP_TRY(auto model, LoadedEmbedder::load(file.path, file.name, embedding));
    return std::make_unique<EmbeddingAnswerer>(std::move(model));
  }
  options.on_progress = on_progress;
  JARIP_TRY(auto model, LoadedModel::load(file.path, file.name, options));
  return std::make_unique<PipelineAnswerer>(std::move(model));
}

}  // namespace jarip
