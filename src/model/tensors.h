// The tensors that a model of a given config must have, found by name and checked for shape, for
// both compute paths. Matrices are spans into the file; used while loading.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "model/config.h"
#include "model/gguf.h"
#include "model/tensor_finder.h"

namespace jarip {

// Of decoders that rank: the logits of "yes" and of "no".
inline constexpr std::uint32_t kRankLabels = 2;

struct FeedForwardTensors {
  StoredProjection gate, up;  // [d_ff, d_model]
  StoredProjection down;      // [d_model, d_ff]
};

// Of a recurrent layer. No matrix has a bias.
struct RecurrentTensors {
  StoredProjection mixed;        // [mixed_dim, d_model]: queries, keys, values before convolution
  StoredProjection gate;         // [value_dim, d_model]
  StoredProjection beta, alpha;  // [n_value_heads, d_model]
  StoredProjection out;          // [d_model, value_dim]
  std::vector<float> conv;       // [mixed_dim, conv_width], the latest token's last
  std::vector<float> alpha_bias, decay;  // [n_value_heads]; decay is below 0
  std::vector<float> norm;               // [head_dim]
};

// Vectors are empty where the family has none, and so is what layers of another kind have.
struct LayerTensors {
  std::vector<float> attention_norm, attention_post_norm;  // [d_model]
  std::vector<float> ff_norm, ff_post_norm;                // [d_model]
  std::vector<float> query_norm, key_norm;                 // [head_dim], or all heads' dimensions
  std::vector<float> sinks;                                // [n_heads]
  // [n_heads * head_dim, d_model], or twice as many rows: each head's, and then its gate's
  StoredProjection query;
  StoredProjection key, value;     // [n_kv_heads * head_dim, d_model]
  StoredProjection attention_out;  // [d_model, n_heads * head_dim]
  StoredProjection router;         // [n_experts, d_model]; no rows without experts
  // [n_experts], and behind them the shared one, if there is one; or one for all tokens
  std::vector<FeedForwardTensors> experts;
  StoredMatrix shared_gate;  // [1, d_model]; no rows without a shared expert
  RecurrentTensors recurrent;
};

struct ModelTensors {
  StoredMatrix embedding;           // [n_vocab, d_model]
  std::vector<float> output_norm;   // [d_model]
  StoredMatrix output;              // [n_vocab, d_model]; the embedding where they are tied
  StoredProjection rank_out;        // [kRankLabels, d_model] of models that rank; else no rows
  std::vector<float> rope_factors;  // [rope_dim / 2] divisors of frequencies, or empty
  std::vector<LayerTensors> layers;
};

// Errors: kCorrupt for a tensor that is missing or of another shape; kUnsupported for one that this
// family isn't known to have, since leaving it out would change the answers. All name the tensor.
[[nodiscard]] Result<ModelTensors> find_tensors(const GgufFile& file, const ModelConfig& config);

}  // namespace jarip
