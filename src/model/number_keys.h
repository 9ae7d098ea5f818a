// Numbers of a model file, read and held to a range. Free functions; used while loading.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "model/gguf.h"

namespace jarip {

// Errors: kCorrupt (missing, of another type, out of range), by key.
[[nodiscard]] Result<std::uint32_t> read_in_range(const GgufFile& file, const std::string& key,
                                                  std::uint64_t least, std::uint64_t most);
[[nodiscard]] Result<std::uint32_t> read_or(const GgufFile& file, const std::string& key,
                                            std::uint32_t fallback, std::uint64_t least,
                                            std::uint64_t most);
[[nodiscard]] Result<float> read_float_or(const GgufFile& file, const std::string& key,
                                          float fallback, double least, double most);

// Above 0 and below 1. Errors as above.
[[nodiscard]] Result<float> read_epsilon(const GgufFile& file, const std::string& key);

// Rows of token_embd.weight, which must have n_cols columns. Errors: kCorrupt.
[[nodiscard]] Result<std::uint32_t> read_vocabulary_size(const GgufFile& file,
                                                         std::uint32_t n_cols);

}  // namespace jarip
