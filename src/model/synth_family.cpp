#include "model/synth_family.h"

#include <algorithm>
#include <string>

#include "model/synth.h"

namespace jarip {
namespace {

constexpr SynthFamily kFamilies[] = {
    {.name = "llama", .architecture = "llama"},
    {.name = "llama-3", .architecture = "llama", .rope = SynthRope::kFactors},
    {.name = "llama-linear", .architecture = "llama", .rope = SynthRope::kLinear},
    {.name = "llama-yarn", .architecture = "llama", .rope = SynthRope::kYarn},
    {.name = "mistral", .architecture = "llama", .output = true, .window = true},
    {.name = "mixtral",
     .architecture = "llama",
     .output = true,
     .n_experts = 4,
     .n_experts_used = 2},
    {.name = "qwen2", .architecture = "qwen2", .bias = true},
    {.name = "qwen3", .architecture = "qwen3"},
    {.name = "qwen3moe", .architecture = "qwen3moe", .n_experts = 8, .n_experts_used = 3},
    {.name = "smollm3", .architecture = "smollm3", .least_layers = 5},
    {.name = "granite", .architecture = "granite", .output = true},
    {.name = "olmo2", .architecture = "olmo2", .output = true},
    {.name = "olmo3",
     .architecture = "olmo2",
     .least_layers = 5,
     .output = true,
     .rope = SynthRope::kYarn,
     .window = true},
    {.name = "phi3", .architecture = "phi3", .fused = true, .output = true},
    {.name = "phi3-longrope",
     .architecture = "phi3",
     .fused = true,
     .output = true,
     .rope = SynthRope::kLongrope},
    {.name = "gemma2", .architecture = "gemma2", .least_layers = 3, .window = true},
    {.name = "gemma3",
     .architecture = "gemma3",
     .least_layers = 7,
     .output = true,
     .rope = SynthRope::kLinear,
     .window = true},
    {.name = "exaone4", .architecture = "exaone4", .rope = SynthRope::kFactors},
    // The one depth at which every program takes this family's windows for granted.
    {.name = "exaone4-hybrid", .architecture = "exaone4", .least_layers = 64, .window = true},
    {.name = "gpt-oss",
     .architecture = "gpt-oss",
     .least_layers = 3,
     .all_bias = true,
     .output = true,
     .rope = SynthRope::kYarn,
     .window = true,
     .n_experts = 8,
     .n_experts_used = 4},
    {.name = "qwen35", .architecture = "qwen35", .least_layers = 5},
    {.name = "qwen35moe",
     .architecture = "qwen35moe",
     .least_layers = 5,
     .output = true,
     .n_experts = 8,
     .n_experts_used = 3},
};

constexpr std::uint32_t kAttentionPeriod = 4;  // of models with recurrent layers
constexpr std::uint32_t kWindow = 72;  // no multiple of a page, less than an attention range

void add_rope(GgufWriter& writer, const SynthShape& shape, const SynthFamily& family,
              const std::string& prefix) {
  const std::string scaling = prefix + "rope.scaling.";
  switch (family.rope) {
    case SynthRope::kPlain:
    case SynthRope::kFactors:
      return;
    case SynthRope::kLinear:
      writer.add_string(scaling + "type", "linear").add_f32(scaling + "factor", 4);
      return;
    case SynthRope::kYarn:
      writer.add_string(scaling + "type", "yarn")
          .add_f32(scaling + "factor", 8)
          .add_u32(scaling + "original_context_length", shape.n_ctx / 8);
      return;
    case SynthRope::kLongrope:
      writer.add_string(scaling + "type", "longrope")
          .add_f32(scaling + "attn_factor", 1.19F)
          .add_u32(scaling + "original_context_length", shape.n_ctx / 8);
      return;
  }
}

// Positions of texts are of one kind, whichever a pair of dimensions turns by.
void add_recurrent_config(GgufWriter& writer, const SynthShape& shape, const SynthFamily& family,
                          const std::string& prefix) {
  const RecurrentConfig net = recurrent_of(shape);
  const auto n_pairs = static_cast<std::int32_t>(rope_dim_of(shape, family) / 2);
  writer.add_u32(prefix + "ssm.conv_kernel", net.conv_width)
      .add_u32(prefix + "ssm.inner_size", net.value_dim())
      .add_u32(prefix + "ssm.state_size", net.head_dim)
      .add_u32(prefix + "ssm.time_step_rank", net.n_value_heads)
      .add_u32(prefix + "ssm.group_count", net.n_key_heads)
      .add_u32(prefix + "full_attention_interval", kAttentionPeriod)
      .add_ints(prefix + "rope.dimension_sections",
                {(n_pairs + 2) / 3, (n_pairs + 1) / 3, n_pairs / 3, 0});
}

}  // namespace

std::span<const SynthFamily> synth_families() { return kFamilies; }

const Family& row_of(const SynthFamily& family) {
  return *std::ranges::find(families(), family.architecture, &Family::name);
}

std::uint32_t n_layers_of(const SynthShape& shape, const SynthFamily& family) {
  return std::max(shape.n_layers, family.least_layers);
}

std::uint32_t rope_dim_of(const SynthShape& shape, const SynthFamily& family) {
  return row_of(family).recurrent ? shape.head_dim / 4 : shape.head_dim;
}

RecurrentConfig recurrent_of(const SynthShape& shape) {
  const std::uint32_t n_key_heads = shape.n_heads / 2;
  return {.n_key_heads = n_key_heads,
          .n_value_heads = 3 * n_key_heads,
          .head_dim = shape.head_dim,
          .conv_width = 4};
}

bool is_recurrent(const SynthFamily& family, std::uint32_t layer) {
  return row_of(family).recurrent && (layer + 1) % kAttentionPeriod != 0;
}

void add_family_config(GgufWriter& writer, const SynthShape& shape, const SynthFamily& family) {
  const std::string prefix = std::string(family.architecture) + ".";
  const Family& row = row_of(family);
  add_rope(writer, shape, family, prefix);
  if (family.window) writer.add_u32(prefix + "attention.sliding_window", kWindow);
  if (family.n_experts != 0) {
    writer.add_u32(prefix + "expert_count", family.n_experts)
        .add_u32(prefix + "expert_used_count", family.n_experts_used)
        .add_u32(prefix + "expert_feed_forward_length", shape.d_ff);
    if (row.shared_expert) {
      writer.add_u32(prefix + "expert_shared_feed_forward_length", shape.d_ff);
    }
  }
  if (row.multipliers) {
    writer.add_f32(prefix + "logit_scale", 0.5F)
        .add_f32(prefix + "residual_scale", 0.7F)
        .add_f32(prefix + "embedding_scale", 3)
        .add_f32(prefix + "attention.scale", 0.2F);
  }
  if (row.attention_cap != 0) writer.add_f32(prefix + "attn_logit_softcapping", 2);
  if (row.logit_cap != 0) writer.add_f32(prefix + "final_logit_softcapping", 3);
  if (row.recurrent) add_recurrent_config(writer, shape, family, prefix);
  if (row.local_rope_base != 0) writer.add_f32(prefix + "rope.freq_base_swa", 1000);
}

}  // namespace jarip
