#include "model/families.h"

namespace jarip {
namespace {

constexpr Family kFamilies[] = {
    // llama 1 to 3, mistral and mixtral, smollm 1 and 2
    {.name = "llama", .rope_neox = false, .experts = true, .windows = Windows::kAll},
    {.name = "qwen2"},
    {.name = "qwen3", .head_norm = HeadNorm::kHead},
    {.name = "qwen3moe", .head_norm = HeadNorm::kHead, .experts = true},
    {.name = "smollm3", .rope_neox = false, .no_rope_period = 4},
    {.name = "granite", .rope_neox = false, .multipliers = true},
    // olmo 2 and 3
    {.name = "olmo2",
     .pre_norm = false,
     .post_norm = true,
     .head_norm = HeadNorm::kAllHeads,
     .windows = Windows::kPeriodic,
     .window_period = 4,
     .local_rope_scaled = false},
    {.name = "phi3", .windows = Windows::kAll},
    {.name = "gemma2",
     .post_norm = true,
     .activation = Activation::kGelu,
     .scaled_embedding = true,
     .attention_cap = 50,
     .logit_cap = 30,
     .windows = Windows::kPeriodic,
     .window_period = 2,
     .default_window = 4096,
     .wide_scale_layers = 46},
    {.name = "gemma3",
     .post_norm = true,
     .head_norm = HeadNorm::kHead,
     .activation = Activation::kGelu,
     .scaled_embedding = true,
     .windows = Windows::kPeriodic,
     .window_period = 6,
     .local_rope_base = 10000,
     .local_rope_scaled = false,
     .wide_scale_layers = 62},
    {.name = "exaone4",
     .pre_norm = false,
     .post_norm = true,
     .head_norm = HeadNorm::kHead,
     .windows = Windows::kPeriodic,
     .window_period = 4,
     .global_rope = false},
    {.name = "gpt-oss",
     .ff_norm = "post_attention_norm",
     .activation = Activation::kClampedSilu,
     .sinks = true,
     .experts = true,
     .windows = Windows::kPeriodic,
     .window_period = 2},
    // qwen 3.5 and 3.6
    {.name = "qwen35",
     .ff_norm = "post_attention_norm",
     .head_norm = HeadNorm::kHead,
     .gated_attention = true,
     .recurrent = true},
    {.name = "qwen35moe",
     .ff_norm = "post_attention_norm",
     .head_norm = HeadNorm::kHead,
     .gated_attention = true,
     .recurrent = true,
     .experts = true,
     .shared_expert = true},
};

}  // namespace

std::span<const Family> families() { return kFamilies; }

}  // namespace jarip
