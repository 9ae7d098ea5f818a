// The engine with a real model: what law L1 promises, on JARIP_TEST_MODEL.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <string>

#include "engine/engine.h"
#include "engine/plain_answer.h"

namespace jarip {
namespace {

constexpr std::uint32_t kContext = 160;
constexpr std::uint32_t kRequests = 16;
constexpr const char* kTexts[] = {
    "The capital of France is",
    "Water boils at a temperature of",
    "안녕하세요. 오늘 서울의 날씨는",
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return",
    ("Once upon a time, in a village between two rivers, there lived a miller who had never seen "
     "the "
     "sea. Every evening he asked the travellers at the inn what it looked like, and every evening "
     "they told him something else. One autumn he closed the mill, packed some bread, and"),
};

// Texts that ask to be repeated, as far as they go: what follows is guessed from them.
constexpr const char* kRepeatedTexts[] = {
    ("Apples, pears, plums, cherries, quinces, apricots and figs.\nThe same list again:\nApples, "
     "pears, plums,"),
    ("one two three four five six seven eight one two three four five six seven eight one two "
     "three four five six seven eight one two"),
    ("서울은 대한민국의 수도이다. 부산은 항구 도시이다.\n다시 쓰면: 서울은 대한민국의 수도"),
    ("def area(width, height):\n    return width * height\n\ndef area(width, height):\n    return"),
};

class EngineModel : public testing::Test {
 protected:
  void SetUp() override {
    const char* path = std::getenv("JARIP_TEST_MODEL");
    if (path == nullptr) GTEST_SKIP() << "JARIP_TEST_MODEL names no model file";
    auto file = GgufFile::open(path);
    ASSERT_TRUE(file.has_value()) << file.error().message;
    file_ = *std::move(file);
    auto tokenizer = Tokenizer::from_gguf(file_);
    ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
    requests_.reserve(kRequests);
    for (std::uint32_t number = 0; number < kRequests; ++number) {
      requests_.push_back(make_request(*tokenizer, number));
    }
  }

  static GenerateRequest make_request(const Tokenizer& tokenizer, std::uint32_t number) {
    GenerateRequest request;
    request.prompt = tokenizer.encode(kTexts[number % std::size(kTexts)]);
    request.prompt.resize(request.prompt.size() - number % 3);
    request.max_new_tokens = 6 + number % 9;
    request.sampling.temperature = number % 2 == 0 ? 0.0F : 0.9F;
    request.sampling.top_p = number % 4 == 1 ? 0.9F : 1.0F;
    request.sampling.seed = number;
    request.n_logprobs = 0;  // a difference in the last bit of a logit shows here first
    return request;
  }

  void set_repeating_requests(float temperature) {
    auto tokenizer = Tokenizer::from_gguf(file_);
    ASSERT_TRUE(tokenizer.has_value());
    for (std::uint32_t number = 0; number < kRequests; ++number) {
      GenerateRequest& request = requests_[number];
      request = {};
      request.prompt = tokenizer->encode(kRepeatedTexts[number % std::size(kRepeatedTexts)]);
      request.max_new_tokens = 14 + number;
      request.sampling.temperature = temperature;
      request.sampling.top_p = number / 4 == 1 ? 0.9F : 1.0F;
      request.sampling.frequency_penalty = number / 4 == 2 ? 0.05F : 0.0F;
      request.sampling.repetition_penalty = number / 4 == 3 ? 1.02F : 1.0F;
      request.sampling.logit_bias = {{request.prompt.back(), 0.5F}};
      request.sampling.seed = number;
      request.end_tokens.assign(tokenizer->end_tokens().begin(), tokenizer->end_tokens().end());
      request.n_logprobs = 2;
    }
  }

  // Answers of a model with this many threads, each alone.
  std::vector<PlainAnswer> answer_alone(unsigned n_threads) {
    ThreadPool pool(n_threads);
    auto model = load_model(file_, pool, load_options_);
    EXPECT_TRUE(model.has_value());
    std::vector<PlainAnswer> answers;
    answers.reserve(requests_.size());
    for (const GenerateRequest& request : requests_) {
      answers.push_back(answer_plainly(**model, request, kContext));
    }
    return answers;
  }

