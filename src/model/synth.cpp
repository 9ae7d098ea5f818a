#include "model/synth.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/first_error.h"
#include "model/gguf_writer.h"
#include "model/synth_embedding.h"
#include "model/synth_vocabulary.h"
#include "model/synth_weights.h"
#include "tensor/dequantize.h"

namespace jarip {
namespace {

constexpr std::uint64_t kAlignment = 32;  // GGUF's own, where a file names none
constexpr std::uint32_t kQuantizationVersion = 2;

// The numbers of SmolLM2-135M and Llama-3.2-1B; the first's context is longer than the original's,
// so that one file serves every length that is measured.
constexpr std::array kShapes = {
    SynthShape{.name = "llama-tiny",
               .n_layers = 2,
               .d_model = 256,
               .n_heads = 4,
               .n_kv_heads = 2,
               .head_dim = 64,
               .d_ff = 512,
               .n_vocab = 512,
               .n_ctx = 2048,
               .rope_base = 10000,
               .norm_eps = 1e-5F,
               .pretokenizer = "smollm"},
    SynthShape{.name = "llama-135m",
               .n_layers = 30,
               .d_model = 576,
               .n_heads = 9,
               .n_kv_heads = 3,
               .head_dim = 64,
               .d_ff = 1536,
               .n_vocab = 49152,
               .n_ctx = 32768,
               .rope_base = 100000,
               .norm_eps = 1e-5F,
               .pretokenizer = "smollm"},
    SynthShape{.name = "llama-1b",
               .n_layers = 16,
               .d_model = 2048,
               .n_heads = 32,
               .n_kv_heads = 8,
               .head_dim = 64,
               .d_ff = 8192,
               .n_vocab = 128256,
               .n_ctx = 131072,
               .rope_base = 500000,
               .norm_eps = 1e-5F,
               .pretokenizer = "llama-bpe"},
};

// What keeps activations near one through any number of layers: a matrix leaves the size of a
// normalized row as it is, and the two that add to the residual stream share its growth.
class TensorList {
 public:
  TensorList(const SynthShape& shape, const FileTypeRow& formats, const SynthFamily& family)
      : shape_(shape),
        formats_(formats),
        family_(family),
        row_(row_of(family)),
        n_layers_(n_layers_of(shape, family)) {}

  void add_vector(std::string name, std::uint64_t n, float mean, float deviation) {
    tensors_.push_back({.name = std::move(name),
                        .format = Format::kF32,
                        .shape = {n},
                        .mean = mean,
                        .deviation = deviation});
  }
  void add_norm(std::string name) { add_vector(std::move(name), shape_.d_model, 1, 0.1F); }
  // n of them, one after the other.
  void add_matrix(std::string name, Format format, std::uint64_t n_rows, std::uint64_t n_cols,
                  float gain = 1, std::uint64_t n = 1) {
    const MatrixPlace place{.name = name,
                            .n_layers = n_layers_,
                            .n_group = shape_.n_heads / shape_.n_kv_heads,
                            .n_cols = n_cols};
    const Format chosen = format_at(formats_.type, format, place);
    tensors_.push_back({.name = std::move(name),
                        .format = chosen,
                        .shape = {n_cols, n_rows},
                        .mean = 0,
                        .deviation = gain / std::sqrt(static_cast<float>(n_cols))});
    if (n != 1) tensors_.back().shape.push_back(n);
  }
  void add_layer(std::uint32_t layer) {
    const std::string prefix = fmt::format("blk.{}.", layer);
    const Format favoured = matters_more(layer, n_layers_) ? formats_.favoured : formats_.matrix;
    if (row_.pre_norm) add_norm(prefix + "attn_norm.weight");
    if (is_recurrent(family_, layer)) {
      add_recurrent(prefix);
    } else {
      add_attention(prefix, favoured);
    }
    if (row_.post_norm) add_norm(prefix + "post_attention_norm.weight");
    if (row_.pre_norm) add_norm(fmt::format("{}{}.weight", prefix, row_.ff_norm));
    if (family_.n_experts != 0) {
      add_experts(prefix, favoured);
    } else {
      add_feed_forward(prefix, favoured);
    }
    if (row_.post_norm) add_norm(prefix + "post_ffw_norm.weight");
  }
  void add_rope_factors() {
    const std::uint64_t n_pairs = shape_.head_dim / 2;
    if (family_.rope == SynthRope::kFactors) add_vector("rope_freqs.weight", n_pairs, 3, 0.3F);
    if (family_.rope != SynthRope::kLongrope) return;
    add_vector("rope_factors_long.weight", n_pairs, 6, 0.6F);
    add_vector("rope_factors_short.weight", n_pairs, 1.2F, 0.05F);
  }
  [[nodiscard]] std::vector<SynthTensor> take() { return std::move(tensors_); }

