#include "engine/engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <deque>
#include <limits>
#include <semaphore>
#include <set>
#include <thread>

#include "engine/engine_fixture.h"

namespace jarip {
namespace {

// Every fifth token of the answer is this one.
ForceToken every_fifth(TokenId token) {
  return [token, n = 0U](std::optional<TokenId> last) mutable {
    if (last) ++n;
    return n % 5 == 4 ? std::optional(token) : std::nullopt;
  };
}

// Requests of all kinds, each a function of its number.
GenerateRequest varied_request(std::uint32_t number) {
  GenerateRequest request;
  const std::uint32_t n_prompt = 1 + number * 37 % 170;
  for (std::uint32_t i = 0; i < n_prompt; ++i) request.prompt.push_back((number + i * i) % kVocab);
  request.max_new_tokens = 1 + number * 29 % 150;
  request.sampling.seed = number;
  request.sampling.temperature = static_cast<float>(number % 4) * 0.4F;
  if (number % 3 == 0) request.sampling.top_k = 1 + number % 20;
  if (number % 3 == 1) request.sampling.top_p = 0.8F;
  if (number % 5 == 0) request.sampling.repetition_penalty = 1.3F;
  if (number % 5 == 1) request.sampling.frequency_penalty = 0.2F;
  if (number % 7 == 0) request.sampling.logit_bias = {{number % kVocab, 2.0F}};
  if (number % 2 == 0) request.end_tokens = {number % kVocab};
  if (number % 6 == 0) request.n_logprobs = number % 4;
  if (number % 4 == 3) request.force = every_fifth(number % kVocab);
  return request;
}
TEST(Engine, AnAnswerIsWhatThePlainLoopGives) {
  FakeModel model(kVocab, kContext);
  FakeModel reference(kVocab, kContext);
  const auto engine = make_engine(model);
  for (std::uint32_t number = 0; number < 12; ++number) {
    EventLog log;
    ASSERT_TRUE(engine->submit(varied_request(number), log.sink()).has_value());
    expect_plain(log, reference, varied_request(number));
  }
  EXPECT_EQ(model.n_faults, 0U);
}

TEST(Engine, BatchAndChunkSizeNeverChangeAnAnswer) {
  FakeModel reference(kVocab, kContext);
  for (const std::uint32_t max_step_tokens : {1U, 3U, 16U, 64U, 256U}) {
    FakeModel model(kVocab, kContext);
    const auto engine =
        make_engine(model, {.max_sequences = 16, .max_step_tokens = max_step_tokens});
    std::deque<EventLog> logs(24);
    for (std::uint32_t number = 0; number < 24; ++number) {
      ASSERT_TRUE(engine->submit(varied_request(number), logs[number].sink()).has_value());
    }
    for (std::uint32_t number = 0; number < 24; ++number) {
      expect_plain(logs[number], reference, varied_request(number));
    }
    EXPECT_EQ(model.n_faults, 0U);
    EXPECT_EQ(engine->stats().n_pages_used, 0U);
  }
}

TEST(Engine, ScarcePagesParkSequencesAndChangeNoAnswer) {
  FakeModel model(kVocab, kContext);
  FakeModel reference(kVocab, kContext);
  const auto engine =
      make_engine(model, {.kv_bytes = one_context_bytes(model), .max_sequences = 8});
  std::deque<EventLog> logs(16);
  for (std::uint32_t i = 0; i < 16; ++i) {
    // Short prompts and long answers: all start, and soon there is no room for all.
    ASSERT_TRUE(engine->submit(make_request({i, i + 1}, 120, i), logs[i].sink()).has_value());
  }
  for (std::uint32_t i = 0; i < 16; ++i) {
    expect_plain(logs[i], reference, make_request({i, i + 1}, 120, i));
  }
  EXPECT_EQ(model.n_faults, 0U);
  const EngineStats stats = engine->stats();
  EXPECT_GT(stats.parked, 0U);
  EXPECT_EQ(stats.n_pages_used, 0U);
  EXPECT_EQ(stats.prompt_tokens, 32U);  // computing again doesn't count again
  EXPECT_EQ(stats.new_tokens, 16U * 120U);
}

TEST(Engine, TheContextsEndEndsAnAnswer) {
  FakeModel model(kVocab, kContext);
  FakeModel reference(kVocab, kContext);
  const auto engine = make_engine(model, {.n_ctx = 100});
  EXPECT_EQ(engine->n_ctx(), 100U);
  for (const std::uint32_t n_prompt : {1U, 60U, 64U, 98U, 99U}) {
    EventLog log;
    const GenerateRequest request =
        make_request(std::vector<TokenId>(n_prompt, 5), std::numeric_limits<std::uint32_t>::max());
    ASSERT_TRUE(engine->submit(request, log.sink()).has_value());
    EXPECT_EQ(log.wait().reason, FinishReason::kLength);
    EXPECT_EQ(log.tokens().size(), 100 - n_prompt);
    expect_plain(log, reference, request, 100);
  }
}

TEST(Engine, AnEndTokenEndsTheAnswerAndIsOnlyInTheEndEvent) {
  FakeModel model(kVocab, kContext);
  const auto engine = make_engine(model);
  GenerateRequest request = make_request({1, 2, 3}, 50);
  EventLog free_run;
  ASSERT_TRUE(engine->submit(request, free_run.sink()).has_value());
  free_run.wait();
  ASSERT_EQ(free_run.tokens().size(), 50U);
  // End at the first occurrence of the 20th token.
  const TokenId end_token = free_run.tokens()[20];
  const auto first = std::ranges::find(free_run.tokens(), end_token);
  const std::vector<TokenId> expected(free_run.tokens().begin(), first);

  request.end_tokens = {kVocab - 1 == end_token ? 0 : kVocab - 1, end_token};
  std::erase_if(request.end_tokens, [&](TokenId token) {
    return token != end_token && std::ranges::find(expected, token) != expected.end();
  });
  EventLog ended;
  ASSERT_TRUE(engine->submit(request, ended.sink()).has_value());
  const EndEvent& end = ended.wait();
  EXPECT_EQ(end.reason, FinishReason::kEndToken);
  EXPECT_EQ(end.end_token, end_token);
  EXPECT_EQ(ended.tokens(), expected);
  EXPECT_EQ(end.n_new_tokens, expected.size());

  request.ignore_end_tokens = true;
  EventLog ignored;
  ASSERT_TRUE(engine->submit(request, ignored.sink()).has_value());
  EXPECT_EQ(ignored.wait().reason, FinishReason::kLength);
  EXPECT_EQ(ignored.wait().end_token, std::nullopt);
  EXPECT_EQ(ignored.tokens(), free_run.tokens());
}

TEST(Engine, LogprobsComeWithEachTokenWhenAskedFor) {
  FakeModel model(kVocab, kContext);
  const auto engine = make_engine(model);
  GenerateRequest request = make_request({7}, 5);
  request.n_logprobs = 4;
  std::vector<TokenEvent> events;
  EventLog log;
  ASSERT_TRUE(engine
                  ->submit(request, log.sink([&](const Event& event) {
                    if (auto* token = std::get_if<TokenEvent>(&event)) events.push_back(*token);
                  }))
                  .has_value());
  log.wait();
  ASSERT_EQ(events.size(), 5U);
  for (const TokenEvent& event : events) {
    EXPECT_LT(event.logprob.value_or(1.0F), 0.0F);
    EXPECT_EQ(event.alternatives.size(), 4U);
  }
}

TEST(Engine, RequestsOutOfRangeAreRefusedByName) {
  FakeModel model(kVocab, kContext);
  const auto engine = make_engine(model);
  const float nan = std::nanf("");
  struct Case {
    std::function<void(GenerateRequest&)> change;
    ErrorCode code;
    std::string where;
  };
  const std::vector<Case> cases = {
      {[](auto& r) { r.prompt.clear(); }, ErrorCode::kInvalidArgument, "prompt"},
      {[](auto& r) { r.prompt.push_back(kVocab); }, ErrorCode::kInvalidArgument, "prompt"},
      {[](auto& r) { r.prompt.assign(kContext, 1); }, ErrorCode::kContextOverflow, "prompt"},
      {[](auto& r) { r.max_new_tokens = 0; }, ErrorCode::kInvalidArgument, "max_new_tokens"},
      {[](auto& r) { r.end_tokens = {kVocab}; }, ErrorCode::kInvalidArgument, "end_tokens"},
      {[](auto& r) { r.n_logprobs = 21; }, ErrorCode::kInvalidArgument, "n_logprobs"},
      {[](auto& r) { r.sampling.temperature = -0.1F; }, ErrorCode::kInvalidArgument, "temperature"},
      {[=](auto& r) { r.sampling.temperature = nan; }, ErrorCode::kInvalidArgument, "temperature"},
      {[](auto& r) { r.sampling.top_p = 1.1F; }, ErrorCode::kInvalidArgument, "top_p"},
      {[=](auto& r) { r.sampling.top_p = nan; }, ErrorCode::kInvalidArgument, "top_p"},
      {[](auto& r) { r.sampling.min_p = -1; }, ErrorCode::kInvalidArgument, "min_p"},
      {[](auto& r) { r.sampling.repetition_penalty = 0; }, ErrorCode::kInvalidArgument,
       "repetition_penalty"},
      {[=](auto& r) { r.sampling.presence_penalty = nan; }, ErrorCode::kInvalidArgument,
       "presence_penalty"},
      {[](auto& r) { r.sampling.frequency_penalty = 1e30F; }, ErrorCode::kInvalidArgument,
       "frequency_penalty"},
      {[](auto& r) { r.sampling.logit_bias = {{kVocab, 0.0F}}; }, ErrorCode::kInvalidArgument,
       "logit_bias"},
      {[=](auto& r) { r.sampling.logit_bias = {{0, nan}}; }, ErrorCode::kInvalidArgument,
       "logit_bias"},
      {[](auto& r) { r.user = std::string(kMaxNameBytes + 1, 'x'); }, ErrorCode::kInvalidArgument,
       "user"},
      {[](auto& r) { r.cache_domain = std::string(kMaxNameBytes + 1, 'x'); },
       ErrorCode::kInvalidArgument, "cache_domain"},
      {[](auto& r) { r.user_weight = 0; }, ErrorCode::kInvalidArgument, "user_weight"},
  };
  for (const Case& c : cases) {
    GenerateRequest request = make_request({1}, 1);
    c.change(request);
    const auto id =
        engine->submit(std::move(request), [](const Event&) { ADD_FAILURE() << "sink called"; });
    ASSERT_FALSE(id.has_value()) << c.where;
    EXPECT_EQ(id.error().code, c.code) << c.where;
    EXPECT_EQ(id.error().where, c.where) << id.error().message;
  }
}

TEST(Engine, ContextOverflowNamesBothNumbers) {
  FakeModel model(kVocab, kContext);
  const auto engine = make_engine(model, {.n_ctx = 40});
  const auto id = engine->submit(make_request(std::vector<TokenId>(57, 1), 1), [](const Event&) {});
  ASSERT_FALSE(id.has_value());
  EXPECT_NE(id.error().message.find("57"), std::string::npos);
  EXPECT_NE(id.error().message.find("40"), std::string::npos);
}

TEST(Engine, OptionsOutOfRangeAreRefusedByName) {
  FakeModel model(kVocab, kContext);
  const std::pair<EngineOptions, std::string> cases[] = {
      {{.n_ctx = 1}, "n_ctx"},
      {{.n_ctx = kContext + 1}, "n_ctx"},
      {{.kv_bytes = one_context_bytes(model) - 1}, "kv_bytes"},
      {{.kv_bytes = std::numeric_limits<std::uint64_t>::max()}, "kv_bytes"},
      {{.max_sequences = 0}, "max_sequences"},
      {{.max_sequences = 1'000'000}, "max_sequences"},
      {{.max_queued = 1'000'000}, "max_queued"},
      {{.max_step_tokens = 0}, "max_step_tokens"},
      {{.max_step_tokens = 1'000'000}, "max_step_tokens"},
      {{.max_draft_tokens = kMaxDraftTokens + 1}, "max_draft_tokens"},
  };
  for (const auto& [options, where] : cases) {
    const auto engine = Engine::create(model, options);
    ASSERT_FALSE(engine.has_value()) << where;
    EXPECT_EQ(engine.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(engine.error().where, where);
  }
}

TEST(Engine, DefaultsTakeTheModelsContextUpToTheCapAndTwoOfThemInPages) {
  FakeModel small(kVocab, kContext);
  FakeModel large(kVocab, 100'000);
  EXPECT_EQ(make_engine(small)->n_ctx(), kContext);
  EXPECT_EQ(make_engine(small)->stats().n_pages, 2 * pages_for(kContext));
  EXPECT_EQ(make_engine(large)->n_ctx(), 8192U);
  EXPECT_EQ(make_engine(large, {.n_ctx = 50'000})->n_ctx(), 50'000U);
}

TEST(Engine, LogitsThatAreNotFiniteFailOneSequenceAndNoOther) {
  FakeModel model(kVocab, kContext);
  FakeModel reference(kVocab, kContext);
  model.poison = reference.poison = 60;
  const auto engine = make_engine(model);
  GenerateRequest healthy = make_request({1, 2}, 80);
  healthy.sampling.logit_bias = {{60, -1000.0F}};
  EventLog failing;
  EventLog going_on;
  ASSERT_TRUE(engine->submit(healthy, going_on.sink()).has_value());
  ASSERT_TRUE(engine->submit(make_request({3, 60}, 80), failing.sink()).has_value());
  const EndEvent& end = failing.wait();
  EXPECT_EQ(end.reason, FinishReason::kFailed);
  const Error error = end.error.value_or(Error{ErrorCode::kIo, {}, {}});
  EXPECT_EQ(error.code, ErrorCode::kInternal);
  EXPECT_NE(error.message.find("not finite"), std::string::npos);
  EXPECT_TRUE(failing.tokens().empty());
  expect_plain(going_on, reference, healthy);
  EXPECT_EQ(engine->stats().finished_failed, 1U);
}

TEST(Engine, AFullQueueRefusesAndHasRoomAgainAfterAnEnd) {
  Gate gate;
  FakeModel model(kVocab, kContext);
  model.on_step = [&](auto) { gate.hold(); };
  std::deque<EventLog> logs(4);
  const auto engine = make_engine(model, {.max_sequences = 1, .max_queued = 2});
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(engine->submit(make_request({1}, 1), logs[i].sink()).has_value());
  }
  gate.reached.acquire();
  EXPECT_EQ(engine->stats().n_running, 1U);
  EXPECT_EQ(engine->stats().n_waiting, 2U);
  const auto refused = engine->submit(make_request({1}, 1), logs[3].sink());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(refused.error().retry_after_s, 1U);
  gate.open();
  logs[0].wait();
  EXPECT_TRUE(engine->submit(make_request({1}, 1), logs[3].sink()).has_value());
  for (EventLog& log : logs) EXPECT_EQ(log.wait().reason, FinishReason::kLength);
}

TEST(Engine, CancelTakesEffectBeforeTheNextStep) {
  Gate gate;
  FakeModel model(kVocab, kContext);
  model.on_step = [&](auto) { gate.hold(); };
  EventLog log;
  EventLog queued;
  const auto engine = make_engine(model, {.max_sequences = 1});
  const auto id = engine->submit(make_request({1}, 100), log.sink());
  const auto queued_id = engine->submit(make_request({1}, 100), queued.sink());
  for (int step = 0; step < 3; ++step) {
    gate.reached.acquire();
    gate.released.release();
  }
  gate.reached.acquire();  // in its fourth step
  engine->cancel(*id);
  engine->cancel(*id);
  engine->cancel(*queued_id);
  engine->cancel(12345);
  gate.open();
  EXPECT_EQ(log.wait().reason, FinishReason::kCancelled);
  EXPECT_EQ(log.tokens().size(), 4U);
  EXPECT_EQ(queued.wait().reason, FinishReason::kCancelled);
  EXPECT_TRUE(queued.tokens().empty());
  EXPECT_EQ(queued.wait().prefill_ms, 0.0);
  const EngineStats stats = engine->stats();
  EXPECT_EQ(stats.n_pages_used, 0U);
  EXPECT_EQ(stats.n_running + stats.n_waiting, 0U);
  EXPECT_EQ(stats.finished_cancelled, 2U);
}

TEST(Engine, ASinkMayCancelItsOwnSequence) {
  FakeModel model(kVocab, kContext);
  EventLog log;
  std::atomic<SequenceId> id{0};
  const auto engine = make_engine(model);
  Engine& door = *engine;
  id = *engine->submit(make_request({1}, 200), log.sink([&](const Event& event) {
    const auto* token = std::get_if<TokenEvent>(&event);
    while (id == 0) std::this_thread::yield();
    if (token != nullptr && token->index == 9) door.cancel(id);
  }));
  EXPECT_EQ(log.wait().reason, FinishReason::kCancelled);
  EXPECT_EQ(log.tokens().size(), 10U);
}

TEST(Engine, ASinkMaySubmitTheNextRequestAndReadStats) {
  FakeModel model(kVocab, kContext);
  FakeModel reference(kVocab, kContext);
  EventLog first;
  EventLog second;
  const auto engine = make_engine(model, {.max_sequences = 1, .max_queued = 0});
  Engine& door = *engine;
  ASSERT_TRUE(engine
                  ->submit(make_request({1}, 3), first.sink([&](const Event& event) {
                    if (!std::holds_alternative<EndEvent>(event)) return;
                    EXPECT_EQ(door.stats().n_running, 0U);
                    EXPECT_EQ(door.stats().n_pages_used, 0U);
                    EXPECT_TRUE(door.submit(make_request({2}, 3), second.sink()).has_value());
                  }))
                  .has_value());
  expect_plain(second, reference, make_request({2}, 3));
}

TEST(Engine, StoppingCancelsWhatRunsAndWaitsAndEmitsEveryEnd) {
  Gate gate;
  FakeModel model(kVocab, kContext);
  model.on_step = [&](auto) {
    gate.hold();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // the answers outlast the stopping
  };
  std::deque<EventLog> logs(10);
  {
    const auto engine = make_engine(model, {.max_sequences = 4});
    for (EventLog& log : logs) {
      ASSERT_TRUE(engine->submit(make_request({1, 2}, 250), log.sink()).has_value());
    }
    gate.reached.acquire();
    gate.released.release(3);  // some steps are computed, then the engine stops amid one
    for (int step = 0; step < 3; ++step) gate.reached.acquire();
    gate.open();
  }
  for (EventLog& log : logs) {
    ASSERT_TRUE(log.ended());
    EXPECT_NE(log.wait().reason, FinishReason::kFailed);
    EXPECT_EQ(log.n_misplaced(), 0);
  }
  EXPECT_EQ(logs.back().wait().reason, FinishReason::kCancelled);
}

TEST(Engine, DecodingGoesOnInEveryStepWhileALongPromptIsComputed) {
  FakeModel model(kVocab, 5000);
  std::vector<std::size_t> chunks_in_step;
  model.on_step = [&](std::span<const SequenceChunk> chunks) {
    bool prompt = false;
    std::size_t n_decoding = 0;
    for (const SequenceChunk& chunk : chunks) {
      prompt = prompt || (chunk.n_logits == 0 && chunk.position > 0);
      n_decoding += chunk.tokens.size() == 1 ? 1U : 0U;
    }
    if (prompt) chunks_in_step.push_back(n_decoding);
  };
  EventLog decoding;
  EventLog long_prompt;
  std::binary_semaphore begun{0};
  std::binary_semaphore submitted{0};
  {
    const auto engine = make_engine(model, {.n_ctx = 5000, .max_step_tokens = 32});
    const auto hold_first = [&](const Event& event) {
      const auto* token = std::get_if<TokenEvent>(&event);
      if (token == nullptr || token->index != 0) return;
      begun.release();
      submitted.acquire();
    };
    ASSERT_TRUE(engine->submit(make_request({1}, 2000), decoding.sink(hold_first)).has_value());
    begun.acquire();
    ASSERT_TRUE(engine->submit(make_request(std::vector<TokenId>(2000, 3), 1), long_prompt.sink())
                    .has_value());
    submitted.release();
    long_prompt.wait();
  }
  ASSERT_GE(chunks_in_step.size(), 60U);
  for (const std::size_t n_decoding : chunks_in_step) EXPECT_EQ(n_decoding, 1U);
}

// A model whose text repeats itself, which is what drafts are for.
constexpr std::uint32_t kPeriod = 11;

GenerateRequest repeating_request(std::uint32_t number, std::uint32_t max_new_tokens) {
  std::vector<TokenId> prompt;
  for (std::uint32_t i = 0; i < 3 * kPeriod; ++i) prompt.push_back((number + 5 * i) % kPeriod);
  GenerateRequest request = make_request(prompt, max_new_tokens, number);
  request.sampling.temperature = static_cast<float>(number % 3) * 0.5F;
  return request;
}

struct RepeatingModel : FakeModel {
  RepeatingModel() : FakeModel(kVocab, kContext) { period = kPeriod; }
};

TEST(EngineDrafts, EverySettingGivesTheSameAnswersInFewerStepsIfAny) {
  RepeatingModel reference;
  std::uint64_t n_steps_without = 0;
  for (const std::uint32_t max_draft_tokens : {0U, 1U, 4U, kMaxDraftTokens}) {
    RepeatingModel model;
    bool spare_pages = false;
    model.on_step = [&](std::span<const SequenceChunk> chunks) {
      for (const SequenceChunk& chunk : chunks) {
        const auto n_fed = static_cast<std::uint32_t>(chunk.tokens.size());
        spare_pages = spare_pages || chunk.pages.size() > pages_for(chunk.position + n_fed);
      }
    };
    const auto engine = make_engine(model, {.max_draft_tokens = max_draft_tokens});
    for (std::uint32_t number = 0; number < 9; ++number) {
      EventLog log;
      const GenerateRequest request = repeating_request(number, 200);
      ASSERT_TRUE(engine->submit(request, log.sink()).has_value());
      expect_plain(log, reference, request);
    }
    const EngineStats stats = engine->stats();
    EXPECT_EQ(model.n_faults, 0U);
    EXPECT_FALSE(spare_pages) << "pages of wrong drafts were kept";
    if (max_draft_tokens == 0) {
      n_steps_without = stats.n_steps;
      EXPECT_EQ(stats.draft_tokens, 0U);
    } else {
      EXPECT_GT(stats.accepted_draft_tokens, 100U);
      EXPECT_GT(stats.draft_tokens, stats.accepted_draft_tokens) << "none was ever wrong";
      EXPECT_EQ(stats.n_steps, n_steps_without - stats.accepted_draft_tokens);
    }
  }
}

TEST(EngineDrafts, TheAnswersEndIsNeverOvershot) {
  RepeatingModel reference;
  RepeatingModel model;
  const auto engine = make_engine(model, {.n_ctx = 100});
  for (std::uint32_t max_new_tokens = 1; max_new_tokens < 80; ++max_new_tokens) {
    EventLog log;
    const GenerateRequest request = repeating_request(0, max_new_tokens);
    ASSERT_TRUE(engine->submit(request, log.sink()).has_value());
    EXPECT_EQ(log.wait().reason, FinishReason::kLength);
    expect_plain(log, reference, request, 100);
  }
  EXPECT_GT(engine->stats().accepted_draft_tokens, 100U);
  EXPECT_EQ(model.n_faults, 0U);
}

TEST(EngineDrafts, AnEndTokenAmongThemEndsTheAnswer) {
  RepeatingModel reference;
  RepeatingModel model;
  const auto engine = make_engine(model);
  GenerateRequest request = repeating_request(0, 200);
  EventLog free_run;
  ASSERT_TRUE(engine->submit(request, free_run.sink()).has_value());
  free_run.wait();
  for (const TokenId end_token : std::set(free_run.tokens().begin(), free_run.tokens().end())) {
    request.end_tokens = {end_token};
    EventLog log;
    ASSERT_TRUE(engine->submit(request, log.sink()).has_value());
    expect_plain(log, reference, request);
    EXPECT_EQ(log.wait().end_token, end_token);
  }
  EXPECT_EQ(engine->stats().n_pages_used, 0U);
}

TEST(EngineDrafts, ACancelByTheSinkIsNotOvertakenByTokensOfTheSameStep) {
  RepeatingModel model;
  const auto engine = make_engine(model);
  Engine& door = *engine;
  for (const std::uint32_t last : {40U, 41U, 42U, 43U, 44U, 45U, 46U, 47U}) {
    EventLog log;
    std::atomic<SequenceId> id{0};
    id = *engine->submit(repeating_request(0, 200), log.sink([&](const Event& event) {
      const auto* token = std::get_if<TokenEvent>(&event);
      while (id == 0) std::this_thread::yield();
      if (token != nullptr && token->index == last) door.cancel(id);
    }));
    EXPECT_EQ(log.wait().reason, FinishReason::kCancelled);
    EXPECT_EQ(log.wait().n_new_tokens, last + 1);
    EXPECT_EQ(log.tokens().size(), last + 1);
  }
  EXPECT_GT(engine->stats().accepted_draft_tokens, 100U);
  EXPECT_EQ(engine->stats().n_pages_used, 0U);
}

TEST(EngineDrafts, LogitsThatAreNotFiniteBehindAWrongDraftHarmNobody) {
  RepeatingModel model;
  RepeatingModel reference;
  const TokenId poison = 3;
  model.poison = reference.poison = poison;
  bool fed = false;
  model.on_step = [&](std::span<const SequenceChunk> chunks) {
    for (const SequenceChunk& chunk : chunks) {
      fed = fed || (chunk.n_logits > 1 && std::ranges::count(chunk.tokens, poison) > 0);
    }
  };
  const auto engine = make_engine(model);
  GenerateRequest request = repeating_request(0, 100);
  request.sampling.logit_bias = {{poison, -1000.0F}};  // in the prompt and guessed, never drawn
  EventLog log;
  ASSERT_TRUE(engine->submit(request, log.sink()).has_value());
  expect_plain(log, reference, request);
  EXPECT_EQ(log.wait().reason, FinishReason::kLength);
  EXPECT_TRUE(fed);
}

TEST(Engine, TimesAreMeasuredFromSubmission) {
  FakeModel model(kVocab, kContext);
  model.on_step = [](auto) { std::this_thread::sleep_for(std::chrono::milliseconds(2)); };
  EventLog log;
  const auto engine = make_engine(model, {.max_step_tokens = 10});
  ASSERT_TRUE(engine->submit(make_request(std::vector<TokenId>(30, 1), 4), log.sink()).has_value());
  const EndEvent& end = log.wait();
  EXPECT_GE(end.queue_ms, 0.0);
  EXPECT_GE(end.prefill_ms, 6.0);  // three chunks
  EXPECT_GE(end.decode_ms, 6.0);   // three more tokens
  EXPECT_EQ(end.n_cached_tokens, 0U);
}

}  // namespace
}  // namespace jarip
