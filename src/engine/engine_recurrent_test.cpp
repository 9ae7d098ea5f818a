// Models with recurrent layers in the engine: states and checkpoints under random loads, and what
// of a prompt is found again.
#include <gtest/gtest.h>

#include <deque>
#include <latch>
#include <random>
#include <utility>

#include "engine/checkpoints.h"
#include "engine/engine.h"
#include "engine/fake_model.h"
#include "engine/plain_answer.h"

namespace jarip {
namespace {

constexpr std::uint32_t kVocab = 53;
constexpr std::uint32_t kContext = 900;

std::vector<TokenId> text(std::uint32_t n, std::uint32_t seed) {
  std::vector<TokenId> out(n);
  std::mt19937 random(seed);
  for (TokenId& token : out) token = random() % kVocab;
  return out;
}

GenerateRequest request_of(std::vector<TokenId> prompt, std::uint32_t max_new_tokens,
                           std::uint64_t seed = 0) {
  GenerateRequest request;
  request.prompt = std::move(prompt);
  request.max_new_tokens = max_new_tokens;
  request.sampling.seed = seed;
  return request;
}

class EngineRecurrent : public testing::Test {
 protected:
  std::unique_ptr<Engine> make(const EngineOptions& options) {
    auto engine = Engine::create(model_, options);
    EXPECT_TRUE(engine.has_value()) << engine.error().message;
    return *std::move(engine);
  }
  // One request, alone; what of its prompt was found.
  std::uint32_t answer(Engine& engine, const GenerateRequest& request,
                       std::vector<TokenId>* tokens = nullptr) {
    EventLog log;
    EXPECT_TRUE(engine.submit(request, log.sink()).has_value());
    const EndEvent end = log.wait();
    const PlainAnswer plain = answer_plainly(reference_, request, kContext);
    EXPECT_EQ(log.tokens(), plain.tokens);
    EXPECT_EQ(end.reason, plain.reason);
    EXPECT_EQ(model_.n_faults, 0U);
    if (tokens != nullptr) *tokens = log.tokens();
    return end.n_cached_tokens;
  }