 private:
  void add_bias(bool there, std::string name, std::uint64_t n_rows, std::uint64_t n = 1) {
    if (!there) return;
    add_vector(std::move(name), n_rows, 0, 0.3F);
    if (n != 1) tensors_.back().shape.push_back(n);
  }
  void add_attention(const std::string& prefix, Format favoured) {
    const std::uint64_t query_dim = std::uint64_t{shape_.n_heads} * shape_.head_dim;
    const std::uint64_t kv_dim = std::uint64_t{shape_.n_kv_heads} * shape_.head_dim;
    const std::uint64_t query_rows = row_.gated_attention ? 2 * query_dim : query_dim;
    const bool bias = family_.bias || family_.all_bias;
    if (family_.fused) {
      add_matrix(prefix + "attn_qkv.weight", favoured, query_dim + 2 * kv_dim, shape_.d_model);
    } else {
      add_matrix(prefix + "attn_q.weight", formats_.matrix, query_rows, shape_.d_model);
      add_matrix(prefix + "attn_k.weight", formats_.matrix, kv_dim, shape_.d_model);
      add_matrix(prefix + "attn_v.weight", favoured, kv_dim, shape_.d_model);
    }
    add_bias(bias, prefix + "attn_q.bias", query_dim);
    add_bias(bias, prefix + "attn_k.bias", kv_dim);
    add_bias(bias, prefix + "attn_v.bias", kv_dim);
    if (row_.head_norm != HeadNorm::kNone) {
      const bool all = row_.head_norm == HeadNorm::kAllHeads;
      add_vector(prefix + "attn_q_norm.weight", all ? query_dim : shape_.head_dim, 1, 0.1F);
      add_vector(prefix + "attn_k_norm.weight", all ? kv_dim : shape_.head_dim, 1, 0.1F);
    }
    if (row_.sinks) add_vector(prefix + "attn_sinks.weight", shape_.n_heads, 1, 1);
    add_matrix(prefix + "attn_output.weight", formats_.matrix, shape_.d_model, query_dim,
               residual_gain());
    add_bias(family_.all_bias, prefix + "attn_output.bias", shape_.d_model);
  }
  // Decays that forget slowly, so that what is far away can still be seen.
  void add_recurrent(const std::string& prefix) {
    const RecurrentConfig net = recurrent_of(shape_);
    const std::uint64_t n_heads = net.n_value_heads;
    add_matrix(prefix + "attn_qkv.weight", formats_.matrix, net.mixed_dim(), shape_.d_model);
    add_matrix(prefix + "attn_gate.weight", formats_.matrix, net.value_dim(), shape_.d_model);
    add_matrix(prefix + "ssm_conv1d.weight", Format::kF32, net.mixed_dim(), net.conv_width);
    add_vector(prefix + "ssm_dt.bias", n_heads, -2, 1);
    add_vector(prefix + "ssm_a", n_heads, -0.3F, 0.05F);
    add_matrix(prefix + "ssm_beta.weight", formats_.matrix, n_heads, shape_.d_model);
    add_matrix(prefix + "ssm_alpha.weight", formats_.matrix, n_heads, shape_.d_model);
    add_vector(prefix + "ssm_norm.weight", net.head_dim, 1, 0.1F);
    add_matrix(prefix + "ssm_out.weight", formats_.matrix, shape_.d_model, net.value_dim(),
               residual_gain());
  }
  void add_feed_forward(const std::string& prefix, Format favoured) {
    if (family_.fused) {
      add_matrix(prefix + "ffn_up.weight", formats_.matrix, 2 * shape_.d_ff, shape_.d_model);
    } else {
      add_matrix(prefix + "ffn_gate.weight", formats_.matrix, shape_.d_ff, shape_.d_model);
      add_matrix(prefix + "ffn_up.weight", formats_.matrix, shape_.d_ff, shape_.d_model);
    }
    add_matrix(prefix + "ffn_down.weight", favoured, shape_.d_model, shape_.d_ff, residual_gain());
  }
  void add_experts(const std::string& prefix, Format favoured) {
    const std::uint64_t n = family_.n_experts;
    const bool bias = family_.all_bias;
    add_matrix(prefix + "ffn_gate_inp.weight", Format::kF32, n, shape_.d_model);
    add_bias(bias, prefix + "ffn_gate_inp.bias", n);
    add_matrix(prefix + "ffn_gate_exps.weight", formats_.matrix, shape_.d_ff, shape_.d_model, 1, n);
    add_bias(bias, prefix + "ffn_gate_exps.bias", shape_.d_ff, n);
    add_matrix(prefix + "ffn_up_exps.weight", formats_.matrix, shape_.d_ff, shape_.d_model, 1, n);
    add_bias(bias, prefix + "ffn_up_exps.bias", shape_.d_ff, n);
    add_matrix(prefix + "ffn_down_exps.weight", favoured, shape_.d_model, shape_.d_ff,
               residual_gain(), n);
    add_bias(bias, prefix + "ffn_down_exps.bias", shape_.d_model, n);
    if (!row_.shared_expert) return;
    add_vector(prefix + "ffn_gate_inp_shexp.weight", shape_.d_model, 0,
               1 / std::sqrt(static_cast<float>(shape_.d_model)));
    add_matrix(prefix + "ffn_gate_shexp.weight", formats_.matrix, shape_.d_ff, shape_.d_model);
    add_matrix(prefix + "ffn_up_shexp.weight", formats_.matrix, shape_.d_ff, shape_.d_model);
    add_matrix(prefix + "ffn_down_shexp.weight", favoured, shape_.d_model, shape_.d_ff,
               residual_gain());
  }
  [[nodiscard]] float residual_gain() const {
    return 1 / std::sqrt(2 * static_cast<float>(n_layers_));
  }

