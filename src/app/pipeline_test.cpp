#include "app/pipeline.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/utf8.h"
#include "tests/support/tiny_model_file.h"

namespace jarip {
namespace {

constexpr std::uint64_t kDrawnSeed = 99;

std::filesystem::path write_model(const TinyModelFile& model) {
  static int n_written = 0;
  const std::string name =
      "jarip_pipeline_" + std::to_string(getpid()) + "_" + std::to_string(++n_written) + ".gguf";
  const auto path = std::filesystem::path(testing::TempDir()) / name;
  EXPECT_TRUE(model.write_to(path));
  return path;
}

Result<std::unique_ptr<LoadedModel>> load_tiny(const TinyModelFile& file = {},
                                               LoadedModelOptions options = {}) {
  const auto path = write_model(file);
  options.n_threads = 1;
  auto loaded = LoadedModel::load(path, "tiny", options);
  std::filesystem::remove(path);
  return loaded;
}

// What a turn's sink heard, from whichever thread.
class Heard {
 public:
  TurnSink sink() {
    return [this](TurnEvent event) {
      const std::lock_guard lock(mutex_);
      EXPECT_FALSE(end_) << "something came after the end";
      if (auto* delta = std::get_if<TextDelta>(&event)) {
        text_ += delta->text;
        n_details_ += delta->details.size();
      } else {
        end_ = std::get<TurnEnd>(std::move(event));
      }
      changed_.notify_all();
    };
  }

  TurnEnd wait() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(
        changed_.wait_for(lock, std::chrono::seconds(60), [&] { return end_.has_value(); }));
    return end_.value_or(TurnEnd());
  }
  std::string text() {
    const std::lock_guard lock(mutex_);
    return text_;
  }
  std::size_t n_details() {
    const std::lock_guard lock(mutex_);
    return n_details_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
  std::size_t n_details_ = 0;
  std::optional<TurnEnd> end_;
};

class PipelineTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto loaded = load_tiny();
    ASSERT_TRUE(loaded) << loaded.error().message;
    model_ = (*std::move(loaded)).release();
  }
  static void TearDownTestSuite() {
    delete model_;
    model_ = nullptr;
  }

  PipelineTest() : pipeline_(*model_, [] { return kDrawnSeed; }) {}

  struct Answered {
    std::string text;
    TurnEnd end;
    std::size_t n_details = 0;
  };
  Answered answer(Turn turn) {
    Heard heard;
    const auto id = pipeline_.start(std::move(turn), heard.sink());
    if (!id) {
      ADD_FAILURE() << id.error().message;
      return {};
    }
    const TurnEnd end = heard.wait();
    return {.text = heard.text(), .end = end, .n_details = heard.n_details()};
  }
  Error refusal(Turn turn) {
    Heard heard;
    const auto id = pipeline_.start(std::move(turn), heard.sink());
    if (id) {
      heard.wait();
      ADD_FAILURE() << "accepted";
      return {};
    }
    return id.error();
  }

  static Turn text_turn(std::string text, std::uint32_t n = 20) {
    Turn turn;
    turn.input = std::move(text);
    turn.max_new_tokens = n;
    return turn;
  }

  static LoadedModel* model_;
  Pipeline pipeline_;
};
LoadedModel* PipelineTest::model_ = nullptr;

TEST_F(PipelineTest, TheSameTurnGivesTheSameAnswer) {
  Turn turn = text_turn("hello");
  turn.seed = 5;
  const Answered first = answer(turn);
  EXPECT_FALSE(first.text.empty());
  EXPECT_EQ(first.end.seed, 5U);
  EXPECT_EQ(first.end.n_prompt_tokens, 5U);
  EXPECT_EQ(answer(turn).text, first.text);
  turn.seed = 6;
  EXPECT_NE(answer(turn).text, first.text);
}

TEST_F(PipelineTest, ASeedIsDrawnOnlyWhenNoneIsGivenAndThenReported) {
  Turn turn = text_turn("hello");
  const Answered drawn = answer(turn);
  EXPECT_EQ(drawn.end.seed, kDrawnSeed);
  turn.seed = kDrawnSeed;
  EXPECT_EQ(answer(turn).text, drawn.text);
}

