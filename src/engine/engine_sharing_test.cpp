// What requests have of each other: pages, the machine, and their place in the queue.
#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <functional>
#include <thread>

#include "engine/engine_fixture.h"

namespace jarip {
namespace {

// As many tokens as wanted, all different from those of other numbers.
std::vector<TokenId> text_of(std::uint32_t number, std::uint32_t n_tokens) {
  std::vector<TokenId> text;
  for (std::uint32_t i = 0; i < n_tokens; ++i) text.push_back((number + i * (number + 1)) % kVocab);
  return text;
}

std::vector<TokenId> joined(std::vector<TokenId> text, const std::vector<TokenId>& end) {
  text.insert(text.end(), end.begin(), end.end());
  return text;
}

class EnginePrefixes : public testing::Test {
 protected:
  // Answers of one engine, one after the other.
  std::uint32_t cached_tokens_of(Engine& engine, const GenerateRequest& request) {
    EventLog log;
    EXPECT_TRUE(engine.submit(request, log.sink()).has_value());
    expect_plain(log, reference_, request);
    return log.wait().n_cached_tokens;
  }

  FakeModel model_{kVocab, kContext};
  FakeModel reference_{kVocab, kContext};
};

TEST_F(EnginePrefixes, AreComputedOnceAndCountedExactly) {
  const auto engine = make_engine(model_, {.max_draft_tokens = 0});
  const auto prefix = text_of(1, 100);
  EXPECT_EQ(cached_tokens_of(*engine, make_request(prefix, 1)), 0U);
  EXPECT_EQ(cached_tokens_of(*engine, make_request(prefix, 1)), 96U);
  EXPECT_EQ(cached_tokens_of(*engine, make_request(joined(prefix, text_of(2, 50)), 1)), 96U);
  EXPECT_EQ(cached_tokens_of(*engine, make_request(joined(prefix, text_of(2, 80)), 1)), 128U);
  EXPECT_EQ(cached_tokens_of(*engine, make_request(joined(text_of(1, 70), {9, 9, 9}), 1)), 64U);
  EXPECT_EQ(model_.n_fed, 100U + 4 + 54 + 52 + 9);
  const EngineStats stats = engine->stats();
  EXPECT_EQ(stats.prefix_hits, 96U + 96 + 128 + 64);
  EXPECT_EQ(stats.prefix_queries, 100U + 100 + 150 + 180 + 73);
  EXPECT_EQ(stats.n_pages_used, 0U);
  EXPECT_EQ(stats.n_pages_cached, 3U + 1 + 1);
}

TEST_F(EnginePrefixes, ThePromptsLastTokenIsComputedAnew) {
  const auto engine = make_engine(model_);
  const auto prefix = text_of(1, 2 * kKvPageTokens);
  EXPECT_EQ(cached_tokens_of(*engine, make_request(prefix, 3)), 0U);
  EXPECT_EQ(cached_tokens_of(*engine, make_request(prefix, 3)), kKvPageTokens);
}

TEST_F(EnginePrefixes, ReachIntoAnswers) {
  const auto engine = make_engine(model_);
  GenerateRequest request = make_request(text_of(1, 50), 60);
  EventLog log;
  ASSERT_TRUE(engine->submit(request, log.sink()).has_value());
  log.wait();
  request.prompt = joined(joined(request.prompt, log.tokens()), {1, 2, 3});
  EXPECT_EQ(cached_tokens_of(*engine, request), 96U);
}

TEST_F(EnginePrefixes, AreSharedWhileTheirFirstUserRunsAndAfterItsCancellation) {
  const auto engine = make_engine(model_);
  Engine& door = *engine;
  EventLog first;
  EventLog second;
  const auto prefix = text_of(1, 100);
  std::binary_semaphore begun{0};
  std::binary_semaphore submitted{0};
  const auto id = engine->submit(make_request(prefix, 200), first.sink([&](const Event& event) {
    const auto* token = std::get_if<TokenEvent>(&event);
    if (token == nullptr || token->index != 0) return;
    begun.release();
    submitted.acquire();
  }));
  begun.acquire();
  const GenerateRequest other = make_request(joined(prefix, {1, 2}), 1);
  ASSERT_TRUE(engine->submit(other, second.sink()).has_value());
  submitted.release();
  expect_plain(second, reference_, other);
  EXPECT_EQ(second.wait().n_cached_tokens, 96U);
  door.cancel(*id);
  first.wait();
  EXPECT_EQ(cached_tokens_of(door, other), 96U);
}

TEST_F(EnginePrefixes, ThatArriveTogetherAreComputedOnce) {
  Gate gate;
  model_.on_step = [&](auto) { gate.hold(); };
  const auto engine = make_engine(
      model_,
      {.kv_bytes = 90 * model_.kv_page_bytes(), .max_step_tokens = 50, .max_draft_tokens = 0});
  EventLog holding;
  ASSERT_TRUE(engine->submit(make_request({1}, 1), holding.sink()).has_value());
  gate.reached.acquire();
  std::deque<EventLog> logs(6);
  std::vector<GenerateRequest> requests;
  for (std::uint32_t i = 0; i < logs.size(); ++i) {
    requests.push_back(make_request(joined(text_of(1, 200), text_of(2 + i, 5 + i)), 1));
    ASSERT_TRUE(engine->submit(requests[i], logs[i].sink()).has_value());
  }
  gate.open();
  std::uint64_t n_cached = 0;
  for (std::uint32_t i = 0; i < logs.size(); ++i) {
    expect_plain(logs[i], reference_, requests[i]);
    n_cached += logs[i].wait().n_cached_tokens;
  }
  EXPECT_EQ(n_cached, 5U * 192U);
  EXPECT_EQ(model_.n_faults, 0U);
}

TEST_F(EnginePrefixes, StayWithinTheirDomain) {
  const auto engine = make_engine(model_);
  GenerateRequest request = make_request(text_of(1, 100), 1);
  request.cache_domain = "a";
  EXPECT_EQ(cached_tokens_of(*engine, request), 0U);
  request.cache_domain = "b";
  EXPECT_EQ(cached_tokens_of(*engine, request), 0U);
  request.cache_domain = "a";
  EXPECT_EQ(cached_tokens_of(*engine, request), 96U);
}

TEST_F(EnginePrefixes, CanBeSwitchedOff) {
  const auto engine = make_engine(model_, {.prefix_cache = false});
  const GenerateRequest request = make_request(text_of(1, 100), 40);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(cached_tokens_of(*engine, request), 0U);
  EXPECT_EQ(engine->stats().prefix_queries, 0U);
  EXPECT_EQ(engine->stats().n_pages_cached, 0U);
}

TEST_F(EnginePrefixes, SaveWhatWasParkedFromBeingComputedAgain) {
  std::uint64_t n_fed[2] = {};
  for (const bool prefix_cache : {false, true}) {
    FakeModel model(kVocab, kContext);
    const auto engine = make_engine(model, {.kv_bytes = one_context_bytes(model),
                                            .max_sequences = 8,
                                            .max_draft_tokens = 0,
                                            .prefix_cache = prefix_cache});
    std::deque<EventLog> logs(8);
    for (std::uint32_t i = 0; i < 8; ++i) {
      ASSERT_TRUE(engine->submit(make_request({i, i + 1}, 120, i), logs[i].sink()).has_value());
    }
    for (std::uint32_t i = 0; i < 8; ++i) {
      expect_plain(logs[i], reference_, make_request({i, i + 1}, 120, i));
      EXPECT_EQ(logs[i].wait().n_cached_tokens, 0U) << "what it computed itself";
    }
    EXPECT_GT(engine->stats().parked, 0U);
    n_fed[prefix_cache ? 1 : 0] = model.n_fed;
  }
  EXPECT_LT(n_fed[1], n_fed[0]);
}

TEST(EngineUsers, AShortQuestionIsNotHeldUpByAnotherUsersLongPrompts) {
  Gate gate;
  FakeModel model(kVocab, 5000);
  int n_steps = 0;
  model.on_step = [&](auto) {
    ++n_steps;
    gate.hold();
  };
  std::deque<EventLog> greedy(20);
  std::deque<EventLog> modest(5);
  const auto engine =
      make_engine(model, {.n_ctx = 5000, .kv_bytes = 9 * pages_for(5000) * model.kv_page_bytes()});
  for (std::uint32_t i = 0; i < greedy.size(); ++i) {
    GenerateRequest request = make_request(text_of(i, 4000), 100);
    request.user = "greedy";
    ASSERT_TRUE(engine->submit(request, greedy[i].sink()).has_value());
  }
  for (std::uint32_t i = 0; i < modest.size(); ++i) {
    gate.reached.acquire();  // a step of the long prompts is under way
    GenerateRequest request = make_request(text_of(40 + i, 50), 1);
    request.user = "modest";
    const int before = n_steps;
    std::atomic<int> answered = 0;
    ASSERT_TRUE(engine
                    ->submit(request, modest[i].sink([&](const Event& event) {
                      if (std::holds_alternative<TokenEvent>(event)) answered = n_steps;
                    }))
                    .has_value());
    gate.released.release();
    gate.reached.acquire();
    gate.released.release();
    modest[i].wait();
    EXPECT_EQ(answered, before + 1) << "the step after the one that was under way";
  }
  for (const EventLog& log : greedy) EXPECT_FALSE(log.ended());
  gate.open();
}

TEST(EngineUsers, WhatIsLeastUrgentIsAnsweredAlthoughUrgentOnesNeverEnd) {
  constexpr int kMostUrgent = 60;
  Gate gate;
  FakeModel model(kVocab, kContext);
  model.on_step = [&](auto) { gate.hold(); };
  std::deque<EventLog> urgent(kMostUrgent + 2);
  EventLog patient;
  std::atomic<int> n_asked = 0;
  const auto engine = make_engine(model, {.max_sequences = 1});
  std::function<void()> ask = [&] {
    if (n_asked >= kMostUrgent) return;
    EventLog& log = urgent[static_cast<std::size_t>(n_asked++)];
    GenerateRequest request = make_request({1, 2}, 2);
    request.priority = -5;
    const auto id = engine->submit(request, log.sink([&](const Event& event) {
      if (std::holds_alternative<EndEvent>(event)) ask();
    }));
    EXPECT_TRUE(id.has_value());
  };
  ask();
  gate.reached.acquire();
  std::atomic<int> n_before = 0;
  GenerateRequest request = make_request({3, 4}, 2);
  request.priority = 5;
  ASSERT_TRUE(
      engine->submit(request, patient.sink([&](const Event&) { n_before = n_asked.load(); }))
          .has_value());
  ask();
  gate.open();
  EXPECT_EQ(patient.wait().reason, FinishReason::kLength);
  for (int i = 0; i < n_asked; ++i) urgent[static_cast<std::size_t>(i)].wait();
  EXPECT_LT(n_before, 12);
}

TEST(EngineDeadlines, WhatWaitsTooLongFailsAndNamesItsField) {
  Gate gate;
  FakeModel model(kVocab, kContext);
  model.on_step = [&](auto) { gate.hold(); };
  const auto engine = make_engine(model, {.max_sequences = 1});
  EventLog first;
  EventLog impatient;
  EventLog patient;
  ASSERT_TRUE(engine->submit(make_request({1}, 3), first.sink()).has_value());
  gate.reached.acquire();
  GenerateRequest request = make_request({2}, 3);
  request.max_queue_ms = 5;
  ASSERT_TRUE(engine->submit(request, impatient.sink()).has_value());
  request.max_queue_ms = 1'000'000;
  ASSERT_TRUE(engine->submit(request, patient.sink()).has_value());
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  gate.open();
  EXPECT_EQ(impatient.wait().reason, FinishReason::kFailed);
  const Error error = impatient.wait().error.value_or(Error{});
  EXPECT_EQ(error.code, ErrorCode::kTimeout);
  EXPECT_EQ(error.where, "max_queue_ms");
  EXPECT_EQ(patient.wait().reason, FinishReason::kLength);
  EXPECT_EQ(first.wait().reason, FinishReason::kLength);
}

TEST(EngineDeadlines, WhatTakesTooLongFailsAndGivesItsPagesBack) {
  FakeModel model(kVocab, kContext);
  model.on_step = [](auto) { std::this_thread::sleep_for(std::chrono::milliseconds(1)); };
  const auto engine = make_engine(model, {.max_draft_tokens = 0});
  GenerateRequest request = make_request({1}, 250);
  request.timeout_ms = 30;
  EventLog log;
  ASSERT_TRUE(engine->submit(request, log.sink()).has_value());
  EXPECT_EQ(log.wait().reason, FinishReason::kFailed);
  const Error error = log.wait().error.value_or(Error{});
  EXPECT_EQ(error.code, ErrorCode::kTimeout);
  EXPECT_EQ(error.where, "timeout");
  EXPECT_GT(log.tokens().size(), 0U);
  EXPECT_EQ(engine->stats().n_pages_used, 0U);
}

}  // namespace
}  // namespace jarip
