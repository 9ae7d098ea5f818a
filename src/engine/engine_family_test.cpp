// Law L1 in the engine for every family: with windows, experts and sinks too, an answer is the same
// bytes alone, in a batch, in chunks, from cached prefixes and with pages given up and taken again.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>

#include "engine/checkpoints.h"
#include "engine/engine.h"
#include "engine/plain_answer.h"
#include "model/adapter.h"
#include "model/adapter_fixture.h"
#include "model/synth.h"

namespace jarip {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kRequests = 6;
constexpr std::uint32_t kStates = 9;  // of recurrent layers: some checkpoints are lost again
constexpr std::uint32_t kDeep = 16;   // layers; deeper models take their time

class EngineFamily : public testing::TestWithParam<const SynthFamily*> {
 protected:
  EngineFamily() : pool_(2) {
    path_ = fs::temp_directory_path() / ("jarip-engine-family-" + std::to_string(::getpid()) + "-" +
                                         std::string(GetParam()->name) + ".gguf");
    EXPECT_TRUE(write_synthetic_model({.shape = synth_shapes().data(),
                                       .family = GetParam(),
                                       .format = FileType::kQ8_0,
                                       .seed = 6,
                                       .path = path_},
                                      pool_));
    model_ = *load_model(*GgufFile::open(path_), pool_);
    for (std::uint32_t number = 0; number < kRequests; ++number) {
      requests_.push_back(make_request(number));
      expected_.push_back(answer_plainly(*model_, requests_.back(), n_ctx_));
    }
  }
  ~EngineFamily() override { fs::remove(path_); }

  // All begin alike; every second goes on alike.
  [[nodiscard]] GenerateRequest make_request(std::uint32_t number) const {
    std::mt19937 shared(1);
    std::mt19937 own(number % 2 == 0 ? 2 : number + 2);
    GenerateRequest request;
    for (std::uint32_t i = 0; i < n_shared_; ++i) request.prompt.push_back(shared() % 500);
    for (std::uint32_t i = 0; i < 60 + number * 9; ++i) request.prompt.push_back(own() % 500);
    request.max_new_tokens = 6 + number;
    request.sampling.temperature = number % 3 == 0 ? 0.0F : 0.9F;
    request.sampling.seed = number;
    request.n_logprobs = 0;
    return request;
  }

  void expect_in_engine(std::uint32_t max_step_tokens, std::uint32_t n_contexts_of_pages,
                        bool prefix_cache) {
    const std::uint64_t kv_bytes =
        std::uint64_t{n_contexts_of_pages} * pages_for(n_ctx_) * model_->kv_page_bytes();
    auto engine = Engine::create(*model_, {.n_ctx = n_ctx_,
                                           .kv_bytes = kv_bytes,
                                           .states_bytes = kStates * model_->state_bytes(),
                                           .max_sequences = kRequests,
                                           .max_step_tokens = max_step_tokens,
                                           .prefix_cache = prefix_cache});
    ASSERT_TRUE(engine.has_value()) << engine.error().message;
    std::deque<EventLog> logs(kRequests);
    for (std::uint32_t i = 0; i < kRequests; ++i) {
      ASSERT_TRUE((*engine)->submit(requests_[i], logs[i].sink()).has_value());
    }
    for (std::uint32_t i = 0; i < kRequests; ++i) {
      EXPECT_EQ(logs[i].wait().reason, expected_[i].reason) << i;
      EXPECT_EQ(logs[i].tokens(), expected_[i].tokens) << i;
      EXPECT_EQ(logs[i].logprobs(), expected_[i].logprobs) << i;
    }
    if (prefix_cache) {
      EXPECT_GT((*engine)->stats().prefix_hits, n_shared_) << "nothing came from the cache";
    } else {
      EXPECT_EQ((*engine)->stats().prefix_hits, 0U);
    }
  }

  // Tokens that prompts begin with: more than a window, and if there are recurrent layers more than
  // lie between two checkpoints.
  const bool recurrent_ = row_of(*GetParam()).recurrent;
  const std::uint32_t n_shared_ = recurrent_ ? kCheckpointTokens + 20 : 150;
  const std::uint32_t n_ctx_ = n_shared_ + 170;
  ThreadPool pool_;
  fs::path path_;
  std::unique_ptr<Model> model_;
  std::vector<GenerateRequest> requests_;
  std::vector<PlainAnswer> expected_;
};

TEST_P(EngineFamily, AnswersAreTheSameBytesInEveryBatchAndFromCachedPrefixes) {
  expect_in_engine(256, kRequests, false);
  expect_in_engine(47, kRequests, true);
  expect_in_engine(128, 1, true);
}

TEST_P(EngineFamily, RequestsWithDifferentAdaptersShareBatchesAndNoPrefixes) {
  const GgufFile file = *GgufFile::open(path_);
  const ModelConfig& config = model_->config();
  std::vector<std::unique_ptr<Adapter>> adapters(3);  // the first: none
  for (std::uint32_t i = 1; i < 3; ++i) {
    const auto bytes = adapter_file(pairs_of(file, 3 * i, i, config.n_experts != 0), config.family);
    adapters[i] = *Adapter::load(*GgufFile::parse(bytes), config, pool_);
  }
  for (std::uint32_t i = 0; i < kRequests; ++i) {
    requests_[i].adapter = adapters[i % 3].get();
    if (i % 3 == 0) continue;
    const PlainAnswer adapted = answer_plainly(*model_, requests_[i], n_ctx_);
    EXPECT_NE(adapted.logprobs, expected_[i].logprobs) << i;
    expected_[i] = adapted;
  }
  expect_in_engine(256, kRequests, false);
  expect_in_engine(47, kRequests, true);
}

// Builds that are slow try what between them has every part of a layer.
bool is_tried(const SynthFamily& family) {
  constexpr std::string_view kSome[] = {"olmo3", "gemma2", "phi3-longrope", "gpt-oss", "qwen35"};
  return n_layers_of(synth_shapes().front(), family) <= kDeep &&
         (!JARIP_SLOW_BUILD || std::ranges::find(kSome, family.name) != std::end(kSome));
}

std::vector<const SynthFamily*> tried_families() {
  std::vector<const SynthFamily*> out;
  for (const SynthFamily& family : synth_families()) {
    if (is_tried(family)) out.push_back(&family);
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(, EngineFamily, testing::ValuesIn(tried_families()), [](const auto& info) {
  std::string name(info.param->name);
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace jarip
