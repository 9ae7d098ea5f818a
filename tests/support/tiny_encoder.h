// A small encoder as llama.cpp's converter would write it, of zeros. For tests and fuzz targets;
// the caller owns it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/gguf_writer.h"

namespace jarip {

inline GgufWriter tiny_encoder(std::uint32_t pooling, bool causal = false) {
  GgufWriter writer;
  writer.add_string("general.architecture", "bert")
      .add_u32("bert.block_count", 1)
      .add_u32("bert.context_length", 8)
      .add_u32("bert.embedding_length", 32)
      .add_u32("bert.feed_forward_length", 32)
      .add_u32("bert.attention.head_count", 2)
      .add_f32("bert.attention.layer_norm_epsilon", 1e-5F)
      .add_bool("bert.attention.causal", causal)
      .add_u32("bert.pooling_type", pooling);
  const auto add = [&](const char* name, std::vector<std::uint64_t> shape) {
    writer.add_tensor(name, Format::kF32, shape);
  };
  add("token_embd.weight", {32, 16});
  add("position_embd.weight", {32, 8});
  for (const char* norm :
       {"token_embd_norm", "blk.0.attn_output_norm", "blk.0.layer_output_norm"}) {
    add((std::string(norm) + ".weight").c_str(), {32});
    add((std::string(norm) + ".bias").c_str(), {32});
  }
  for (const char* matrix : {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_up", "ffn_down"}) {
    add(("blk.0." + std::string(matrix) + ".weight").c_str(), {32, 32});
  }
  return writer;
}

}  // namespace jarip
