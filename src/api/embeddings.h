// Embeddings and ranking. The models that this program runs write text: they were not trained to
// place texts in a space, and what their hidden states would give is no embedding. Requests are
// read as strictly as all others, and then refused with that reason. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "api/answerer.h"
#include "api/schema_set.h"
#include "base/result.h"

namespace jarip {

[[nodiscard]] Result<std::string> embeddings_json(std::string_view body, const Answerer& answerer);
[[nodiscard]] Result<std::string> rerank_json(std::string_view body, const Answerer& answerer);

void describe_embeddings(SchemaSet& schemas);

}  // namespace jarip
