#include "model/adapter.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "model/adapter_fixture.h"
#include "model/gguf_writer.h"
#include "model/model_fixture.h"
#include "model/synth.h"
#include "tensor/dequantize.h"
#include "tensor/kernels.h"

namespace jarip {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kTokens = 90;
constexpr std::uint32_t kVocab = 500;
// The model with the adapter worked into its weights: the truth that it is compared with.
std::vector<std::byte> merged_file(const GgufFile& file, const Pairs& pairs) {
  GgufWriter writer;
  for (const GgufValue& value : file.values()) {
    if (value.type == GgufType::kArray) {
      writer.add_array(value.key, value.element_type, value.n_elements, value.bytes);
    } else if (value.type == GgufType::kString) {
      const auto text = std::get<std::string_view>(first_elements(value, 1).front());
      writer.add_string(value.key, text);
    } else {
      writer.add_value(value.key, value.type, value.bytes);
    }
  }
  for (const GgufTensor& tensor : file.tensors()) {
    const std::vector<std::uint64_t> shape(tensor.shape, tensor.shape + tensor.n_dims);
    const auto found = pairs.find(std::string(tensor.name));
    if (found == pairs.end()) {
      writer.add_tensor(tensor.name, tensor.format, shape, tensor.data);
      continue;
    }
    const Pair& pair = found->second;
    std::vector<float> weights(tensor.n_elements);
    dequantize_row(tensor.format, tensor.data, weights);
    for (std::size_t out = 0; out < pair.n_out; ++out) {
      for (std::size_t r = 0; r < pair.rank; ++r) {
        const float by = kAlpha / static_cast<float>(pair.rank) * pair.wide[out * pair.rank + r];
        for (std::size_t in = 0; in < pair.n_in; ++in) {
          weights[out * pair.n_in + in] += by * pair.narrow[r * pair.n_in + in];
        }
      }
    }
    writer.add_f32_tensor(tensor.name, shape, weights);
  }
  return writer.finish();
}

class AdaptedModel : public testing::TestWithParam<std::string_view> {
 protected:
  AdaptedModel() {
    const SynthFamily* family = nullptr;
    for (const SynthFamily& row : synth_families()) {
      if (row.name == GetParam()) family = &row;
    }
    path_ = fs::temp_directory_path() /
            ("jarip-adapter-" + std::to_string(::getpid()) + "-" + std::string(GetParam()));
    ThreadPool pool(2);
    EXPECT_TRUE(write_synthetic_model({.shape = synth_shapes().data(),
                                       .family = family,
                                       .format = FileType::kF32,
                                       .seed = 3,
                                       .path = path_},
                                      pool)
                    .has_value());
    file_ = *GgufFile::open(path_);
    config_ = *read_config(file_);
  }
  ~AdaptedModel() override {
    unsetenv("JARIP_CPU");
    fs::remove(path_);
  }

  [[nodiscard]] Pairs pairs(std::uint32_t rank, std::uint32_t seed) const {
    return pairs_of(file_, rank, seed, config_.n_experts != 0);
  }
  [[nodiscard]] std::unique_ptr<Adapter> load(const Pairs& pairs) {
    bytes_.push_back(adapter_file(pairs, config_.family));
    const auto file = GgufFile::parse(bytes_.back());
    auto adapter = Adapter::load(*file, config_, pool_);
    EXPECT_TRUE(adapter.has_value()) << (adapter ? "" : adapter.error().message);
    return adapter ? *std::move(adapter) : nullptr;
  }

