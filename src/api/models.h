// The models of a server as JSON: listed, shown, loaded and unloaded; and which one a request is
// for. Pure functions but for the last, which may read the disk: they run on a worker.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "api/schema_set.h"
#include "app/model_pool.h"
#include "base/result.h"

namespace jarip {

[[nodiscard]] std::string models_json(std::span<const ModelStatus> models,
                                      std::string_view default_model);
[[nodiscard]] std::string model_json(const ModelStatus& model, std::string_view default_model);

// The card of the model that a request's body names, or of the default one. A name that isn't known
// is looked for on the disk first. Errors: kInvalidArgument (the body is no JSON object), those of
// ModelPool::find.
[[nodiscard]] Result<ModelCard> card_for(std::string_view body, ModelPool& pool);

// The name in {"model": NAME}, and nothing else. Errors: kInvalidArgument.
[[nodiscard]] Result<std::string> read_model_name(std::string_view body);

void describe_model_requests(SchemaSet& schemas);

}  // namespace jarip
