#include "app/model_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <map>
#include <semaphore>

#include "base/random.h"

namespace jarip {
namespace {

using namespace std::chrono_literals;

// Knows its name, and how many there are of it.
class FakeAnswerer final : public Answerer {
 public:
  FakeAnswerer(ModelCard card, std::atomic<int>& n_alive) : card_(std::move(card)), n_(n_alive) {
    ++n_;
  }
  ~FakeAnswerer() override { --n_; }
  const ModelCard& card() const override { return card_; }
  Result<StartedTurn> start(Turn, std::vector<TurnSink>) override { return StartedTurn{}; }
  void cancel(TurnId) override {}
  EngineStats stats() const override { return {.n_pages = 3, .new_tokens = 5}; }
  Result<std::vector<TokenId>> read_prompt(const Turn&) const override {
    return std::vector<TokenId>();
  }
  Result<std::string> render(const Turn&) const override { return std::string(); }
  std::vector<TokenId> tokenize(std::string_view, const TokenizeOptions&) const override {
    return {};
  }
  std::string token_bytes(TokenId) const override { return {}; }

 private:
  ModelCard card_;
  std::atomic<int>& n_;
};

class ModelPoolTest : public ::testing::Test {
 protected:
  ModelPoolOptions options(std::uint64_t n_bytes) {
    return {.limits = {.n_bytes = n_bytes, .max_waiting = 64},
            .default_model = "a",
            .list = [this] { return files(); },
            .describe = [this](const LibraryModel& file) { return describe(file); },
            .load = [this](const LibraryModel& file,
                           const auto& on_progress) { return load(file, on_progress); }};
  }

  Result<std::vector<LibraryModel>> files() {
    const std::lock_guard lock(mutex_);
    std::vector<LibraryModel> out;
    for (const auto& [name, size] : sizes_)
      out.push_back({.name = name, .path = {}, .n_bytes = size});
    return out;
  }
  Result<KnownModel> describe(const LibraryModel& file) const {
    if (file.name == "broken") return fail(ErrorCode::kCorrupt, "no model");
    KnownModel known;
    known.card.name = file.name;
    known.outline.memory.weights = file.n_bytes;
    return known;
  }
  Result<std::unique_ptr<Answerer>> load(const LibraryModel& file,
                                         const std::function<void(float)>& on_progress) {
    on_progress(0.5F);
    if (holds_) {
      loading_.release();
      gate_.acquire();
    }
    if (fails_) return fail(ErrorCode::kIo, "the disk is gone");
    ModelCard card;
    card.name = file.name;
    return std::make_unique<FakeAnswerer>(card, n_alive_);
  }

  // Waits for what a request is answered.
  static Result<ModelUse> get(ModelPool& pool, std::string_view name) {
    auto promise = std::make_shared<std::promise<Result<ModelUse>>>();
    auto asked =
        pool.acquire(name, [promise](Result<ModelUse> use) { promise->set_value(std::move(use)); });
    if (asked.answer) return *std::move(asked.answer);
    return promise->get_future().get();
  }
  static bool eventually(const std::function<bool()>& holds) {
    for (int i = 0; i < 2000; ++i) {
      if (holds()) return true;
      std::this_thread::sleep_for(2ms);
    }
    return false;
  }