  fs::path path_;
  GgufFile file_;
  ModelConfig config_;
  ThreadPool pool_{1};
  std::vector<std::vector<std::byte>> bytes_;
};

std::vector<float> run(Runner& runner, std::span<const TokenId> tokens, std::size_t chunk_size,
                       const Adapter* adapter) {
  std::vector<float> logits(tokens.size() * runner.n_vocab());
  for (std::size_t at = 0; at < tokens.size(); at += chunk_size) {
    const std::size_t n = std::min(chunk_size, tokens.size() - at);
    SequenceChunk one = runner.chunk(tokens.first(at + n), static_cast<std::uint32_t>(at),
                                     static_cast<std::uint32_t>(n));
    one.adapter = adapter;
    runner.step({&one, 1}, std::span(logits).subspan(at * runner.n_vocab(), n * runner.n_vocab()));
  }
  return logits;
}

TEST_P(AdaptedModel, IsTheModelWithTheAdapterWorkedIn) {
  const auto tokens = random_tokens(kTokens, kVocab, 1);
  const Pairs changes = pairs(5, 40);
  const auto adapter = load(changes);
  const auto merged_bytes = merged_file(file_, changes);
  const auto merged = GgufFile::parse(merged_bytes);
  ASSERT_TRUE(merged.has_value()) << merged.error().message;
  Runner truth(*merged, 2);
  Runner plain(file_, 2);
  const auto expected = truth.run(tokens, kTokens);
  EXPECT_LT(mean_kl(expected, run(plain, tokens, kTokens, adapter.get()), plain.n_vocab()), 1e-7);
  EXPECT_GT(mean_kl(expected, run(plain, tokens, kTokens, nullptr), plain.n_vocab()), 1e-3);
}

TEST_P(AdaptedModel, GivesTheSameBytesForEveryChunkThreadCountAndInstructionSet) {
  const auto tokens = random_tokens(kTokens, kVocab, 2);
  const auto adapter = load(pairs(18, 7));
  Runner plain(file_, 1);
  const auto expected = run(plain, tokens, kTokens, adapter.get());
  Runner threads(file_, 5);
  EXPECT_TRUE(same_bytes(expected, run(threads, tokens, 37, adapter.get())));
  EXPECT_TRUE(same_bytes(expected, run(threads, tokens, 1, adapter.get())));
  for (const Kernels* kernels : available_kernels()) {
    setenv("JARIP_CPU", std::string(kernels->name).c_str(), 1);
    Runner runner(file_, 2);
    EXPECT_TRUE(same_bytes(expected, run(runner, tokens, 64, adapter.get()))) << kernels->name;
  }
}

TEST_P(AdaptedModel, SequencesWithDifferentAdaptersShareABatch) {
  const auto one = load(pairs(4, 11));
  const auto other = load(pairs(9, 12));
  const std::vector<const Adapter*> adapters = {nullptr,     one.get(), one.get(),
                                                other.get(), nullptr,   one.get()};
  const auto n = static_cast<std::uint32_t>(adapters.size());
  Runner batch(file_, 3, {}, n, 128);
  std::vector<std::vector<TokenId>> tokens;
  std::vector<SequenceChunk> chunks;
  for (std::uint32_t s = 0; s < n; ++s) tokens.push_back(random_tokens(3 + 17 * s, kVocab, s));
  for (std::uint32_t s = 0; s < n; ++s) {
    chunks.push_back(batch.chunk(tokens[s], 0, 1, s));
    chunks.back().adapter = adapters[s];
  }
  std::vector<float> logits(std::size_t{n} * batch.n_vocab());
  batch.step(chunks, logits);
  for (std::uint32_t s = 0; s < n; ++s) {
    Runner alone(file_, 2);
    const auto all = run(alone, tokens[s], 5, adapters[s]);
    const std::vector<float> wanted(all.end() - batch.n_vocab(), all.end());
    const auto begin = logits.begin() + std::size_t{s} * batch.n_vocab();
    EXPECT_TRUE(same_bytes(wanted, {begin, begin + batch.n_vocab()})) << s;
  }
}

// One of each way to hold a layer's matrices.
INSTANTIATE_TEST_SUITE_P(Families, AdaptedModel,
                         testing::Values("llama", "qwen2", "phi3", "gemma2", "granite", "olmo2",
                                         "qwen3moe", "qwen35"),
                         [](const auto& name) { return std::string(name.param); });

class AdapterFile : public AdaptedModel {
 protected:
  std::string refusal(const std::vector<std::byte>& bytes) {
    const auto file = GgufFile::parse(bytes);
    EXPECT_TRUE(file.has_value());
    EXPECT_TRUE(is_adapter(*file));
    const auto adapter = Adapter::load(*file, config_, pool_);
    return adapter ? "" : adapter.error().message;
  }
  std::string refusal_with(const std::string& name, Pair pair) {
    Pairs all = pairs(4, 1);
    all[name] = std::move(pair);
    return refusal(adapter_file(all, config_.family));
  }
};

TEST_P(AdapterFile, IsRefusedByTheNameOfWhatDoesNotFit) {
  const GgufTensor& query = *file_.find_tensor("blk.0.attn_q.weight");
  const Pair good = random_pair(4, query, 1);
  EXPECT_NE(refusal(adapter_file(pairs(4, 1), "gemma3")).find("gemma3"), std::string::npos);
  EXPECT_NE(refusal_with("token_embd.weight", good).find("token_embd.weight"), std::string::npos);
  EXPECT_NE(refusal_with("blk.99.attn_q.weight", good).find("blk.99"), std::string::npos);
  EXPECT_NE(refusal_with("blk.0.attn_norm.weight", good).find("attn_norm"), std::string::npos);
  EXPECT_NE(refusal_with("blk.0..weight", good).find("blk.0..weight"), std::string::npos);
  EXPECT_NE(refusal_with("blk.0.ffn_down.weight", good).find("has shape"), std::string::npos);
  EXPECT_NE(refusal_with("blk.0.attn_q.weight", random_pair(5000, query, 1)).find("up to 4096"),
            std::string::npos);
  EXPECT_NE(refusal(adapter_file({}, config_.family)).find("no tensors"), std::string::npos);
}

TEST_P(AdapterFile, IsRefusedWhereHalfOfAPairIsMissing) {
  GgufWriter writer;
  writer.add_string("general.type", "adapter")
      .add_string("general.architecture", config_.family)
      .add_string("adapter.type", "lora")
      .add_f32("adapter.lora.alpha", 8);
  writer.add_f32_tensor("blk.0.attn_q.weight.lora_a", {config_.d_model, 4},
                        std::vector<float>(config_.d_model * 4UL));
  EXPECT_NE(refusal(writer.finish()).find("without blk.0.attn_q.weight.lora_b"), std::string::npos);
}

TEST_P(AdapterFile, IsTakenInAnyFormat) {
  const GgufTensor& query = *file_.find_tensor("blk.0.attn_q.weight");
  const std::uint32_t rank = 32;
  GgufWriter writer;
  writer.add_string("general.type", "adapter")
      .add_string("general.architecture", config_.family)
      .add_string("adapter.type", "lora")
      .add_f32("adapter.lora.alpha", 0);  // no scale of its own
  writer.add_tensor("blk.0.attn_q.weight.lora_a", Format::kF16, {query.shape[0], rank});
  writer.add_tensor("blk.0.attn_q.weight.lora_b", Format::kQ8_0, {rank, query.shape[1]});
  const auto bytes = writer.finish();
  const auto adapter = Adapter::load(*GgufFile::parse(bytes), config_, pool_);
  ASSERT_TRUE(adapter.has_value()) << adapter.error().message;
  const LowRank* pair = (*adapter)->find(0, AdaptedMatrix::kQuery);
  ASSERT_NE(pair, nullptr);
  EXPECT_EQ(pair->scale, 1);
  EXPECT_EQ(pair->rank(), rank);
  EXPECT_EQ((*adapter)->find(0, AdaptedMatrix::kKey), nullptr);
  EXPECT_GT((*adapter)->memory_bytes(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Llama, AdapterFile, testing::Values("llama"));

}  // namespace
}  // namespace jarip
