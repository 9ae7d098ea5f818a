// The families of models that Hugging Face's folders hold: what their tensors are called there and
// in GGUF, what happens to them on the way, and which settings have but one meaning here. One row a
// class of transformers. Constant data, read from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace jarip {

// What becomes of a tensor on its way.
enum class Change : std::uint8_t {
  kNone,
  kSkip,       // GGUF has no use for it
  kRopeQuery,  // rows of a head: (i, i + half) become neighbours, as GGUF's llama rotates them
  kRopeKey,
  kPlusOne,    // norms that are written as their distance from one
  kExpert,     // one matrix of many, which become one tensor
  kFirstHalf,  // of the rows of each expert's matrix
  kLastHalf,
  kOnItsSide,    // a matrix whose rows are columns
  kEvenColumns,  // the same of one whose columns are two matrices' in turn
  kOddColumns,
  kEvenElements,  // of vectors whose elements are two vectors' in turn
  kOddElements,
  kBlocks,         // of MXFP4; the tensor of their scales lies beside it
  kEvenBlockRows,  // of blocks whose rows are two matrices' in turn
  kOddBlockRows,
  kBehindPadding,  // positions begin behind that of padding
  // Of delta nets, whose value heads stand by their key head there and take turns here:
  kTileMixed,    // rows behind those of queries and keys
  kTileRows,     // a head's rows
  kTileHeads,    // one row or element a head
  kTileColumns,  // a head's columns
  kTileDecay,    // as kTileHeads, and the logarithm is undone
};

struct NameRule {
  std::string_view theirs;  // # stands for a number: of the layer, then of the expert
  std::string_view ours;    // empty: none
  Change change = Change::kNone;
  bool optional = false;
};

// A setting that may have these values only, written as in JSON and separated by blanks.
struct Guard {
  std::string_view key;
  std::string_view allowed;
};

// What a setting is where config.json is silent.
struct Default {
  std::string_view key;
  double value;
};

struct HubFamily {
  std::string_view name;          // the class, without what it was made for: "Llama"
  std::string_view architecture;  // general.architecture
  std::array<std::span<const NameRule>, 8> names = {};
  std::span<const Guard> guards = {};  // beyond those of all decoders
  std::span<const Default> defaults = {};
  bool tied = false;            // where config.json is silent
  bool partly_rotated = false;  // a part of each head may be
  bool window_always = false;   // a window counts whatever use_sliding_window says
  bool writes_pattern = false;  // readers of this family look for the pattern of windows
  bool is_encoder = false;
  bool recurrent = false;  // most layers are delta nets
};

// By a class of config.json's architectures, such as "LlamaForCausalLM"; null if none.
[[nodiscard]] const HubFamily* find_hub_family(std::string_view model_class);

[[nodiscard]] std::span<const HubFamily> hub_families();

[[nodiscard]] std::span<const Guard> decoder_guards();

}  // namespace jarip