  std::mutex mutex_;
  std::map<std::string, std::uint64_t> sizes_ = {{"a", 4}, {"b", 4}, {"c", 4}, {"huge", 100}};
  std::atomic<int> n_alive_{0};
  std::atomic<bool> holds_{false};
  std::atomic<bool> fails_{false};
  std::counting_semaphore<> loading_{0};
  std::counting_semaphore<> gate_{0};
};

TEST_F(ModelPoolTest, ModelsAreLoadedOnDemandAndTheOldestMakesRoom) {
  ModelPool pool(options(8));
  ASSERT_TRUE(pool.refresh());
  EXPECT_EQ(n_alive_, 0);
  for (const char* name : {"a", "b", "a", "c"}) {
    const auto use = get(pool, name);
    ASSERT_TRUE(use) << use.error().message;
    EXPECT_EQ(use->answerer().card().name, name);
  }
  EXPECT_EQ(n_alive_, 2);
  EXPECT_EQ(pool.status("b")->state, ModelState::kUnloaded);
  EXPECT_EQ(pool.status("a")->state, ModelState::kLoaded);
  EXPECT_EQ(pool.status("a")->n_loads, 1U);
  EXPECT_EQ(pool.resident_bytes(), 8U);
  EXPECT_EQ(pool.stats().new_tokens, 15U);  // of what is gone too
  EXPECT_EQ(pool.stats().n_pages, 6U);
}

TEST_F(ModelPoolTest, NamesThatAreNotThereAreAnsweredWithThoseThatAre) {
  ModelPool pool(options(8));
  ASSERT_TRUE(pool.refresh());
  const auto unknown = get(pool, "nobody");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(unknown.error().message.contains("a, b, c, huge")) << unknown.error().message;
  EXPECT_EQ(pool.find("")->name, "a");
  {
    const std::lock_guard lock(mutex_);
    sizes_.erase("a");
    sizes_["d"] = 2;
  }
  ASSERT_TRUE(pool.refresh());
  EXPECT_TRUE(get(pool, "d"));
  EXPECT_FALSE(pool.knows("a"));
  EXPECT_EQ(pool.find("").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ModelPoolTest, WhatCanNeverFitOrIsNoModelIsSaidBeforeLoading) {
  sizes_["broken"] = 1;
  ModelPool pool(options(8));
  ASSERT_TRUE(pool.refresh());
  const auto huge = get(pool, "huge");
  ASSERT_FALSE(huge);
  EXPECT_EQ(huge.error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(huge.error().message.contains("100 B")) << huge.error().message;
  EXPECT_TRUE(huge.error().message.contains("8 B")) << huge.error().message;
  EXPECT_EQ(pool.status("huge")->state, ModelState::kTooLarge);
  EXPECT_EQ(get(pool, "broken").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(pool.status("broken")->state, ModelState::kUnusable);
  EXPECT_EQ(pool.list().front().card.name, "a");
}

TEST_F(ModelPoolTest, AFailedLoadIsToldToAllAndTriedAgain) {
  ModelPool pool(options(8));
  ASSERT_TRUE(pool.refresh());
  holds_ = fails_ = true;
  auto first = std::async(std::launch::async, [&] { return get(pool, "a").error().message; });
  loading_.acquire();
  auto second = std::async(std::launch::async, [&] { return get(pool, "a").error().message; });
  EXPECT_EQ(pool.status("a")->state, ModelState::kLoading);
  EXPECT_EQ(pool.status("a")->progress, 0.5F);
  std::this_thread::sleep_for(20ms);
  gate_.release();
  EXPECT_EQ(first.get(), "the disk is gone");
  holds_ = false;
  gate_.release();  // if the second came too late for the first load
  EXPECT_EQ(second.get(), "the disk is gone");
  fails_ = false;
  EXPECT_TRUE(get(pool, "a"));
}

TEST_F(ModelPoolTest, OneThatGivesUpIsNotCalled) {
  ModelPool pool(options(8));
  ASSERT_TRUE(pool.refresh());
  holds_ = true;
  std::atomic<int> n_called = 0;
  auto asked = pool.acquire("a", [&](Result<ModelUse>) { ++n_called; });
  loading_.acquire();
  pool.cancel(asked.ticket);
  gate_.release();
  holds_ = false;
  EXPECT_TRUE(eventually([&] { return pool.status("a")->state == ModelState::kLoaded; }));
  EXPECT_EQ(n_called, 0);
}

TEST_F(ModelPoolTest, AModelInUseIsNotUnloadedAndAnIdleOneIs) {
  ModelPool pool(options(8));
  ASSERT_TRUE(pool.refresh());
  {
    const auto use = get(pool, "a");
    EXPECT_EQ(pool.unload("a").error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(n_alive_, 1);
  }
  EXPECT_TRUE(pool.unload("a"));
  EXPECT_TRUE(eventually([&] { return n_alive_ == 0; }));
  EXPECT_TRUE(eventually([&] { return pool.status("a")->n_unloads == 1; }));
}

TEST_F(ModelPoolTest, ClosingTellsThoseWhoWait) {
  ModelPool pool(options(4));
  ASSERT_TRUE(pool.refresh());
  const auto use = get(pool, "a");
  auto waiting = std::async(std::launch::async, [&] { return get(pool, "b").error().code; });
  std::this_thread::sleep_for(20ms);
  pool.close();
  EXPECT_EQ(waiting.get(), ErrorCode::kUnavailable);
  EXPECT_EQ(get(pool, "a").error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(n_alive_, 0);
}

TEST_F(ModelPoolTest, ManyThreadsAreAllServed) {
  ModelPool pool(options(8));
  ASSERT_TRUE(pool.refresh());
  std::atomic<int> n_served = 0;
  std::atomic<int> n_wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (std::uint64_t i = 0; i < 200; ++i) {
          const std::string name(1, static_cast<char>('a' + random_bits(t, i) % 3));
          const auto use = get(pool, name);
          if (!use || use->answerer().card().name != name || n_alive_ > 2) ++n_wrong;
          ++n_served;
        }
      });
    }
  }
  EXPECT_EQ(n_served, 1600);
  EXPECT_EQ(n_wrong, 0);
}

}  // namespace
}  // namespace jarip
