// For tests of the engine: small requests to a small model, answers held against the plain loop's,
// and a gate that holds the engine's steps.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <semaphore>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "engine/fake_model.h"
#include "engine/plain_answer.h"

namespace jarip {

constexpr std::uint32_t kVocab = 61;
constexpr std::uint32_t kContext = 300;

inline GenerateRequest make_request(std::vector<TokenId> prompt, std::uint32_t max_new_tokens,
                                    std::uint64_t seed = 0) {
  GenerateRequest request;
  request.prompt = std::move(prompt);
  request.max_new_tokens = max_new_tokens;
  request.sampling.seed = seed;
  return request;
}

inline void expect_plain(EventLog& log, FakeModel& model, const GenerateRequest& request,
                         std::uint32_t n_ctx = kContext) {
  const EndEvent& end = log.wait();
  const PlainAnswer plain = answer_plainly(model, request, n_ctx);
  EXPECT_EQ(log.tokens(), plain.tokens);
  EXPECT_EQ(log.logprobs(), plain.logprobs);
  EXPECT_EQ(end.reason, plain.reason);
  EXPECT_EQ(end.n_new_tokens, plain.tokens.size());
  EXPECT_EQ(end.n_prompt_tokens, request.prompt.size());
  EXPECT_EQ(log.n_misplaced(), 0);
}

inline std::unique_ptr<Engine> make_engine(FakeModel& model, const EngineOptions& options = {}) {
  auto engine = Engine::create(model, options);
  EXPECT_TRUE(engine.has_value()) << engine.error().message;
  return *std::move(engine);
}

inline std::uint64_t one_context_bytes(const FakeModel& model) {
  return pages_for(kContext) * model.kv_page_bytes();
}

// Holds the engine's thread at the beginning of its steps until released.
struct Gate {
  std::counting_semaphore<> reached{0};
  std::counting_semaphore<> released{0};
  std::atomic<bool> opened{false};
  void hold() {
    if (opened) return;
    reached.release();
    released.acquire();
  }
  // Holds no step any more, however many follow.
  void open() {
    opened = true;
    released.release();
  }
};

}  // namespace jarip