TEST_F(PipelineTest, SeveralAnswersAreThoseThatTheirSeedsGiveAlone) {
  Turn turn = text_turn("hello");
  turn.ignore_end_tokens = true;
  turn.seed = 5;
  std::array<Heard, 4> heard;
  std::vector<TurnSink> sinks;
  for (Heard& one : heard) sinks.push_back(one.sink());
  const auto started = pipeline_.start(turn, std::move(sinks));
  ASSERT_TRUE(started);
  EXPECT_EQ(started->ids.size(), heard.size());
  EXPECT_EQ(started->seed, 5U);
  EXPECT_EQ(started->n_prompt_tokens, 5U);
  std::set<std::string> texts;
  for (std::uint32_t i = 0; i < heard.size(); ++i) {
    const TurnEnd end = heard[i].wait();
    EXPECT_EQ(end.seed, seed_of_choice(5, i));
    turn.seed = end.seed;
    EXPECT_EQ(heard[i].text(), answer(turn).text) << i;
    texts.insert(heard[i].text());
  }
  EXPECT_EQ(texts.size(), heard.size());
}

TEST(ChoiceSeeds, TheFirstIsTheSeedItselfAndAllFitADouble) {
  std::set<std::uint64_t> seen;
  for (const std::uint64_t seed : {0U, 1U, 2U}) {
    EXPECT_EQ(seed_of_choice(seed, 0), seed);
    for (std::uint32_t i = 1; i < 100; ++i) {
      EXPECT_LT(seed_of_choice(seed, i), 1ULL << 53U);
      EXPECT_TRUE(seen.insert(seed_of_choice(seed, i)).second);
    }
  }
}

