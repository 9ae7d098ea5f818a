// The families of models that can run: what a family's name implies and its files don't say, one
// row each. Constant data, read from any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/config.h"

namespace jarip {

// Which layers see a window only.
enum class Windows : std::uint8_t {
  kNone,      // files that ask for a window are refused
  kAll,       // all, where the file has a window
  kPeriodic,  // all but the last of each period, where the file has a window
};

struct Family {
  std::string_view name;  // general.architecture
  bool rope_neox = true;
  bool pre_norm = true;
  bool post_norm = false;
  std::string_view ff_norm = "ffn_norm";
  HeadNorm head_norm = HeadNorm::kNone;
  Activation activation = Activation::kSilu;
  bool sinks = false;
  bool gated_attention = false;
  bool recurrent = false;         // all but the last layer of each period
  bool experts = false;           // there may be some
  bool shared_expert = false;     // and with them one that all tokens use
  bool scaled_embedding = false;  // by the root of its width
  bool multipliers = false;       // the file has scales for embedding, residual, scores and logits
  float attention_cap = 0;        // where the file names none
  float logit_cap = 0;
  Windows windows = Windows::kNone;
  std::uint32_t window_period = 1;
  std::uint32_t default_window = 0;
  float local_rope_base = 0;      // of windowed layers, where the file names none; 0: the others'
  bool local_rope_scaled = true;  // windowed layers stretch their context as the others do
  bool global_rope = true;        // layers that see all rotate, if others have a window
  std::uint32_t no_rope_period = 0;     // the last layer of each period doesn't rotate
  std::uint32_t wide_scale_layers = 0;  // with so many layers, scores are scaled by d_model / heads
};

[[nodiscard]] std::span<const Family> families();

}  // namespace jarip
