// Requests for vectors: batches, fairness between users, cancelling, stopping and what is refused,
// over a model that only writes down what it is asked.
#include "engine/embedder.h"

#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <semaphore>
#include <string>
#include <vector>

namespace jarip {
namespace {

// Gives each text its first token and its length.
class FakeEmbedding final : public EmbeddingModel {
 public:
  [[nodiscard]] const EmbeddingFacts& facts() const override { return facts_; }
  [[nodiscard]] std::size_t memory_bytes() const override { return 0; }
  [[nodiscard]] Result<void> embed(std::span<const EmbeddingText> texts,
                                   std::span<float> out) override {
    begun.release();
    if (holds) go.acquire();
    const std::lock_guard lock(mutex);
    std::vector<TokenId>& step = steps.emplace_back();
    for (std::size_t i = 0; i < texts.size(); ++i) {
      step.push_back(texts[i].tokens.front());
      out[2 * i] = static_cast<float>(texts[i].tokens.front());
      out[2 * i + 1] = static_cast<float>(texts[i].tokens.size());
    }
    if (fails) return fail(ErrorCode::kUnavailable, "no memory");
    return {};
  }

  std::atomic<bool> holds = false;
  std::atomic<bool> fails = false;
  std::counting_semaphore<> begun{0};
  std::counting_semaphore<> go{0};
  std::mutex mutex;
  std::vector<std::vector<TokenId>> steps;  // the first tokens of each step's texts

