// A whole model file of the llama family, small enough that a test may load it: a byte-level
// vocabulary, noise for weights, and a chat template. For tests only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "model/gguf_writer.h"
#include "tests/support/tiny_vocabulary.h"

namespace jarip {

struct TinyModelFile {
  static constexpr std::uint32_t kWidth = 64;
  static constexpr std::uint32_t kHidden = 128;
  static constexpr std::uint32_t kHeads = 4;
  static constexpr std::uint32_t kContext = 256;
  static constexpr std::string_view kTemplate =
      "{% for m in messages %}<|start|>{{ m.role }}\n{{ m.content }}<|end|>{% endfor %}"
      "{{ '<|start|>assistant\\n' }}";

  std::string chat_template{kTemplate};  // empty: none
  std::uint32_t n_spare_rows = 3;        // of the embedding, beyond the tokenizer's tokens
  bool fills_gaps = false;               // its vocabulary has the tokens for that

  // False when the file can't be written.
  [[nodiscard]] bool write_to(const std::filesystem::path& path) const {
    GgufWriter writer;
    add_config(writer);
    const std::uint32_t n_tokens = add_vocabulary(writer);
    if (!chat_template.empty()) writer.add_string("tokenizer.chat_template", chat_template);
    add_weights(writer, n_tokens + n_spare_rows);
    return writer.write_to(path).has_value();
  }

 private:
  static void add_config(GgufWriter& writer) {
    writer.add_string("general.architecture", "llama")
        .add_u32("llama.block_count", 1)
        .add_u32("llama.embedding_length", kWidth)
        .add_u32("llama.feed_forward_length", kHidden)
        .add_u32("llama.context_length", kContext)
        .add_u32("llama.attention.head_count", kHeads)
        .add_u32("llama.attention.head_count_kv", kHeads)
        .add_u32("llama.rope.dimension_count", kWidth / kHeads)
        .add_f32("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  }

  std::uint32_t add_vocabulary(GgufWriter& writer) const {
    TinyVocabulary tiny("smollm");
    tiny.add_token("<|start|>", TokenType::kControl);
    const TokenId end = tiny.add_token("<|end|>", TokenType::kControl);
    if (fills_gaps) {
      for (const char* name : {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"}) {
        tiny.add_token(name, TokenType::kControl);
      }
    }
    std::vector<std::int32_t> types;
    for (const TokenType type : tiny->types) types.push_back(static_cast<std::int32_t>(type));
    writer.add_string("tokenizer.ggml.model", "gpt2")
        .add_string("tokenizer.ggml.pre", "smollm")
        .add_strings("tokenizer.ggml.tokens", tiny->tokens)
        .add_ints("tokenizer.ggml.token_type", types)
        .add_u32("tokenizer.ggml.eos_token_id", end)
        .add_bool("tokenizer.ggml.add_bos_token", false);
    return static_cast<std::uint32_t>(tiny->tokens.size());
  }

  static void add_weights(GgufWriter& writer, std::uint32_t n_vocab) {
    std::mt19937 random(20260113);
    const auto matrix = [&](const std::string& name, std::uint32_t n_rows, std::uint32_t n_cols) {
      std::vector<float> values(std::size_t{n_rows} * n_cols);
      // The generator's own bits: distributions differ from library to library.
      for (float& value : values) value = static_cast<float>(random() % 2001) / 2000.0F - 0.5F;
      writer.add_f32_tensor(name, {n_cols, n_rows}, values);
    };
    const auto ones = [&](const std::string& name) {
      writer.add_f32_tensor(name, {kWidth}, std::vector<float>(kWidth, 1.0F));
    };
    matrix("token_embd.weight", n_vocab, kWidth);
    ones("output_norm.weight");
    ones("blk.0.attn_norm.weight");
    ones("blk.0.ffn_norm.weight");
    for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_output"}) {
      matrix(std::string("blk.0.") + name + ".weight", kWidth, kWidth);
    }
    matrix("blk.0.ffn_gate.weight", kHidden, kWidth);
    matrix("blk.0.ffn_up.weight", kHidden, kWidth);
    matrix("blk.0.ffn_down.weight", kWidth, kHidden);
  }
};

}  // namespace jarip
