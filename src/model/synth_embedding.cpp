#include "model/synth_embedding.h"

#include <fmt/format.h>

#include <cmath>
#include <string>
#include <utility>

#include "model/encoder_config.h"

namespace jarip {
namespace {

constexpr SynthFamily kFamilies[] = {
    {.name = "bert", .architecture = "bert", .bias = true, .pooling = Pooling::kMean, .n_types = 2},
    {.name = "bert-cls",
     .architecture = "bert",
     .bias = true,
     .pooling = Pooling::kFirst,
     .n_types = 1},
    {.name = "nomic-bert",
     .architecture = "nomic-bert",
     .fused = true,
     .pooling = Pooling::kMean,
     .n_types = 2},
    {.name = "jina-bert-v3",
     .architecture = "jina-bert-v3",
     .bias = true,
     .pooling = Pooling::kMean,
     .n_types = 1},
    {.name = "qwen3-embedding", .architecture = "qwen3", .pooling = Pooling::kLast},
    {.name = "bert-rerank",
     .architecture = "bert",
     .bias = true,
     .pooling = Pooling::kRank,
     .n_types = 1},
    {.name = "qwen3-rerank", .architecture = "qwen3", .pooling = Pooling::kRank},
};

class EncoderTensorList {
 public:
  EncoderTensorList(const SynthShape& shape, const FileTypeRow& formats, const SynthFamily& family)
      : shape_(shape),
        formats_(formats),
        family_(family),
        row_(*find_encoder_family(family.architecture)) {}

  void add_vector(std::string name, std::uint64_t n, float mean, float deviation) {
    tensors_.push_back({.name = std::move(name),
                        .format = Format::kF32,
                        .shape = {n},
                        .mean = mean,
                        .deviation = deviation});
  }
  void add_rows(std::string name, Format format, std::uint64_t n_rows, float deviation) {
    tensors_.push_back({.name = std::move(name),
                        .format = format,
                        .shape = {shape_.d_model, n_rows},
                        .mean = 0,
                        .deviation = deviation});
  }
  void add_norm(const std::string& name) {
    add_vector(name + ".weight", shape_.d_model, 1, 0.1F);
    add_vector(name + ".bias", shape_.d_model, 0, 0.1F);
  }
  void add_projection(const std::string& name, std::uint64_t n_rows, std::uint64_t n_cols) {
    tensors_.push_back({.name = name + ".weight",
                        .format = format_of(name + ".weight", n_cols),
                        .shape = {n_cols, n_rows},
                        .mean = 0,
                        .deviation = 1 / std::sqrt(static_cast<float>(n_cols))});
    if (family_.bias) add_vector(name + ".bias", n_rows, 0, 0.3F);
  }
  void add_layer(std::uint32_t layer) {
    const std::string prefix = fmt::format("blk.{}.", layer);
    const std::uint64_t d = shape_.d_model;
    if (family_.fused) {
      add_projection(prefix + "attn_qkv", 3 * d, d);
    } else {
      for (const char* name : {"attn_q", "attn_k", "attn_v"}) add_projection(prefix + name, d, d);
    }
    add_projection(prefix + "attn_output", d, d);
    add_norm(prefix + "attn_output_norm");
    if (row_.gated) add_projection(prefix + "ffn_gate", shape_.d_ff, d);
    add_projection(prefix + "ffn_up", shape_.d_ff, d);
    add_projection(prefix + "ffn_down", d, shape_.d_ff);
    add_norm(prefix + "layer_output_norm");
  }
  void add_all() {
    add_rows("token_embd.weight", format_of("token_embd.weight", shape_.d_model), shape_.n_vocab,
             1);
    add_rows("token_types.weight", Format::kF32, family_.n_types, 0.3F);
    if (!row_.rotates) add_rows("position_embd.weight", Format::kF32, shape_.n_ctx, 0.3F);
    add_norm("token_embd_norm");
    for (std::uint32_t layer = 0; layer < shape_.n_layers; ++layer) add_layer(layer);
    if (family_.pooling != Pooling::kRank) return;
    add_projection("cls", shape_.d_model, shape_.d_model);
    add_projection("cls.output", 1, shape_.d_model);
  }
  [[nodiscard]] std::vector<SynthTensor> take() { return std::move(tensors_); }

 private:
  [[nodiscard]] Format format_of(const std::string& name, std::uint64_t n_cols) const {
    return format_at(formats_.type, formats_.matrix,
                     {.name = name, .n_layers = shape_.n_layers, .n_group = 1, .n_cols = n_cols});
  }

  const SynthShape& shape_;
  const FileTypeRow& formats_;
  const SynthFamily& family_;
  const EncoderFamily& row_;
  std::vector<SynthTensor> tensors_;
};

}  // namespace

std::span<const SynthFamily> synth_embedding_families() { return kFamilies; }

bool is_encoder(const SynthFamily& family) {
  return find_encoder_family(family.architecture) != nullptr;
}

std::vector<SynthTensor> encoder_tensors(const SynthShape& shape, const FileTypeRow& formats,
                                         const SynthFamily& family) {
  EncoderTensorList list(shape, formats, family);
  list.add_all();
  return list.take();
}

void add_encoder_config(GgufWriter& writer, const SynthShape& shape, const SynthFamily& family) {
  const std::string prefix = std::string(family.architecture) + ".";
  writer.add_u32(prefix + "block_count", shape.n_layers)
      .add_u32(prefix + "context_length", shape.n_ctx)
      .add_u32(prefix + "embedding_length", shape.d_model)
      .add_u32(prefix + "feed_forward_length", shape.d_ff)
      .add_u32(prefix + "attention.head_count", shape.n_heads)
      .add_f32(prefix + "attention.layer_norm_epsilon", shape.norm_eps)
      .add_bool(prefix + "attention.causal", false)
      .add_u32("tokenizer.ggml.token_type_count", family.n_types);
  if (find_encoder_family(family.architecture)->rotates) {
    writer.add_f32(prefix + "rope.freq_base", 1000);
  }
}

void add_pooling(GgufWriter& writer, const SynthFamily& family) {
  const std::string prefix = std::string(family.architecture) + ".";
  if (family.pooling == Pooling::kRank && !is_encoder(family)) {
    writer.add_string("tokenizer.chat_template.rerank", "query: {query}\ndocument: {document}\n")
        .add_strings(prefix + "classifier.output_labels", {"yes", "no"});
  }
  writer.add_u32(prefix + "pooling_type", static_cast<std::uint32_t>(family.pooling))
      .add_bool("tokenizer.ggml.add_bos_token", is_encoder(family))
      .add_bool("tokenizer.ggml.add_eos_token", true);
}

}  // namespace jarip