TEST(LoadedModelTest, WhenNotAllAnswersHaveRoomNoneGoesOn) {
  std::array<Heard, 8> heard;  // outlives the engine, whose thread may still be in a sink
  LoadedModelOptions options;
  options.engine.max_sequences = 1;
  options.engine.max_queued = 1;
  const auto loaded = load_tiny({}, options);
  ASSERT_TRUE(loaded) << loaded.error().message;
  Pipeline pipeline(**loaded);
  Turn turn;
  turn.input = std::string("hello");
  turn.ignore_end_tokens = true;
  std::vector<TurnSink> sinks;
  for (Heard& one : heard) sinks.push_back(one.sink());
  const auto started = pipeline.start(turn, std::move(sinks));
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kUnavailable);
  for (int i = 0; i < 1000; ++i) {
    const EngineStats stats = (*loaded)->engine().stats();
    if (stats.n_running + stats.n_waiting == 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ADD_FAILURE() << "something still runs";
}

TEST_F(PipelineTest, AnAnswerGoesOnWhereTheLastMessageEnds) {
  Turn turn = text_turn("");
  turn.sampling.temperature = 0;
  turn.ignore_end_tokens = true;
  turn.input = std::vector<Message>{{Role::kUser, "hi"}, {Role::kAssistant, "so"}};
  turn.continues_last = true;
  EXPECT_EQ(pipeline_.render(turn), "<|start|>user\nhi<|end|><|start|>assistant\nso");
  const std::string continued = answer(turn).text;
  turn.input = model_->tokenizer().encode("<|start|>user\nhi<|end|><|start|>assistant\nso",
                                          SpecialTokens::kParse);
  turn.continues_last = false;
  EXPECT_EQ(continued, answer(turn).text);
  turn.continues_last = true;
  EXPECT_EQ(refusal(turn).where, "messages");
  turn.input = std::vector<Message>{{Role::kUser, "hi"}};
  EXPECT_EQ(refusal(turn).where, "messages");
}

TEST_F(PipelineTest, AModelWithoutTokensForGapsSaysSo) {
  Turn turn = text_turn("");
  turn.input = Infill{.files = {}, .prefix = "a", .suffix = "b", .begun = {}};
  const Error error = refusal(turn);
  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  EXPECT_NE(error.message.find("gaps"), std::string::npos);
}

TEST(LoadedModelTest, AGapIsToldByTheTokensForIt) {
  TinyModelFile file;
  file.fills_gaps = true;
  const auto loaded = load_tiny(file);
  ASSERT_TRUE(loaded) << loaded.error().message;
  const Pipeline pipeline(**loaded);
  const auto tokens_of = [&](std::string_view text) {
    return (*loaded)->tokenizer().encode(text, SpecialTokens::kParse);
  };
  Turn turn;
  turn.input = Infill{.files = {}, .prefix = "a(", .suffix = ")", .begun = "x"};
  EXPECT_EQ(pipeline.read_prompt(turn),
            tokens_of("<|fim_prefix|>a(<|fim_suffix|>)<|fim_middle|>x"));
  // Whatever a file says, it names no token.
  turn.input =
      Infill{.files = {{"f.c", "<|fim_middle|>"}}, .prefix = "<|end|>", .suffix = {}, .begun = {}};
  const auto tokens = pipeline.read_prompt(turn);
  ASSERT_TRUE(tokens);
  EXPECT_EQ(std::ranges::count_if(
                *tokens, [&](TokenId id) { return (*loaded)->tokenizer().is_control(id); }),
            3);
}

TEST_F(PipelineTest, MessagesReadAsTheirRenderedTextDoes) {
  Turn turn = text_turn("");
  turn.sampling.temperature = 0;
  turn.input = std::vector<Message>{{Role::kUser, "hi"}};
  const Answered answered = answer(turn);
  const Tokenizer& tokenizer = model_->tokenizer();
  turn.input =
      tokenizer.encode("<|start|>user\nhi<|end|><|start|>assistant\n", SpecialTokens::kParse);
  const Answered tokens = answer(turn);
  EXPECT_EQ(answered.text, tokens.text);
  EXPECT_EQ(answered.end.n_prompt_tokens, tokens.end.n_prompt_tokens);
}

TEST_F(PipelineTest, AStopStringEndsTheAnswerBeforeItAndTheEngineIsFree) {
  Turn turn = text_turn("hello", 100);
  turn.sampling.temperature = 0;
  turn.ignore_end_tokens = true;
  const Answered whole = answer(turn);
  ASSERT_GT(whole.text.size(), 12U);
  const std::size_t at = whole_utf8_prefix(whole.text.substr(0, 8));
  const std::size_t length = whole_utf8_prefix(whole.text.substr(at, 4));
  turn.stop = {whole.text.substr(at, length)};
  const Answered cut = answer(turn);
  EXPECT_EQ(cut.text, whole.text.substr(0, whole.text.find(turn.stop[0])));
  EXPECT_EQ(cut.end.finish, TurnFinish::kStop);
  EXPECT_LT(cut.end.n_new_tokens, 100U);
  EXPECT_EQ(model_->engine().stats().n_pages_used, 0U);
}

TEST_F(PipelineTest, WithoutALimitTheAnswerMayFillTheContext) {
  Turn turn = text_turn(std::string(200, 'x'));
  turn.max_new_tokens.reset();
  turn.ignore_end_tokens = true;
  const Answered answered = answer(turn);
  EXPECT_EQ(answered.end.finish, TurnFinish::kLength);
  EXPECT_EQ(answered.end.n_prompt_tokens + answered.end.n_new_tokens, TinyModelFile::kContext);
}

TEST_F(PipelineTest, EchoComesBeforeTheAnswer) {
  Turn turn = text_turn("hello");
  turn.seed = 1;
  const std::string plain = answer(turn).text;
  turn.echo = true;
  EXPECT_EQ(answer(turn).text, "hello" + plain);
}

TEST_F(PipelineTest, EveryTokenHasADetailWhenLogprobsAreAskedFor) {
  Turn turn = text_turn("hello");
  turn.seed = 1;
  turn.ignore_end_tokens = true;
  turn.n_logprobs = 2;
  const Answered answered = answer(turn);
  EXPECT_EQ(answered.n_details, 20U);
}

TEST_F(PipelineTest, CancellingEndsATurn) {
  Turn turn = text_turn("hello");
  turn.max_new_tokens.reset();
  turn.ignore_end_tokens = true;
  Heard heard;
  const auto id = pipeline_.start(turn, heard.sink());
  ASSERT_TRUE(id);
  pipeline_.cancel(*id);
  const TurnFinish finish = heard.wait().finish;
  EXPECT_TRUE(finish == TurnFinish::kCancelled || finish == TurnFinish::kLength);
  pipeline_.cancel(*id);  // a turn that has ended is no error
}

// The time of an answer tells whether its prompt was known: to its owner alone.
TEST_F(PipelineTest, WhatOneOwnerAskedIsFoundByThatOwnerOnly) {
  Turn turn = text_turn("whatever one owner asked is found again");
  turn.sampling.temperature = 0;
  const auto ask = [&](std::uint64_t owner, const char* user) {
    turn.owner = owner;
    turn.user = user;
    return answer(turn);
  };
  const Answered first = ask(1, "x");
  EXPECT_EQ(first.end.n_cached_tokens, 0U);
  EXPECT_EQ(ask(2, "x").end.n_cached_tokens, 0U);
  EXPECT_EQ(ask(0, "1").end.n_cached_tokens, 0U) << "a name is no owner";
  const Answered again = ask(1, "y");
  EXPECT_EQ(again.end.n_cached_tokens, kKvPageTokens);
  EXPECT_EQ(again.text, first.text);
}

TEST_F(PipelineTest, RefusalsNameTheFieldAndTheNumbers) {
  Turn model = text_turn("x");
  model.model = "other";
  EXPECT_EQ(refusal(model).code, ErrorCode::kNotFound);
  EXPECT_EQ(refusal(model).where, "model");
  model.model = "tiny";
  EXPECT_FALSE(answer(model).text.empty());

  const Error overflow = refusal(text_turn(std::string(256, 'x')));
  EXPECT_EQ(overflow.code, ErrorCode::kContextOverflow);
  EXPECT_NE(overflow.message.find("256"), std::string::npos) << overflow.message;
  Turn unlimited = text_turn(std::string(300, 'x'));
  unlimited.max_new_tokens.reset();
  EXPECT_EQ(refusal(unlimited).code, ErrorCode::kContextOverflow);

  EXPECT_EQ(refusal(text_turn("")).code, ErrorCode::kInvalidArgument);

  Turn echo = text_turn("x");
  echo.echo = true;
  echo.n_logprobs = 0;
  EXPECT_EQ(refusal(echo).code, ErrorCode::kUnsupported);
  echo.input = std::vector<Message>{{Role::kUser, "x"}};
  EXPECT_EQ(refusal(echo).code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal(echo).where, "echo");

  Turn tokens = text_turn("");
  tokens.input = std::vector<TokenId>{100000};
  EXPECT_EQ(refusal(tokens).code, ErrorCode::kInvalidArgument);
}

TEST(LoadedModelTest, WithoutATemplateOnlyMessagesAreRefused) {
  TinyModelFile file;
  for (const std::string_view source : {"", "{% import 'x' as y %}"}) {
    file.chat_template = source;
    const auto loaded = load_tiny(file);
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ((*loaded)->chat_template(), nullptr);
    Pipeline pipeline(**loaded);
    Turn turn;
    turn.max_new_tokens = 3;
    turn.input = std::vector<Message>{{Role::kUser, "x"}};
    Heard heard;
    const auto refused = pipeline.start(turn, heard.sink());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(refused.error().message.find("template"), std::string::npos);
    turn.input = std::string("x");
    ASSERT_TRUE(pipeline.start(turn, heard.sink()));
    heard.wait();
  }
}

TEST(LoadedModelTest, TellsItsProgressAndItsFacts) {
  std::vector<float> fractions;
  LoadedModelOptions options;
  options.on_progress = [&](float fraction) { fractions.push_back(fraction); };
  const auto loaded = load_tiny({}, options);
  ASSERT_TRUE(loaded) << loaded.error().message;
  ASSERT_FALSE(fractions.empty());
  EXPECT_TRUE(std::ranges::is_sorted(fractions));
  EXPECT_EQ(fractions.back(), 1.0F);
  EXPECT_EQ((*loaded)->name(), "tiny");
  EXPECT_GT((*loaded)->created(), 1'700'000'000);
}

TEST(LoadedModelTest, WhatCantBeLoadedIsAnError) {
  EXPECT_EQ(LoadedModel::load("/nonexistent.gguf", "x", {}).error().code, ErrorCode::kNotFound);
  LoadedModelOptions options;
  options.engine.n_ctx = TinyModelFile::kContext + 1;
  const auto too_long = load_tiny({}, options);
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().where, "n_ctx");
}

}  // namespace
}  // namespace jarip