 private:
  EmbeddingFacts facts_{.family = "fake", .name = "", .n_vocab = 1000, .n_ctx = 64, .n_outputs = 2};
};

EmbedRequest request_of(std::string user, TokenId first, std::size_t n_texts,
                        std::size_t n_tokens = 40) {
  EmbedRequest request{.texts = {}, .user = std::move(user)};
  for (std::size_t i = 0; i < n_texts; ++i) {
    std::vector<TokenId> tokens(n_tokens, 1);
    tokens.front() = first + static_cast<TokenId>(i);
    request.texts.push_back({.tokens = std::move(tokens)});
  }
  return request;
}

std::future<Result<EmbedResult>> submit(Embedder& embedder, EmbedRequest request,
                                        EmbedId* id = nullptr) {
  auto promise = std::make_shared<std::promise<Result<EmbedResult>>>();
  auto future = promise->get_future();
  const auto submitted = embedder.submit(std::move(request), [promise](Result<EmbedResult> result) {
    promise->set_value(std::move(result));
  });
  EXPECT_TRUE(submitted.has_value()) << submitted.error().message;
  if (id != nullptr) *id = *submitted;
  return future;
}

TEST(Embedder, GivesEveryTextItsRowInOrder) {
  FakeEmbedding model;
  Embedder embedder(model, {.max_step_tokens = 100});
  EmbedRequest request = request_of("a", 10, 5);
  request.texts[3].tokens.resize(7);
  const auto result = submit(embedder, std::move(request)).get();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->rows, (std::vector<float>{10, 40, 11, 40, 12, 40, 13, 7, 14, 40}));
  EXPECT_EQ(result->n_tokens, 4 * 40 + 7);
  EXPECT_EQ(embedder.stats().prompt_tokens, 4 * 40 + 7);
  EXPECT_EQ(embedder.stats().finished_end, 1);
  EXPECT_EQ(embedder.stats().n_waiting, 0);
}

TEST(Embedder, ComputesTextsOfSeveralRequestsTogether) {
  FakeEmbedding model;
  model.holds = true;
  Embedder embedder(model, {.max_step_tokens = 100});
  auto first = submit(embedder, request_of("a", 1, 1));
  model.begun.acquire();
  auto second = submit(embedder, request_of("b", 2, 1));
  auto third = submit(embedder, request_of("c", 3, 1));
  model.holds = false;
  model.go.release();
  for (auto* future : {&first, &second, &third}) EXPECT_TRUE(future->get().has_value());
  EXPECT_EQ(model.steps, (std::vector<std::vector<TokenId>>{{1}, {2, 3}}));
}

TEST(Embedder, AUsersManyTextsDoNotHoldUpAnothersFew) {
  FakeEmbedding model;
  model.holds = true;
  Embedder embedder(model, {.max_step_tokens = 80});
  auto many = submit(embedder, request_of("a", 100, 50));
  model.begun.acquire();
  auto few = submit(embedder, request_of("b", 1, 2));
  model.go.release();
  for (int step = 0; step < 2; ++step) {
    model.begun.acquire();
    model.go.release();
  }
  ASSERT_EQ(few.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_TRUE(few.get().has_value());
  EXPECT_EQ(many.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  model.holds = false;
  model.go.release();
  EXPECT_TRUE(many.get().has_value());
}

TEST(Embedder, ATextLongerThanAStepIsAStepOfItsOwn) {
  FakeEmbedding model;
  Embedder embedder(model, {.max_step_tokens = 10});
  EXPECT_TRUE(submit(embedder, request_of("a", 1, 3)).get().has_value());
  EXPECT_EQ(model.steps, (std::vector<std::vector<TokenId>>{{1}, {2}, {3}}));
}

TEST(Embedder, CancelledRequestsEndAndOthersGoOn) {
  FakeEmbedding model;
  model.holds = true;
  Embedder embedder(model, {.max_step_tokens = 40});
  EmbedId id = 0;
  auto given_up = submit(embedder, request_of("a", 1, 100), &id);
  model.begun.acquire();
  auto other = submit(embedder, request_of("b", 500, 1));
  embedder.cancel(id);
  embedder.cancel(id);
  embedder.cancel(id + 1000);
  model.holds = false;
  model.go.release();
  const auto result = given_up.get();
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(other.get().has_value());
  EXPECT_LE(model.steps.size(), 3);
  EXPECT_EQ(embedder.stats().finished_cancelled, 1);
}

TEST(Embedder, StoppingEndsWhatWaits) {
  FakeEmbedding model;
  model.holds = true;
  auto embedder = std::make_unique<Embedder>(model, EmbedderOptions{.max_step_tokens = 40});
  auto running = submit(*embedder, request_of("a", 1, 100));
  model.begun.acquire();
  std::jthread stopper([&] { embedder.reset(); });
  model.holds = false;
  model.go.release();
  const auto result = running.get();
  if (!result) EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
}

TEST(Embedder, AFailingStepEndsItsRequestsAndNoOthers) {
  FakeEmbedding model;
  model.fails = true;
  Embedder embedder(model, {});
  const auto result = submit(embedder, request_of("a", 1, 3)).get();
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
  model.fails = false;
  EXPECT_TRUE(submit(embedder, request_of("a", 1, 3)).get().has_value());
}

TEST(Embedder, RefusesWhatCanNotBeComputed) {
  FakeEmbedding model;
  model.holds = true;
  Embedder embedder(model, {.max_queued = 1});
  const auto refused = [&](EmbedRequest request) {
    const auto id = embedder.submit(std::move(request), [](Result<EmbedResult>) { FAIL(); });
    return id ? ErrorCode::kInternal : id.error().code;
  };
  EXPECT_EQ(refused({}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused(request_of("a", 1, 1, 65)), ErrorCode::kContextOverflow);
  EXPECT_EQ(refused(request_of("a", 1000, 1)), ErrorCode::kInvalidArgument);
  EmbedRequest empty = request_of("a", 1, 2);
  empty.texts[1].tokens.clear();
  EXPECT_EQ(refused(std::move(empty)), ErrorCode::kInvalidArgument);
  auto running = submit(embedder, request_of("a", 1, 1, 64));
  EXPECT_EQ(refused(request_of("a", 1, 1)), ErrorCode::kUnavailable);
  model.holds = false;
  model.go.release();
  EXPECT_TRUE(running.get().has_value());
}

TEST(Embedder, HoldsTheVectorsOfSoManyTextsAndNoMore) {
  FakeEmbedding model;
  model.holds = true;
  Embedder embedder(model, {.max_queued_texts = 10});
  auto large = submit(embedder, request_of("a", 1, 20));  // by itself it may be larger
  model.begun.acquire();
  const auto refused = embedder.submit(request_of("b", 1, 1), [](Result<EmbedResult>) { FAIL(); });
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  model.holds = false;
  model.go.release();
  EXPECT_TRUE(large.get().has_value());
  auto first = submit(embedder, request_of("a", 1, 5));
  auto second = submit(embedder, request_of("b", 1, 5));
  EXPECT_TRUE(first.get().has_value());
  EXPECT_TRUE(second.get().has_value());
}

}  // namespace
}  // namespace jarip