  FakeModel model_{kVocab, kContext, true};
  FakeModel reference_{kVocab, kContext, true};
};

TEST_F(EngineRecurrent, ThatTheSamePromptAsksForIsFoundUpToItsLastPage) {
  const auto engine = make({.max_step_tokens = 100});
  EXPECT_EQ(answer(*engine, request_of(text(500, 1), 5)), 0U);
  EXPECT_EQ(answer(*engine, request_of(text(500, 1), 5)), 480U);
  // Of a prompt that goes on otherwise, up to the last place where all texts have one.
  auto other = text(500, 1);
  other[470] = (other[470] + 1) % kVocab;
  EXPECT_EQ(answer(*engine, request_of(other, 5)), kCheckpointTokens);
  EXPECT_EQ(answer(*engine, request_of(text(500, 2), 5)), 0U);
}

TEST_F(EngineRecurrent, WhereTwoPromptsPartedTheThirdGoesOn) {
  const auto engine = make({});
  const auto prompt = [](std::uint32_t seed) {
    std::vector<TokenId> out = text(150, 1);
    for (const TokenId token : text(50, seed)) out.push_back(token);
    return out;
  };
  EXPECT_EQ(answer(*engine, request_of(prompt(7), 3)), 0U);
  EXPECT_EQ(answer(*engine, request_of(prompt(8), 3)), 0U);
  EXPECT_EQ(answer(*engine, request_of(prompt(9), 3)), 128U);
}

TEST_F(EngineRecurrent, AnAnswerIsFoundByThePromptThatGoesOnAfterIt) {
  const auto engine = make({});
  std::vector<TokenId> tokens;
  answer(*engine, request_of(text(100, 1), 90), &tokens);
  std::vector<TokenId> next = text(100, 1);
  next.insert(next.end(), tokens.begin(), tokens.end());
  next.push_back(1);
  // All but the answer's last token were computed: 189 of them, five whole pages.
  EXPECT_EQ(answer(*engine, request_of(next, 5)), 160U);
  EXPECT_EQ(answer(*engine, request_of(text(100, 1), 5)), 96U) << "and the prompt still is";
}

TEST_F(EngineRecurrent, WithoutTheCacheNothingIsFound) {
  const auto engine = make({.prefix_cache = false});
  EXPECT_EQ(answer(*engine, request_of(text(500, 1), 5)), 0U);
  EXPECT_EQ(answer(*engine, request_of(text(500, 1), 5)), 0U);
}

TEST_F(EngineRecurrent, NoMoreSequencesRunThanThereAreStates) {
  std::uint32_t most = 0;
  model_.on_step = [&](std::span<const SequenceChunk> chunks) {
    most = std::max(most, static_cast<std::uint32_t>(chunks.size()));
  };
  const auto engine = make({.states_bytes = 3 * model_.state_bytes()});
  std::deque<EventLog> logs(8);
  std::latch submitted(1);
  for (std::uint32_t i = 0; i < logs.size(); ++i) {
    EventSink sink = logs[i].sink();
    if (i == 0) {
      sink = [&submitted, inner = std::move(sink)](Event event) mutable {
        submitted.wait();
        inner(std::move(event));
      };
    }
    ASSERT_TRUE(engine->submit(request_of(text(40, i), 20, i), std::move(sink)).has_value());
  }
  submitted.count_down();
  for (std::uint32_t i = 0; i < logs.size(); ++i) {
    logs[i].wait();
    EXPECT_EQ(logs[i].tokens(),
              answer_plainly(reference_, request_of(text(40, i), 20, i), kContext).tokens);
  }
  EXPECT_EQ(most, 3U);
  EXPECT_EQ(model_.n_faults, 0U);
}

TEST_F(EngineRecurrent, TooLittleMemoryForOneStateIsRefused) {
  const auto engine = Engine::create(model_, {.states_bytes = model_.state_bytes() - 1});
  ASSERT_FALSE(engine.has_value());
  EXPECT_EQ(engine.error().where, "states_bytes");
}

TEST_F(EngineRecurrent, PagesAndStatesShareTheMemoryUnlessStatesHaveTheirOwn) {
  const std::uint64_t one_context = pages_for(kContext) * model_.kv_page_bytes();
  EXPECT_TRUE(Engine::create(model_, {.kv_bytes = 3 * one_context}).has_value());
  const auto too_little = Engine::create(model_, {.kv_bytes = 3 * one_context - 1});
  ASSERT_FALSE(too_little.has_value());
  EXPECT_EQ(too_little.error().where, "kv_bytes");
  EXPECT_TRUE(Engine::create(model_, {.kv_bytes = one_context, .states_bytes = 64}).has_value());
}

GenerateRequest random_request(std::mt19937_64& random) {
  const auto draw = [&](std::uint32_t least, std::uint32_t most) {
    return std::uniform_int_distribution<std::uint32_t>(least, most)(random);
  };
  const std::uint32_t n_prompt = draw(0, 1) == 0 ? draw(1, 60) : draw(200, kContext - 80);
  std::vector<TokenId> prompt = text(n_prompt, draw(0, 2));
  const std::uint32_t n_own = draw(0, 2) == 0 ? 0 : draw(0, n_prompt);
  for (std::uint32_t i = n_prompt - n_own; i < n_prompt; ++i) prompt[i] = draw(0, kVocab - 1);
  GenerateRequest request = request_of(std::move(prompt), draw(1, 70), draw(0, 9));
  request.sampling.temperature = static_cast<float>(draw(0, 2)) * 0.5F;
  request.cache_domain = draw(0, 3) == 0 ? "y" : "";
  request.user = draw(0, 2) == 0 ? "x" : "";
  return request;
}

struct Submitted {
  GenerateRequest request;
  SequenceId id = 0;
  EventLog log;
};

TEST_F(EngineRecurrent, RandomRequestsAndCancelsGiveThePlainAnswersWhateverTheStates) {
  std::uint64_t n_parked = 0;
  std::uint64_t n_hits = 0;
  for (std::uint64_t seed = 0; seed < 24; ++seed) {
    std::mt19937_64 random(seed);
    const std::uint32_t n_pages = pages_for(kContext) + random() % 20;
    const auto engine = make({.kv_bytes = n_pages * model_.kv_page_bytes(),
                              .states_bytes = (1 + random() % 20) * model_.state_bytes(),
                              .max_sequences = static_cast<std::uint32_t>(1 + random() % 8),
                              .max_queued = 1000,
                              .max_step_tokens = static_cast<std::uint32_t>(1 + random() % 600),
                              .prefix_cache = seed % 5 != 4});
    std::deque<Submitted> all;
    for (std::uint32_t i = 0; i < 40; ++i) {
      Submitted& next = all.emplace_back();
      next.request = random_request(random);
      next.id = *engine->submit(next.request, next.log.sink());
      if (seed % 2 == 0 && random() % 3 == 0) engine->cancel(all[random() % all.size()].id);
    }
    for (Submitted& submitted : all) {
      const EndEvent& end = submitted.log.wait();
      PlainAnswer plain = answer_plainly(reference_, submitted.request, kContext);
      if (end.reason == FinishReason::kCancelled) plain.tokens.resize(end.n_new_tokens);
      ASSERT_NE(end.reason, FinishReason::kFailed) << end.error->message;
      ASSERT_EQ(submitted.log.tokens(), plain.tokens) << "seed " << seed;
    }
    EXPECT_EQ(model_.n_faults, 0U) << "seed " << seed;
    EXPECT_EQ(engine->stats().n_pages_used, 0U);
    n_parked += engine->stats().parked;
    n_hits += engine->stats().prefix_hits;
  }
  EXPECT_GT(n_parked, 0U);  // how often depends on who is quicker, these requests or the engine
  EXPECT_GT(n_hits, 1000U);
}

}  // namespace
}  // namespace jarip