  const SynthShape& shape_;
  const FileTypeRow& formats_;
  const SynthFamily& family_;
  const Family& row_;
  std::uint32_t n_layers_;
  std::vector<SynthTensor> tensors_;
};

void add_config(GgufWriter& writer, const SynthShape& shape, const SynthFamily& family,
                const FileTypeRow& formats) {
  const std::string prefix = std::string(family.architecture) + ".";
  writer.add_string("general.architecture", family.architecture)
      .add_string("general.name", fmt::format("{} of made-up weights", shape.name))
      .add_u32("general.file_type", formats.number)
      .add_u32("general.quantization_version", kQuantizationVersion);
  if (is_encoder(family)) return add_encoder_config(writer, shape, family);
  writer.add_u32(prefix + "block_count", n_layers_of(shape, family))
      .add_u32(prefix + "context_length", shape.n_ctx)
      .add_u32(prefix + "embedding_length", shape.d_model)
      .add_u32(prefix + "feed_forward_length", shape.d_ff)
      .add_u32(prefix + "attention.head_count", shape.n_heads)
      .add_u32(prefix + "attention.head_count_kv", shape.n_kv_heads)
      .add_u32(prefix + "attention.key_length", shape.head_dim)
      .add_u32(prefix + "attention.value_length", shape.head_dim)
      .add_f32(prefix + "attention.layer_norm_rms_epsilon", shape.norm_eps)
      .add_u32(prefix + "rope.dimension_count", rope_dim_of(shape, family))
      .add_f32(prefix + "rope.freq_base", shape.rope_base)
      .add_u32(prefix + "vocab_size", shape.n_vocab);
  add_family_config(writer, shape, family);
}

void add_vocabulary(GgufWriter& writer, const SynthShape& shape, const SynthFamily& family) {
  const SynthVocabulary vocabulary(shape.n_vocab);
  writer.add_string("tokenizer.ggml.model", "gpt2")
      .add_string("tokenizer.ggml.pre", shape.pretokenizer)
      .add_strings("tokenizer.ggml.tokens", vocabulary.tokens)
      .add_ints("tokenizer.ggml.token_type", vocabulary.types)
      .add_strings("tokenizer.ggml.merges", vocabulary.merges)
      .add_u32("tokenizer.ggml.bos_token_id", vocabulary.end)
      .add_u32("tokenizer.ggml.eos_token_id", vocabulary.end);
  if (family.pooling != Pooling::kNone) return add_pooling(writer, family);
  writer.add_bool("tokenizer.ggml.add_bos_token", false);
}

// A stretch of one tensor: what one task generates and writes.
struct Stretch {
  std::uint32_t tensor;
  std::uint64_t first;  // weight of the tensor
  std::uint64_t n_weights;
  std::uint64_t offset;  // in the file
};

constexpr std::uint64_t kStretchWeights = 1U << 18U;
constexpr std::size_t kStretchesAtOnce = 32;  // between two calls of on_progress

struct Layout {
  std::vector<std::byte> head;
  std::vector<Stretch> stretches;
  std::uint64_t n_bytes = 0;
};

Layout lay_out(const SynthRequest& request, const std::vector<SynthTensor>& tensors) {
  GgufWriter writer;
  add_config(writer, *request.shape, *request.family, file_type_row(request.format));
  add_vocabulary(writer, *request.shape, *request.family);
  Layout layout;
  std::uint64_t end = 0;  // of the data section so far
  for (std::uint32_t i = 0; i < tensors.size(); ++i) {
    const SynthTensor& tensor = tensors[i];
    end = (end + kAlignment - 1) / kAlignment * kAlignment;
    writer.add_tensor_record(tensor.name, format_row(tensor.format).ggml_type, tensor.shape, end);
    const std::uint64_t n_weights = tensor.n_elements();
    for (std::uint64_t first = 0; first < n_weights; first += kStretchWeights) {
      layout.stretches.push_back({.tensor = i,
                                  .first = first,
                                  .n_weights = std::min(kStretchWeights, n_weights - first),
                                  .offset = end + row_bytes(tensor.format, first)});
    }
    end += row_bytes(tensor.format, n_weights);
  }
  layout.head = writer.head();
  for (Stretch& stretch : layout.stretches) stretch.offset += layout.head.size();
  layout.n_bytes = layout.head.size() + end;
  return layout;
}

Result<void> write_stretch(const NewFile& file, const SynthTensor& tensor, const Stretch& stretch,
                           const SynthWeights& weights) {
  std::vector<std::byte> bytes(row_bytes(tensor.format, stretch.n_weights));
  float values[SynthWeights::kRun];
  for (std::uint64_t done = 0; done < stretch.n_weights; done += SynthWeights::kRun) {
    const std::uint64_t n = std::min<std::uint64_t>(SynthWeights::kRun, stretch.n_weights - done);
    const std::span run = std::span(values).first(n);
    weights.generate(stretch.tensor, (stretch.first + done) / SynthWeights::kRun, tensor.mean,
                     tensor.deviation, run);
    encode_weights(
        tensor.format, run,
        std::span(bytes).subspan(row_bytes(tensor.format, done), row_bytes(tensor.format, n)));
  }
  return file.write_at(stretch.offset, bytes);
}

}  // namespace

std::span<const SynthShape> synth_shapes() { return kShapes; }

std::uint64_t SynthTensor::n_elements() const {
  std::uint64_t n = 1;
  for (const std::uint64_t dimension : shape) n *= dimension;
  return n;
}

std::vector<SynthTensor> synth_tensors(const SynthShape& shape, FileType format,
                                       const SynthFamily& family) {
  const FileTypeRow& formats = file_type_row(format);
  if (is_encoder(family)) return encoder_tensors(shape, formats, family);
  TensorList list(shape, formats, family);
  list.add_matrix("token_embd.weight", formats.output, shape.n_vocab, shape.d_model);
  list.add_rope_factors();
  const std::uint32_t n_layers = n_layers_of(shape, family);
  for (std::uint32_t layer = 0; layer < n_layers; ++layer) list.add_layer(layer);
  list.add_norm("output_norm.weight");
  if (family.output) {
    list.add_matrix("output.weight", formats.output, shape.n_vocab, shape.d_model);
  }
  if (family.pooling == Pooling::kRank) {
    list.add_matrix("cls.output.weight", Format::kF32, 2, shape.d_model);
  }
  return list.take();
}

std::string synth_name(const SynthShape& shape, const SynthFamily& family) {
  constexpr std::string_view kLlama = "llama";  // which the shapes are named after
  return std::string(family.name) + std::string(shape.name.substr(kLlama.size()));
}

Result<std::uint64_t> write_synthetic_model(const SynthRequest& request, ThreadPool& pool) {
  const std::vector<SynthTensor> tensors =
      synth_tensors(*request.shape, request.format, *request.family);
  const Layout layout = lay_out(request, tensors);
  JARIP_TRY(NewFile file, NewFile::create(request.path, layout.n_bytes, request.existing));
  JARIP_CHECK(file.write_at(0, layout.head));
  const SynthWeights weights(request.seed);
  const std::span stretches(layout.stretches);
  FirstError error;
  for (std::size_t done = 0; done < stretches.size();) {
    const auto batch = stretches.subspan(done, std::min(kStretchesAtOnce, stretches.size() - done));
    pool.run(static_cast<std::uint32_t>(batch.size()), [&](std::uint32_t task, unsigned) {
      if (error.is_set()) return;
      const Stretch& stretch = batch[task];
      auto written = write_stretch(file, tensors[stretch.tensor], stretch, weights);
      if (!written) error.set(std::move(written).error());
    });
    JARIP_CHECK(error.result());
    done += batch.size();
    if (request.on_progress) {
      request.on_progress(static_cast<float>(done) / static_cast<float>(stretches.size()));
    }
  }
  JARIP_CHECK(file.publish());
  return layout.n_bytes;
}

}  // namespace jarip
