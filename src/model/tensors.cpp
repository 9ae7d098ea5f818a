#include "model/tensors.h"

#include <fmt/format.h>

#include <string>
#include <unordered_set>

#include "tensor/dequantize.h"

namespace jarip {
namespace {

class TensorFinder {
 public:
  explicit TensorFinder(const GgufFile& file) : file_(file) {}

  // A matrix of n_rows outputs by n_cols inputs, or a vector when n_rows is 0.
  Result<const GgufTensor*> find(const std::string& name, std::uint64_t n_cols,
                                 std::uint64_t n_rows = 0) {
    const GgufTensor* tensor = file_.find_tensor(name);
    if (tensor == nullptr) {
      return fail(ErrorCode::kCorrupt, fmt::format("tensor {} is missing", name), name);
    }
    const std::uint64_t want_rows = n_rows == 0 ? 1 : n_rows;
    if (tensor->shape[0] != n_cols || tensor->shape[1] != want_rows || tensor->shape[2] != 1 ||
        tensor->shape[3] != 1) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("tensor {} has shape [{}, {}]; the model's numbers call for [{}, {}]",
                              name, tensor->shape[0], tensor->shape[1], n_cols, want_rows),
                  name);
    }
    used_.insert(name);
    return tensor;
  }

  Result<void> refuse_unused() const {
    for (const GgufTensor& tensor : file_.tensors()) {
      if (used_.contains(std::string(tensor.name))) continue;
      return fail(ErrorCode::kUnsupported,
                  fmt::format("tensor {} isn't one that this family is known to have; the model "
                              "can't run here without changing its answers",
                              tensor.name),
                  std::string(tensor.name));
    }
    return {};
  }

 private:
  const GgufFile& file_;
  std::unordered_set<std::string> used_;
};

Result<LayerTensors> find_layer(TensorFinder& finder, const ModelConfig& config,
                                std::uint32_t layer) {
  const std::uint64_t d_model = config.d_model;
  const std::uint64_t query_dim = std::uint64_t{config.n_heads} * config.head_dim;
  const std::uint64_t kv_dim = std::uint64_t{config.n_kv_heads} * config.head_dim;
  const std::string prefix = fmt::format("blk.{}.", layer);
  LayerTensors out{};
  JARIP_TRY(out.attention_norm, finder.find(prefix + "attn_norm.weight", d_model));
  JARIP_TRY(out.query, finder.find(prefix + "attn_q.weight", d_model, query_dim));
  JARIP_TRY(out.key, finder.find(prefix + "attn_k.weight", d_model, kv_dim));
  JARIP_TRY(out.value, finder.find(prefix + "attn_v.weight", d_model, kv_dim));
  JARIP_TRY(out.attention_out, finder.find(prefix + "attn_output.weight", query_dim, d_model));
  JARIP_TRY(out.ff_norm, finder.find(prefix + "ffn_norm.weight", d_model));
  JARIP_TRY(out.gate, finder.find(prefix + "ffn_gate.weight", d_model, config.d_ff));
  JARIP_TRY(out.up, finder.find(prefix + "ffn_up.weight", d_model, config.d_ff));
  JARIP_TRY(out.down, finder.find(prefix + "ffn_down.weight", config.d_ff, d_model));
  return out;
}

}  // namespace

Result<ModelTensors> find_tensors(const GgufFile& file, const ModelConfig& config) {
  TensorFinder finder(file);
  ModelTensors out{};
  JARIP_TRY(out.embedding, finder.find("token_embd.weight", config.d_model, config.n_vocab));
  JARIP_TRY(out.output_norm, finder.find("output_norm.weight", config.d_model));
  out.output = out.embedding;
  if (!config.tied_embedding) {
    JARIP_TRY(out.output, finder.find("output.weight", config.d_model, config.n_vocab));
  }
  if (file.find_tensor("rope_freqs.weight") != nullptr) {
    JARIP_TRY(out.rope_factors, finder.find("rope_freqs.weight", config.rope_dim / 2));
  }
  for (std::uint32_t layer = 0; layer < config.n_layers; ++layer) {
    JARIP_TRY(out.layers.emplace_back(), find_layer(finder, config, layer));
  }
  JARIP_CHECK(finder.refuse_unused());
  return out;
}

std::vector<float> read_vector(const GgufTensor& tensor) {
  std::vector<float> out(tensor.n_elements);
  dequantize_row(tensor.format, tensor.data, out);
  return out;
}

}  // namespace jarip
