#include "model/encoder_tensors.h"

#include <fmt/format.h>

#include <string>

#include "tensor/dequantize.h"

namespace jarip {
namespace {

Result<LayerNorm> find_norm(TensorFinder& finder, const std::string& name, std::uint32_t n) {
  LayerNorm out;
  JARIP_TRY(out.weight, finder.vector(name + ".weight", n));
  JARIP_TRY(out.bias, finder.vector(name + ".bias", n));
  return out;
}

// A matrix of which rows are added and not multiplied, as floats.
Result<std::vector<float>> find_rows(TensorFinder& finder, const std::string& name,
                                     std::uint32_t n_rows, std::uint32_t n_cols) {
  JARIP_TRY(const StoredMatrix matrix, finder.matrix(name, n_rows, n_cols));
  std::vector<float> out(std::size_t{n_rows} * n_cols);
  dequantize_row(matrix.format, matrix.bytes, out);
  return out;
}

Result<EncoderLayerTensors> find_layer(TensorFinder& finder, const EncoderConfig& config,
                                       std::uint32_t layer) {
  const std::string prefix = fmt::format("blk.{}.", layer);
  const std::uint32_t d = config.shape.d_model;
  const std::uint32_t d_ff = config.shape.d_ff;
  EncoderLayerTensors out;
  JARIP_TRY(out.heads, finder.heads(prefix, d, d, d));
  JARIP_TRY(out.attention_out, finder.projection(prefix + "attn_output", d, d));
  JARIP_TRY(out.attention_norm, find_norm(finder, prefix + "attn_output_norm", d));
  if (config.family->gated) {
    JARIP_TRY(out.gate, finder.projection(prefix + "ffn_gate", d_ff, d));
  }
  JARIP_TRY(out.up, finder.projection(prefix + "ffn_up", d_ff, d));
  JARIP_TRY(out.down, finder.projection(prefix + "ffn_down", d, d_ff));
  JARIP_TRY(out.ff_norm, find_norm(finder, prefix + "layer_output_norm", d));
  return out;
}

}  // namespace

Result<EncoderTensors> find_encoder_tensors(const GgufFile& file, const EncoderConfig& config) {
  TensorFinder finder(file);
  const ModelConfig& shape = config.shape;
  const std::uint32_t d = shape.d_model;
  EncoderTensors out;
  JARIP_TRY(out.embedding, finder.matrix("token_embd.weight", shape.n_vocab, d));
  if (const GgufTensor* types = file.find_tensor("token_types.weight"); types != nullptr) {
    // Only the first two can stand for a text, the second of two.
    const bool has_two = types->shape[1] == 2;
    JARIP_TRY(out.types, find_rows(finder, "token_types.weight", has_two ? 2 : 1, d));
  }
  if (!config.family->rotates) {
    JARIP_TRY(out.positions, find_rows(finder, "position_embd.weight", shape.n_ctx_train, d));
  }
  JARIP_TRY(out.embedding_norm, find_norm(finder, "token_embd_norm", d));
  for (std::uint32_t layer = 0; layer < shape.n_layers; ++layer) {
    JARIP_TRY(out.layers.emplace_back(), find_layer(finder, config, layer));
  }
  if (shape.pooling == Pooling::kRank) {
    if (finder.has("cls.weight")) {
      JARIP_TRY(out.rank_dense, finder.projection("cls", d, d));
    }
    JARIP_TRY(out.rank_out, finder.projection("cls.output", 1, d));
  }
  JARIP_CHECK(finder.refuse_unused());
  return out;
}

}  // namespace jarip
