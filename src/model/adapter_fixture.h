// Made-up adapters for tests: a value of the test that uses it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "model/gguf.h"
#include "model/gguf_writer.h"

namespace jarip {

inline constexpr float kAlpha = 12;

// A [rank, n_in] and B [n_out, rank] of one matrix.
struct Pair {
  std::uint32_t rank, n_in, n_out;
  std::vector<float> narrow, wide;
};
using Pairs = std::map<std::string, Pair>;

inline Pair random_pair(std::uint32_t rank, const GgufTensor& of, std::uint32_t seed) {
  const auto n_in = static_cast<std::uint32_t>(of.shape[0]);
  const auto n_out = static_cast<std::uint32_t>(of.shape[1]);
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, 0.15F);
  const auto draw = [&](std::size_t n) {
    std::vector<float> out(n);
    for (float& value : out) value = normal(generator);
    return out;
  };
  return {rank, n_in, n_out, draw(std::size_t{rank} * n_in), draw(std::size_t{n_out} * rank)};
}

inline std::vector<std::byte> adapter_file(const Pairs& pairs, std::string_view family) {
  GgufWriter writer;
  writer.add_string("general.type", "adapter")
      .add_string("general.architecture", family)
      .add_string("adapter.type", "lora")
      .add_f32("adapter.lora.alpha", kAlpha);
  for (const auto& [name, pair] : pairs) {
    writer.add_f32_tensor(name + ".lora_a", {pair.n_in, pair.rank}, pair.narrow);
    writer.add_f32_tensor(name + ".lora_b", {pair.rank, pair.n_out}, pair.wide);
  }
  return writer.finish();
}

// Of matrices that adapters may change in this model.
inline Pairs pairs_of(const GgufFile& file, std::uint32_t rank, std::uint32_t seed, bool experts) {
  Pairs pairs;
  for (const GgufTensor& tensor : file.tensors()) {
    const std::string layer(tensor.name.substr(0, tensor.name.rfind(".attn_")));
    const bool recurrent = file.find_tensor(layer + ".ssm_out.weight") != nullptr;
    const bool attends = layer != tensor.name && tensor.n_dims == 2 && !recurrent;
    const bool feeds = tensor.name.contains(".ffn_") && tensor.n_dims == 2 && !experts;
    if ((attends || feeds) && tensor.name.ends_with(".weight")) {
      pairs.emplace(tensor.name, random_pair(rank, tensor, seed++));
    }
  }
  return pairs;
}

}  // namespace jarip
