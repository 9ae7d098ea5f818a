// What a model file says of its architecture, as plain numbers and flags. A family is a row of
// these; forward reads them and never asks for a family's name.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "model/gguf.h"

namespace jarip {

struct ModelConfig {
  std::string family;  // general.architecture
  std::string name;    // general.name, for people
  std::uint32_t n_layers = 0;
  std::uint32_t d_model = 0;     // width of the residual stream
  std::uint32_t n_heads = 0;     // query heads
  std::uint32_t n_kv_heads = 0;  // key and value heads; divides n_heads
  std::uint32_t head_dim = 0;
  std::uint32_t d_ff = 0;  // width inside the feed-forward
  std::uint32_t n_vocab = 0;
  std::uint32_t n_ctx_train = 0;  // positions that the model was trained for
  std::uint32_t rope_dim = 0;     // leading dimensions of a head that rotate
  float rope_base = 10000.0F;
  float norm_eps = 1e-5F;
  bool rope_neox = false;       // pairs are (i, i + rope_dim / 2) and not (2i, 2i + 1)
  bool tied_embedding = false;  // the output matrix is the embedding
};

// Errors: kUnsupported (family, by name), kCorrupt (missing or impossible numbers, by key).
[[nodiscard]] Result<ModelConfig> read_config(const GgufFile& file);

}  // namespace jarip
