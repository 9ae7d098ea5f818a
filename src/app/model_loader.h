// From a model's file to what answers with it, for a pool of models. Free functions; any thread.
#pragma once

#include <functional>
#include <memory>

#include "app/answerer.h"
#include "app/loaded_model.h"
#include "app/model_pool.h"
#include "base/result.h"
#include "model/library.h"

namespace jarip {

struct ModelLoading {
  LoadedModelOptions options;
  // A model that was trained for less than options.engine.n_ctx takes what it was trained for.
  bool fits_context = false;
};

// Errors: those of GgufFile::open and outline_model.
[[nodiscard]] Result<KnownModel> describe_model(const LibraryModel& file,
                                                const ModelLoading& loading);

// Errors: those of LoadedModel::load and LoadedEmbedder::load.
[[nodiscard]] Result<std::unique_ptr<Answerer>> load_answerer(
    const LibraryModel& file, const ModelLoading& loading,
    const std::function<void(float)>& on_progress);

}  // namespace jarip
