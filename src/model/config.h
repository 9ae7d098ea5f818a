// What a model file says of its architecture, as plain numbers and flags. A family is a row of
// these (families.h); forward reads them and never asks for a family's name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/gguf.h"
#include "model/pooling.h"

namespace jarip {

// What of queries and keys is normalized together, if anything.
enum class HeadNorm : std::uint8_t { kNone, kHead, kAllHeads };

// What the gate's output goes through before it meets that of the up matrix.
enum class Activation : std::uint8_t { kSilu, kGelu, kClampedSilu };

// How the angles of one kind of layer come about.
struct RopeConfig {
  float base = 10000.0F;
  float factor = 1;      // frequencies are divided by it
  bool yarn = false;     // only where a frequency turns too slowly to have been seen whole
  float magnitude = 1;   // of the rotated
  float beta_fast = 32;  // turns within the original context from which on nothing is divided
  float beta_slow = 1;   // turns below which all is
  std::uint32_t n_ctx_original = 0;  // positions before the context was stretched
  bool file_factors = true;          // the file's own divisors apply too, where it has any

  bool operator==(const RopeConfig&) const = default;
};

// What differs from layer to layer.
struct LayerConfig {
  bool windowed = false;  // a token sees only the last ModelConfig::window positions
  bool rope = true;
  bool recurrent = false;   // a gated delta net takes the place of attention
  std::uint32_t place = 0;  // among the recurrent layers, or among the others
};

// The gated delta nets (Yang et al., Gated Delta Networks, 2024) of models that have some. Every
// head of values owns a state of head_dim by head_dim numbers and reads one of the key heads.
struct RecurrentConfig {
  std::uint32_t n_key_heads = 0;  // 0: no layer is recurrent
  std::uint32_t n_value_heads = 0;
  std::uint32_t head_dim = 0;    // of keys and of values
  std::uint32_t conv_width = 0;  // tokens that the convolution sees, the own included

  [[nodiscard]] std::uint32_t key_dim() const { return n_key_heads * head_dim; }
  [[nodiscard]] std::uint32_t value_dim() const { return n_value_heads * head_dim; }
  // Queries, keys and values, one after the other.
  [[nodiscard]] std::uint32_t mixed_dim() const { return 2 * key_dim() + value_dim(); }
  [[nodiscard]] std::uint32_t key_head_of(std::uint32_t value_head) const {
    return value_head % n_key_heads;
  }
  // What one layer keeps of a text: the convolution's last inputs and the heads' states.
  [[nodiscard]] std::size_t state_floats() const {
    return std::size_t{conv_width - 1} * mixed_dim() + std::size_t{value_dim()} * head_dim;
  }
};

struct ModelConfig {
  std::string family;  // general.architecture
  std::string name;    // general.name, for people
  std::uint32_t n_layers = 0;
  std::uint32_t d_model = 0;     // width of the residual stream
  std::uint32_t n_heads = 0;     // query heads
  std::uint32_t n_kv_heads = 0;  // key and value heads; divides n_heads
  std::uint32_t head_dim = 0;
  std::uint32_t d_ff = 0;  // width inside the feed-forward, or inside one expert
  std::uint32_t n_vocab = 0;
  std::uint32_t n_ctx_train = 0;  // positions that the model was trained for
  std::uint32_t rope_dim = 0;     // leading dimensions of a head that rotate
  RopeConfig rope;                // of layers that see all
  RopeConfig local_rope;          // of windowed layers
  float norm_eps = 1e-5F;
  bool rope_neox = false;       // pairs are (i, i + rope_dim / 2) and not (2i, 2i + 1)
  bool tied_embedding = false;  // the output matrix is the embedding

  bool pre_norm = true;                   // what attention and feed-forward read is normalized
  bool post_norm = false;                 // what they give is, before it joins the residual stream
  std::string_view ff_norm = "ffn_norm";  // the tensor of the feed-forward's norm
  HeadNorm head_norm = HeadNorm::kNone;
  Activation activation = Activation::kSilu;
  bool sinks = false;            // every head has a score that takes weight and gives nothing
  bool gated_attention = false;  // what a head gives is multiplied with the sigmoid of its gate
  float embedding_scale = 1;
  float residual_scale = 1;     // of what joins the residual stream
  float logit_scale = 1;        // of the logits
  float attention_scale = 0;    // of the scores
  float attention_cap = 0;      // scores are cap * tanh(score / cap); 0: as they are
  float logit_cap = 0;          // the same for logits
  std::uint32_t window = 0;     // positions that a token of a windowed layer sees, its own included
  std::uint32_t n_experts = 0;  // 0: one feed-forward for all tokens
  std::uint32_t n_experts_used = 0;    // by one token
  std::uint32_t n_experts_shared = 0;  // 1: every token uses one more, as much as its gate says
  float expert_scale = 1;              // of what experts give together
  Pooling pooling = Pooling::kNone;    // other than none: the model embeds texts or ranks them
  RecurrentConfig recurrent;
  std::uint32_t n_recurrent_layers = 0;
  std::uint32_t n_draft_layers = 0;  // blocks behind the last layer, for guessing ahead; not used
  std::vector<LayerConfig> layers;   // [n_layers]

  // Of what a sequence's recurrent layers keep, whole lines of a cache.
  [[nodiscard]] std::size_t state_bytes() const {
    constexpr std::size_t kLine = 64;
    const std::size_t n_bytes = n_recurrent_layers * recurrent.state_floats() * sizeof(float);
    return (n_bytes + kLine - 1) / kLine * kLine;
  }
};

// Errors: kUnsupported (family, by name), kCorrupt (missing or impossible numbers, by key).
[[nodiscard]] Result<ModelConfig> read_config(const GgufFile& file);

}  // namespace jarip
