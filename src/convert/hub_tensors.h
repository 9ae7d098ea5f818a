// Which tensors a model's GGUF file has, and which of the folder's tensors they are made of. A free
// function; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "convert/hub_family.h"
#include "convert/weight_view.h"
#include "model/safetensors.h"

namespace jarip {

// What of config.json tensors depend on.
struct TensorFacts {
  std::uint32_t n_layers = 0;
  std::uint32_t n_heads = 0;
  std::uint32_t n_kv_heads = 0;
  std::uint32_t n_experts = 0;
  std::uint32_t attention_period = 0;  // where most layers are delta nets: every n-th isn't
  std::uint32_t n_key_heads = 0;       // of delta nets
  std::uint32_t n_value_heads = 0;
  std::uint32_t net_head_dim = 0;
  std::uint32_t n_padding = 0;  // positions before the first that counts
  bool tied = false;            // the output matrix is the embedding
  bool needs_output = true;     // unless tied: models that write need one
};

// The model must outlive what it gives. Errors: kUnsupported (a tensor that the family isn't known
// to have, or whose elements are of a type that can't be read, by name), kCorrupt (one that is
// missing, or of an impossible shape).
[[nodiscard]] Result<std::vector<WeightView>> find_views(const SafetensorsModel& model,
                                                         const HubFamily& family,
                                                         const TensorFacts& facts);

// What a tensor of a model becomes in GGUF, by its name alone.
struct RenamedTensor {
  std::string name;  // "blk.0.attn_q.weight"
  Change change = Change::kNone;
};
// architecture: GGUF's. Nothing where no family of it has such a tensor, or GGUF has no use for it.
[[nodiscard]] std::optional<RenamedTensor> rename_tensor(std::string_view theirs,
                                                         std::string_view architecture);

}  // namespace jarip