  void expect_in_engine(const std::vector<PlainAnswer>& expected, unsigned n_threads,
                        std::uint32_t max_step_tokens, std::uint32_t n_contexts_of_pages,
                        std::uint32_t max_sequences = kRequests,
                        std::uint32_t max_draft_tokens = kMaxDraftTokens) {
    ThreadPool pool(n_threads);
    auto model = load_model(file_, pool, load_options_);
    ASSERT_TRUE(model.has_value());
    std::deque<EventLog> logs(kRequests);
    const std::uint64_t kv_bytes =
        std::uint64_t{n_contexts_of_pages} * pages_for(kContext) * (*model)->kv_page_bytes();
    auto engine = Engine::create(**model, {.n_ctx = kContext,
                                           .kv_bytes = kv_bytes,
                                           .max_sequences = max_sequences,
                                           .max_step_tokens = max_step_tokens,
                                           .max_draft_tokens = max_draft_tokens,
                                           .prefix_cache = prefix_cache_});
    ASSERT_TRUE(engine.has_value()) << engine.error().message;
    for (std::uint32_t i = 0; i < kRequests; ++i) {
      ASSERT_TRUE((*engine)->submit(requests_[i], logs[i].sink()).has_value());
    }
    for (std::uint32_t i = 0; i < kRequests; ++i) {
      EXPECT_EQ(logs[i].wait().reason, expected[i].reason) << i;
      EXPECT_EQ(logs[i].tokens(), expected[i].tokens) << i;
      EXPECT_EQ(logs[i].logprobs(), expected[i].logprobs) << i;
    }
    stats_ = (*engine)->stats();
    EXPECT_EQ(stats_.n_pages_used, 0U);
  }

  GgufFile file_;
  std::vector<GenerateRequest> requests_;
  EngineStats stats_;
  LoadOptions load_options_;
  bool prefix_cache_ = true;
};

TEST_F(EngineModel, AnswersAreTheSameBytesInEveryBatchChunkSizeAndThreadCount) {
  const std::vector<PlainAnswer> expected = answer_alone(1);
  for (const PlainAnswer& answer : expected) EXPECT_FALSE(answer.tokens.empty());
  expect_in_engine(expected, 1, 256, kRequests);
  EXPECT_LT(stats_.n_steps, 30U) << "the answers were not computed together";
  expect_in_engine(expected, 2, 19, kRequests);
  expect_in_engine(expected, 4, 64, kRequests);
}

TEST_F(EngineModel, AnswersAreTheSameBytesWithAndWithoutDrafts) {
  for (const float temperature : {0.0F, 0.8F}) {
    set_repeating_requests(temperature);
    const std::vector<PlainAnswer> expected = answer_alone(2);
    expect_in_engine(expected, 2, 64, 2, 3, 0);
    EXPECT_EQ(stats_.draft_tokens, 0U);
    const std::uint64_t n_steps_without = stats_.n_steps;
    expect_in_engine(expected, 2, 64, 2, 3);
    EXPECT_GT(stats_.accepted_draft_tokens, 50U);
    EXPECT_GT(stats_.draft_tokens, stats_.accepted_draft_tokens) << "none was ever wrong";
    EXPECT_LT(stats_.n_steps, n_steps_without);
  }
}

// All begin alike, some with a page more, and some are the same throughout.
TEST_F(EngineModel, AnswersAreTheSameBytesWithAndWithoutCachedPrefixes) {
  auto tokenizer = Tokenizer::from_gguf(file_);
  ASSERT_TRUE(tokenizer.has_value());
  const std::vector<TokenId> prefix = tokenizer->encode(kTexts[std::size(kTexts) - 1]);
  ASSERT_GT(prefix.size(), kKvPageTokens);
  for (std::uint32_t number = 0; number < kRequests; ++number) {
    std::vector<TokenId>& prompt = requests_[number].prompt;
    if (number % 2 == 0) prompt.insert(prompt.begin(), prefix.begin(), prefix.end());
    prompt.insert(prompt.begin(), prefix.begin(), prefix.begin() + kKvPageTokens + 7);
    prompt.resize(std::min<std::size_t>(prompt.size(), kContext - 20));
  }
  const std::vector<PlainAnswer> expected = answer_alone(1);
  expect_in_engine(expected, 2, 64, kRequests);
  EXPECT_GE(stats_.prefix_hits, (kRequests - 1) * kKvPageTokens);
  expect_in_engine(expected, 1, 23, 2, 5);
  EXPECT_GE(stats_.prefix_hits, (kRequests - 1) * kKvPageTokens);
  expect_in_engine(expected, 2, 128, 1);
  prefix_cache_ = false;
  expect_in_engine(expected, 2, 64, kRequests);
  EXPECT_EQ(stats_.prefix_hits, 0U);

  prefix_cache_ = true;
  load_options_.kv_format = KvFormat::kQ8_0;
  expect_in_engine(answer_alone(1), 2, 23, 2, 5);
  EXPECT_GE(stats_.prefix_hits, (kRequests - 1) * kKvPageTokens);
}

TEST_F(EngineModel, AnswersAreTheSameBytesWhenPagesAreScarce) {
  expect_in_engine(answer_alone(2), 2, 128, 1);
}

}  // namespace
}  // namespace jarip
