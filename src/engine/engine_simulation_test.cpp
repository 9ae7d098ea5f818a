// Random loads on the engine from several threads; every finished answer is compared with the one
// that the plain loop gives.
#include <gtest/gtest.h>

#include <deque>
#include <latch>
#include <map>
#include <random>
#include <thread>
#include <utility>

#include "engine/engine.h"
#include "engine/fake_model.h"
#include "engine/plain_answer.h"
#include "grammar/grammar.h"

namespace jarip {
namespace {

constexpr std::uint32_t kVocab = 53;
constexpr std::uint32_t kContext = 160;

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::uint32_t draw(std::uint32_t least, std::uint32_t most) {
    return std::uniform_int_distribution<std::uint32_t>(least, most)(engine_);
  }

 private:
  std::mt19937_64 engine_;
};

// Every other model's text repeats itself, so that what is guessed ahead is often right.
std::uint32_t period_of(std::uint64_t seed) { return seed / 2 % 2 == 0 ? 0 : 3 + seed % 9; }

// Grammars over a vocabulary of letters, pieces of brackets and a few tokens without text.
std::shared_ptr<const Grammar> grammar_of(std::uint32_t number) {
  static const std::vector<std::shared_ptr<const Grammar>> kGrammars = [] {
    const std::vector<std::string> pieces = {"(",  ")",  "[",   "]",  ",",   "((",
                                             "))", "),", "[]",  "a(", ".",   "..",
                                             "ab", "ba", "aaa", "\"", "\"}", "{\""};
    std::vector<std::string> texts(kVocab);
    std::vector<GrammarToken> tokens;
    for (std::uint32_t id = 0; id + 3 < kVocab; ++id) {
      texts[id] =
          id < 26 ? std::string(1, static_cast<char>('a' + id)) : pieces[(id - 26) % pieces.size()];
      tokens.push_back({id, texts[id]});
    }
    const auto trie = std::make_shared<const TokenTrie>(kVocab, tokens);
    std::vector<std::shared_ptr<const Grammar>> grammars;
    for (const char* text :
         {R"g(root ::= "(" root ")" | "[" (root ("," root)*)? "]" | [a-z]{1,3})g",
          R"g(root ::= [a-z]{4,200} ".")g", R"g(root ::= [a-e]+)g",
          R"g(root ::= root "," t | t  t ::= [a-z]+ | "(" root ")")g", R"g(root ::= "ab" | "")g"}) {
      grammars.push_back(
          std::make_shared<const Grammar>(*compile_source({GrammarKind::kEbnf, text}), trie));
    }
    return grammars;
  }();
  return kGrammars[number % kGrammars.size()];
}

GenerateRequest random_request(Random& random) {
  GenerateRequest request;
  const std::uint32_t n_prompt =
      random.draw(0, 2) == 0 ? random.draw(1, kContext - 1) : random.draw(1, 20);
  // Many begin like others.
  const std::uint32_t text = random.draw(0, 2);
  const std::uint32_t n_shared = random.draw(0, 2) == 0 ? 0 : random.draw(n_prompt / 2, n_prompt);
  for (std::uint32_t i = 0; i < n_prompt; ++i) {
    request.prompt.push_back(i < n_shared ? (text + i * i) % kVocab : random.draw(0, kVocab - 1));
  }
  request.user = random.draw(0, 2) == 0 ? "x" : "";
  request.user_weight = random.draw(0, 1) == 0 ? 1.0F : 3.0F;
  request.priority = static_cast<std::int32_t>(random.draw(0, 2));
  request.cache_domain = random.draw(0, 3) == 0 ? "y" : "";
  request.max_new_tokens = random.draw(1, kContext);
  request.sampling.seed = random.draw(0, 1'000'000);
  request.sampling.temperature = static_cast<float>(random.draw(0, 3)) * 0.5F;
  request.sampling.top_k = random.draw(0, 1) * random.draw(1, kVocab);
  request.sampling.top_p = random.draw(0, 1) == 0 ? 1.0F : 0.9F;
  request.sampling.presence_penalty = random.draw(0, 3) == 0 ? 0.5F : 0.0F;
  request.sampling.frequency_penalty = random.draw(0, 7) == 0 ? 0.1F : 0.0F;
  request.sampling.repetition_penalty = random.draw(0, 7) == 0 ? 1.1F : 1.0F;
  if (random.draw(0, 3) == 0) request.sampling.logit_bias = {{random.draw(0, kVocab - 1), 3.0F}};
  if (random.draw(0, 1) == 0) request.end_tokens = {random.draw(0, kVocab - 1)};
  if (random.draw(0, 3) == 0) request.ignore_end_tokens = true;
  if (random.draw(0, 1) == 0) request.n_logprobs = random.draw(0, 2);
  if (random.draw(0, 2) == 0) {
    request.grammar = grammar_of(random.draw(0, 100));
    request.end_tokens = {kVocab - 1 - random.draw(0, 2)};
  }
  return request;
}

struct Submitted {
  GenerateRequest request;
  SequenceId id = 0;
  EventLog log;
};

// A cancelled answer is the beginning of the whole one.
void compare(Submitted& submitted, FakeModel& reference) {
  const EndEvent& end = submitted.log.wait();
  const PlainAnswer plain = answer_plainly(reference, submitted.request, kContext);
  ASSERT_EQ(submitted.log.n_misplaced(), 0);
  ASSERT_EQ(end.n_new_tokens, submitted.log.tokens().size());
  ASSERT_LT(end.n_cached_tokens, submitted.request.prompt.size());
  if (end.reason == FinishReason::kCancelled) {
    ASSERT_LE(submitted.log.tokens().size(), plain.tokens.size());
    ASSERT_TRUE(std::equal(submitted.log.tokens().begin(), submitted.log.tokens().end(),
                           plain.tokens.begin()));
    ASSERT_TRUE(std::equal(submitted.log.logprobs().begin(), submitted.log.logprobs().end(),
                           plain.logprobs.begin()));
  } else {
    ASSERT_EQ(submitted.log.tokens(), plain.tokens);
    ASSERT_EQ(submitted.log.logprobs(), plain.logprobs);
    ASSERT_EQ(end.reason, plain.reason);
  }
}

void expect_sums(const EngineStats& stats, std::deque<Submitted>& all) {
  std::map<FinishReason, std::uint64_t> reasons;
  std::uint64_t n_new = 0;
  std::uint64_t n_hits = 0;
  for (Submitted& submitted : all) {
    const EndEvent& end = submitted.log.wait();
    ++reasons[end.reason];
    n_new += end.n_new_tokens;
    if (end.n_new_tokens > 0 || end.reason == FinishReason::kEndToken) {
      n_hits += end.n_cached_tokens;
    }
  }
  EXPECT_EQ(stats.prefix_hits, n_hits);
  EXPECT_EQ(stats.finished_end, reasons[FinishReason::kEndToken]);
  EXPECT_EQ(stats.finished_length, reasons[FinishReason::kLength]);
  EXPECT_EQ(stats.finished_cancelled, reasons[FinishReason::kCancelled]);
  EXPECT_EQ(stats.finished_failed, 0U);
  EXPECT_EQ(stats.new_tokens, n_new);
  EXPECT_EQ(stats.n_pages_used, 0U);
  EXPECT_EQ(stats.n_running, 0U);
  EXPECT_EQ(stats.n_waiting, 0U);
}

// What must be computed when nothing is computed twice: all but what others had computed, and the
// last token of an answer, which nothing follows.
std::uint64_t tokens_to_feed(std::deque<Submitted>& all) {
  std::uint64_t n = 0;
  for (Submitted& submitted : all) {
    const EndEvent& end = submitted.log.wait();
    n += end.n_prompt_tokens - end.n_cached_tokens + end.n_new_tokens;
    if (end.n_new_tokens > 0 && !end.end_token) --n;
  }
  return n;
}

TEST(EngineSimulation, HundredsOfRandomRequestsAndCancelsGiveThePlainAnswers) {
  FakeModel reference(kVocab, kContext);
  std::uint64_t n_parked = 0;
  std::uint64_t n_hits = 0;
  int n_exact = 0;
  std::uint64_t n_drafts = 0;
  std::uint64_t n_accepted = 0;
  for (std::uint64_t seed = 0; seed < 24; ++seed) {
    Random random(seed);
    FakeModel model(kVocab, kContext);
    model.period = reference.period = period_of(seed);
    const std::uint32_t n_pages = pages_for(kContext) + random.draw(0, seed % 4 == 2 ? 90 : 6);
    auto engine = Engine::create(
        model, {.kv_bytes = n_pages * model.kv_page_bytes(),
                .max_sequences = random.draw(1, 12),
                .max_queued = 1000,
                .max_step_tokens = random.draw(1, 70),
                .max_draft_tokens = random.draw(0, 1) * random.draw(0, kMaxDraftTokens),
                .prefix_cache = random.draw(0, 3) > 0});
    ASSERT_TRUE(engine.has_value());
    // Every other time nothing is cancelled and the engine waits in the first answer's sink until
    // all is submitted: however fast the machine, pages then are too few for what runs together.
    const bool crowded = seed % 2 == 0;
    std::latch all_submitted(1);
    std::deque<Submitted> all;
    for (int i = 0; i < 60; ++i) {
      Submitted& next = all.emplace_back();
      next.request = random_request(random);
      EventSink sink = next.log.sink();
      if (crowded && i == 0) {
        sink = [&all_submitted, inner = std::move(sink)](Event event) mutable {
          all_submitted.wait();
          inner(std::move(event));
        };
      }
      next.id = *(*engine)->submit(next.request, std::move(sink));
      if (!crowded && random.draw(0, 2) == 0) (*engine)->cancel(all[random.draw(0, i)].id);
      if (random.draw(0, 5) == 0) std::this_thread::yield();
    }
    all_submitted.count_down();
    for (Submitted& submitted : all) {
      compare(submitted, reference);
      if (HasFatalFailure()) FAIL() << "seed " << seed;
    }
    expect_sums((*engine)->stats(), all);
    EXPECT_EQ(model.n_faults, 0U) << "seed " << seed;
    const EngineStats stats = (*engine)->stats();
    if (crowded && stats.draft_tokens == 0 && stats.parked == 0) {
      EXPECT_EQ(model.n_fed, tokens_to_feed(all)) << "seed " << seed;
      ++n_exact;
    }
    n_parked += stats.parked;
    n_hits += stats.prefix_hits;
    n_drafts += stats.draft_tokens;
    n_accepted += stats.accepted_draft_tokens;
  }
  EXPECT_GT(n_hits, 1000U);
  EXPECT_GT(n_exact, 1);
  EXPECT_GT(n_accepted, 1000U);
  EXPECT_GT(n_drafts, n_accepted + 1000U);
  EXPECT_GT(n_parked, 10U) << "pages are never scarce any more";
}

TEST(EngineSimulation, CancelStormsFromManyThreadsLeaveNothingBehind) {
  FakeModel model(kVocab, kContext);
  FakeModel reference(kVocab, kContext);
  model.period = reference.period = 7;
  auto engine = Engine::create(model, {.kv_bytes = 8 * model.kv_page_bytes(),
                                       .max_sequences = 6,
                                       .max_queued = 1000,
                                       .max_step_tokens = 40});
  ASSERT_TRUE(engine.has_value());
  Engine& door = **engine;
  constexpr std::size_t kThreads = 4;
  std::vector<std::deque<Submitted>> all(kThreads);
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&door, &mine = all[thread], thread] {
      Random random(1000 + thread);
      for (std::uint32_t i = 0; i < 60; ++i) {
        Submitted& next = mine.emplace_back();
        next.request = random_request(random);
        next.id = *door.submit(next.request, next.log.sink());
        for (int c = 0; c < 3; ++c) door.cancel(random.draw(1, 300));  // anyone's, known or not
        const EngineStats stats = door.stats();
        EXPECT_LE(stats.n_running, 6U);
        EXPECT_LE(stats.n_pages_used, stats.n_pages);
      }
      for (std::uint32_t id = 1; id < 300; id += 1 + random.draw(0, 4)) door.cancel(id);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (auto& mine : all) {
    for (Submitted& submitted : mine) {
      compare(submitted, reference);
      if (HasFatalFailure()) return;
    }
  }
  const EngineStats stats = door.stats();
  EXPECT_EQ(stats.n_pages_used, 0U);
  EXPECT_EQ(stats.n_running + stats.n_waiting, 0U);
  EXPECT_EQ(stats.finished_end + stats.finished_length + stats.finished_cancelled, kThreads * 60);
  EXPECT_EQ(model.n_faults, 0U);
}

TEST(EngineSimulation, StoppingAtAnyMomentEndsEverySequenceOnce) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    FakeModel model(kVocab, kContext);
    model.period = period_of(seed);
    std::deque<Submitted> all(20);
    {
      auto engine =
          Engine::create(model, {.max_sequences = 4, .max_step_tokens = random.draw(1, 40)});
      ASSERT_TRUE(engine.has_value());
      for (Submitted& next : all) {
        next.request = random_request(random);
        next.id = *(*engine)->submit(next.request, next.log.sink());
      }
      std::this_thread::sleep_for(std::chrono::microseconds(random.draw(0, 3000)));
    }
    for (Submitted& submitted : all) {
      ASSERT_TRUE(submitted.log.ended());
      EXPECT_EQ(submitted.log.n_misplaced(), 0);
      EXPECT_NE(submitted.log.wait().reason, FinishReason::kFailed);
    }
    EXPECT_EQ(model.n_faults, 0U);
  }
}

}  // namespace
}  // namespace jarip
