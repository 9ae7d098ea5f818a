// What a model takes in memory, by its file's header: before anything is loaded. Free functions;
// any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model/config.h"
#include "model/gguf.h"
#include "model/model.h"

namespace jarip {

// Of all weights as a compute path holds them.
[[nodiscard]] std::uint64_t weight_bytes(const GgufFile& file, ComputePath path);

// Of a page of keys and values of so many heads, in all layers that keep them together.
[[nodiscard]] std::size_t kv_page_bytes(std::size_t n_heads, std::uint32_t head_dim,
                                        ComputePath path, KvFormat format);

// Of a step of so many tokens: rows of floats between the products, and the same again as int8.
[[nodiscard]] std::uint64_t step_bytes(const ModelConfig& config, std::uint64_t n_tokens);

}  // namespace jarip
