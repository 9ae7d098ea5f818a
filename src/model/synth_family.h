// The families that made-up models can be of: what their files say and hold beyond what every
// model has. Constant data, read from any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "model/families.h"
#include "model/gguf_writer.h"

namespace jarip {

struct SynthShape;

enum class SynthRope : std::uint8_t { kPlain, kFactors, kLinear, kYarn, kLongrope };

struct SynthFamily {
  std::string_view name;          // as people choose it: "mixtral"
  std::string_view architecture;  // general.architecture: "llama"
  std::uint32_t least_layers = 0;
  bool bias = false;      // of queries, keys and values
  bool all_bias = false;  // of everything
  bool fused = false;     // queries, keys and values are one matrix; so are gate and up
  bool output = false;    // the output matrix is one of its own
  SynthRope rope = SynthRope::kPlain;
  bool window = false;  // small enough to be seen in tests
  std::uint32_t n_experts = 0;
  std::uint32_t n_experts_used = 0;
  Pooling pooling = Pooling::kNone;
  std::uint32_t n_types = 0;  // of tokens, in encoders
};

// Those that write text; the first is llama.
[[nodiscard]] std::span<const SynthFamily> synth_families();

// The row of families.h, which all but encoders have.
[[nodiscard]] const Family& row_of(const SynthFamily& family);

[[nodiscard]] std::uint32_t n_layers_of(const SynthShape& shape, const SynthFamily& family);

// Leading dimensions of a head that rotate.
[[nodiscard]] std::uint32_t rope_dim_of(const SynthShape& shape, const SynthFamily& family);

// Of families that have recurrent layers: all layers but the last of four.
[[nodiscard]] RecurrentConfig recurrent_of(const SynthShape& shape);
[[nodiscard]] bool is_recurrent(const SynthFamily& family, std::uint32_t layer);

// The metadata that a file of the family has beyond that of all.
void add_family_config(GgufWriter& writer, const SynthShape& shape, const SynthFamily& family);

}  // namespace jarip
