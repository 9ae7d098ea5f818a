// Requests for embeddings (OpenAI's form) and for ranking (Jina's and Cohere's): read as strictly
// as all others, and refused with the reason where the model that runs is made for something else.
// Pure functions; they run on a worker.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "api/schema_set.h"
#include "app/answerer.h"
#include "app/loaded_embedder.h"
#include "base/result.h"

namespace jarip {

struct EmbeddingPlan {
  EmbedRequest request;
  std::string user;                                         // as the client names it
  std::move_only_function<std::string(EmbedResult)> write;  // the reply's body
};

// An error where the answerer has no embedder.
using PlanEmbedding = Result<EmbeddingPlan> (*)(std::string_view body, const Answerer& answerer);

[[nodiscard]] Result<EmbeddingPlan> plan_embeddings(std::string_view body,
                                                    const Answerer& answerer);
[[nodiscard]] Result<EmbeddingPlan> plan_ranking(std::string_view body, const Answerer& answerer);

void describe_embeddings(SchemaSet& schemas);

}  // namespace jarip
