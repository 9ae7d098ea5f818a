#include "cli/inspect.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "model/gguf_writer.h"

namespace jarip {
namespace {

// As much of a llama as its configuration needs.
GgufWriter tiny_llama() {
  GgufWriter writer;
  writer.add_string("general.architecture", "llama")
      .add_string("general.name", "tiny\x1b[31m\n두 줄")
      .add_u32("llama.block_count", 3)
      .add_u32("llama.context_length", 4096)
      .add_u32("llama.embedding_length", 64)
      .add_u32("llama.feed_forward_length", 128)
      .add_u32("llama.attention.head_count", 4)
      .add_u32("llama.attention.head_count_kv", 2)
      .add_f32("llama.attention.layer_norm_rms_epsilon", 1e-5F)
      .add_i32("llama.below", -1)
      .add_f32("llama.infinite", std::numeric_limits<float>::infinity())
      .add_ints("llama.list", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
      .add_strings("tokenizer.ggml.tokens", {"a", "\xff"})
      .add_tensor("token_embd.weight", Format::kQ8_0, {64, 10})
      .add_tensor("output_norm.weight", Format::kF32, {64});
  return writer;
}

bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

TEST(Inspect, TextSaysWhatTheFileHoldsAndWhatItNeeds) {
  const auto bytes = tiny_llama().finish();
  const auto file = GgufFile::parse(bytes);
  ASSERT_TRUE(file) << file.error().message;
  const std::string text = inspect_as_text(*file, "/m/tiny.gguf");
  for (const std::string_view part : {
           "model       tiny\\x1b[31m\\n두 줄\n",
           "family      llama\n",
           "file        /m/tiny.gguf (",
           "parameters  704 in 2 tensors\n",
           // 3 layers of 2 heads of 16 keys and 16 values, 2 bytes each: 384 bytes a token.
           "  KV cache in f16, 1,024 tokens                 384.0 KiB     384.9 KiB\n",
           "  KV cache in f16, full context, 4,096 tokens     1.5 MiB       1.5 MiB\n",
           // One byte each and a scale of two bytes for 16 keys or values: 216 bytes.
           "  KV cache in q8_0, 1,024 tokens                216.0 KiB     216.9 KiB\n",
           "  KV cache in q8_0, full context, 4,096 tokens  864.0 KiB     864.9 KiB\n",
           "  Q8_0          1      640  680 B  72.6 %\n",
           "  F32           1       64  256 B  27.4 %\n",
           "  llama.list                              I32[10]    1, 2, 3, 4, 5, 6, 7, 8, …\n",
           "  token_embd.weight   64 x 10  Q8_0      680",
       }) {
    EXPECT_TRUE(holds(text, part)) << part << "\nin\n" << text;
  }
  EXPECT_FALSE(holds(text, "\x1b"));
}

TEST(Inspect, JsonHoldsTheSameNumbers) {
  const auto bytes = tiny_llama().finish();
  const auto file = GgufFile::parse(bytes);
  ASSERT_TRUE(file);
  const auto answer = boost::json::parse(inspect_as_json(*file, "/m/tiny.gguf"));
  EXPECT_EQ(answer.at("path"), "/m/tiny.gguf");
  EXPECT_EQ(answer.at("bytes").to_number<std::uint64_t>(), bytes.size());
  EXPECT_EQ(answer.at("gguf_version"), 3);
  EXPECT_EQ(answer.at("parameters"), 704);
  EXPECT_EQ(answer.at("memory").at("weights"), 936);
  const auto& kv = answer.at("memory").at("kv");
  EXPECT_EQ(kv.at("f16").at("per_1024_tokens"), 384 * 1024);
  EXPECT_EQ(kv.at("f16").at("full_context"), 384 * 4096);
  EXPECT_EQ(kv.at("q8_0").at("per_1024_tokens"), 216 * 1024);
  EXPECT_EQ(kv.at("q8_0").at("full_context"), 216 * 4096);

  const auto& metadata = answer.at("metadata");
  EXPECT_EQ(metadata.at("llama.below"), -1);
  EXPECT_EQ(metadata.at("llama.infinite"), "inf");
  EXPECT_EQ(metadata.at("llama.attention.layer_norm_rms_epsilon"), 1e-5);
  EXPECT_EQ(metadata.at("llama.list").at("count"), 10);
  EXPECT_EQ(metadata.at("llama.list").at("first").as_array().size(), 8U);
  EXPECT_EQ(metadata.at("tokenizer.ggml.tokens").at("first").at(1), "\xEF\xBF\xBD");

  const auto& tensor = answer.at("tensors").at(0);
  EXPECT_EQ(tensor.at("name"), "token_embd.weight");
  EXPECT_EQ(tensor.at("shape"), boost::json::value({64, 10}));
  EXPECT_EQ(tensor.at("format"), "Q8_0");
  EXPECT_EQ(tensor.at("offset").to_number<std::uint64_t>(), file->tensors()[0].offset);
}

TEST(Inspect, DescribesAModelThatCannotRunAndSaysWhy) {
  const auto bytes = GgufWriter().add_string("general.architecture", "whisper").finish();
  const auto file = GgufFile::parse(bytes);
  ASSERT_TRUE(file);
  EXPECT_TRUE(holds(inspect_as_text(*file, "w"), "  can't run here: the model is of family"));
  const auto answer = boost::json::parse(inspect_as_json(*file, "w"));
  EXPECT_TRUE(holds(answer.at("memory").at("error").as_string(), "whisper"));
  EXPECT_EQ(answer.at("formats").as_array().size(), 0U);
}

}  // namespace
}  // namespace jarip
