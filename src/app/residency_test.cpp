#include "app/residency.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/random.h"

namespace jarip {
namespace {

using std::chrono::seconds;
using Outcome = Residency::Outcome;
using State = Residency::State;
using Time = Residency::Time;
using Tickets = std::vector<Residency::Ticket>;

Time at(int second) { return Time(seconds(second)); }

// Does what is to be done next, which must be that.
void expect_work(Residency& residency, Residency::ModelId model, bool is_load, int second = 0) {
  const auto work = residency.next(at(second));
  ASSERT_TRUE(work.has_value());
  EXPECT_EQ(work->model, model);
  EXPECT_EQ(work->is_load, is_load);
  if (is_load) {
    residency.loaded(model, at(second));
  } else {
    residency.unloaded(model);
  }
}

TEST(Residency, TwoThatFitStayAndServeAtOnce) {
  Residency residency({.n_bytes = 10});
  const auto a = residency.add(4);
  const auto b = residency.add(6);
  EXPECT_EQ(residency.request(a, 1, at(0)), Outcome::kWaits);
  EXPECT_EQ(residency.request(b, 2, at(0)), Outcome::kWaits);
  EXPECT_EQ(residency.request(a, 3, at(0)), Outcome::kWaits);
  expect_work(residency, a, true);
  EXPECT_EQ(residency.take_granted(), (Tickets{1, 3}));
  expect_work(residency, b, true);
  EXPECT_EQ(residency.take_granted(), Tickets{2});
  EXPECT_EQ(residency.request(b, 4, at(1)), Outcome::kGranted);
  EXPECT_FALSE(residency.next(at(1)));
  EXPECT_EQ(residency.n_users(a), 2U);
}

TEST(Residency, TheLeastRecentlyUsedIdleModelMakesRoom) {
  Residency residency({.n_bytes = 10});
  const auto a = residency.add(4);
  const auto b = residency.add(4);
  const auto c = residency.add(4);
  for (const auto model : {a, b}) {
    residency.request(model, model, at(0));
    expect_work(residency, model, true);
  }
  residency.release(b, at(1));
  residency.release(a, at(2));  // used after b
  residency.request(c, 9, at(3));
  expect_work(residency, b, false, 3);
  expect_work(residency, c, true, 3);
  EXPECT_EQ(residency.state(a), State::kLoaded);
  EXPECT_EQ(residency.resident_bytes(), 8U);
}

TEST(Residency, AModelInUseIsWaitedForAndThenGivesWay) {
  Residency residency({.n_bytes = 10});
  const auto a = residency.add(7);
  const auto b = residency.add(7);
  residency.request(a, 1, at(0));
  expect_work(residency, a, true);
  EXPECT_EQ(residency.request(b, 2, at(1)), Outcome::kWaits);
  EXPECT_FALSE(residency.next(at(1)));
  // Who comes later doesn't keep it from the one that waits.
  EXPECT_EQ(residency.request(a, 3, at(2)), Outcome::kWaits);
  residency.release(a, at(3));
  expect_work(residency, a, false, 3);
  expect_work(residency, b, true, 3);
  EXPECT_EQ(residency.take_granted(), (Tickets{1, 2}));
  residency.release(b, at(4));
  expect_work(residency, b, false, 4);
  expect_work(residency, a, true, 4);
  EXPECT_EQ(residency.take_granted(), Tickets{3});
}

TEST(Residency, OneThatGivesUpLeavesTheRoomToThoseBehind) {
  Residency residency({.n_bytes = 10});
  const auto a = residency.add(7);
  const auto b = residency.add(7);
  residency.request(a, 1, at(0));
  expect_work(residency, a, true);
  residency.request(b, 2, at(1));
  residency.request(a, 3, at(1));
  EXPECT_EQ(residency.take_granted(), Tickets{1});
  residency.cancel(2);
  EXPECT_EQ(residency.take_granted(), Tickets{3});
  EXPECT_EQ(residency.n_waiting(), 0U);
  EXPECT_FALSE(residency.next(at(2)));
}

TEST(Residency, AFailedLoadEndsTheWaitOfAllWhoWantedItAndIsTriedAgain) {
  Residency residency({.n_bytes = 10});
  const auto a = residency.add(7);
  residency.request(a, 1, at(0));
  residency.request(a, 2, at(0));
  ASSERT_TRUE(residency.next(at(0)).has_value());
  EXPECT_EQ(residency.failed(a), (Tickets{1, 2}));
  EXPECT_FALSE(residency.next(at(1)));
  residency.request(a, 3, at(1));
  expect_work(residency, a, true, 1);
}

TEST(Residency, WhatCouldNeverFitAndALineThatIsFullAreRefused) {
  Residency residency({.n_bytes = 10, .max_waiting = 1});
  const auto huge = residency.add(11);
  const auto a = residency.add(10);
  EXPECT_EQ(residency.request(huge, 1, at(0)), Outcome::kTooLarge);
  EXPECT_EQ(residency.request(a, 2, at(0)), Outcome::kWaits);
  EXPECT_EQ(residency.request(a, 3, at(0)), Outcome::kLineFull);
}

TEST(Residency, AnIdleModelLeavesAfterItsTimeOrWhenToldTo) {
  Residency residency({.n_bytes = 10, .keep_alive = seconds(60)});
  const auto a = residency.add(4);
  residency.request(a, 1, at(0));
  expect_work(residency, a, true);
  EXPECT_FALSE(residency.next_expiry());
  residency.release(a, at(100));
  EXPECT_EQ(residency.next_expiry(), at(160));
  EXPECT_FALSE(residency.next(at(159)));
  expect_work(residency, a, false, 160);
  residency.request(a, 2, at(200));
  expect_work(residency, a, true, 200);
  residency.unload_when_idle(a);
  EXPECT_FALSE(residency.next(at(201)));
  residency.release(a, at(202));
  expect_work(residency, a, false, 202);
}

// Random requests, releases, cancellations and failures, with what must hold after each.
class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : seed_(seed) {
    const std::uint64_t n_models = 2 + draw(6);
    for (std::uint64_t i = 0; i < n_models; ++i) {
      sizes_.push_back(1 + draw(kBudget));
      residency_.add(sizes_.back());
    }
  }

  void run(int n_steps) {
    for (int i = 0; i < n_steps && !::testing::Test::HasFailure(); ++i) step();
    // Nobody comes any more: in the end everybody has been served.
    for (int i = 0; i < 10'000 && (!waiting_.empty() || working_); ++i) {
      release_one();
      work_on();
      check();
    }
    EXPECT_TRUE(waiting_.empty()) << "seed " << seed_;
  }

  [[nodiscard]] int n_served() const { return n_served_; }

 private:
  static constexpr std::uint64_t kBudget = 12;

  std::uint64_t draw(std::uint64_t below) { return random_bits(seed_, position_++) % below; }

  void step() {
    now_ += seconds(draw(3));
    switch (draw(6)) {
      case 0:
      case 1:
        ask();
        break;
      case 2:
        release_one();
        break;
      case 3:
        if (!waiting_.empty() && draw(4) == 0) {
          residency_.cancel(waiting_.begin()->first);
          waiting_.erase(waiting_.begin());
        }
        break;
      default:
        work_on();
    }
    check();
  }

  void ask() {
    const auto model = static_cast<Residency::ModelId>(draw(sizes_.size()));
    const Residency::Ticket ticket = ++last_ticket_;
    switch (residency_.request(model, ticket, now_)) {
      case Outcome::kGranted:
        EXPECT_EQ(residency_.state(model), State::kLoaded);
        ++users_[model];
        break;
      case Outcome::kWaits:
        waiting_[ticket] = model;
        break;
      case Outcome::kTooLarge:
      case Outcome::kLineFull:
        break;
    }
  }

  void release_one() {
    for (auto& [model, n] : users_) {
      if (n == 0 || draw(2) == 0) continue;
      --n;
      residency_.release(model, now_);
      return;
    }
  }

  void work_on() {
    if (!working_) {
      working_ = residency_.next(now_);
      if (working_ && !working_->is_load) {
        EXPECT_EQ(users_[working_->model], 0U) << "unloaded in use, seed " << seed_;
      }
      return;
    }
    const Residency::Work work = *std::exchange(working_, std::nullopt);
    if (!work.is_load) return residency_.unloaded(work.model);
    if (draw(5) != 0) return residency_.loaded(work.model, now_);
    for (const auto ticket : residency_.failed(work.model)) {
      EXPECT_EQ(waiting_.at(ticket), work.model);
      waiting_.erase(ticket);
    }
  }

  void check() {
    for (const auto ticket : residency_.take_granted()) {
      ASSERT_TRUE(waiting_.contains(ticket)) << "seed " << seed_;
      const auto model = waiting_.at(ticket);
      EXPECT_EQ(residency_.state(model), State::kLoaded);
      ++users_[model];
      ++n_served_;
      waiting_.erase(ticket);
    }
    EXPECT_LE(residency_.resident_bytes(), kBudget) << "seed " << seed_;
    EXPECT_EQ(residency_.n_waiting(), waiting_.size());
    for (const auto& [model, n] : users_) EXPECT_EQ(residency_.n_users(model), n);
  }

  std::uint64_t seed_;
  std::uint64_t position_ = 0;
  Residency residency_{{.n_bytes = kBudget, .max_waiting = 8, .keep_alive = seconds(20)}};
  std::vector<std::uint64_t> sizes_;
  Time now_ = at(0);
  Residency::Ticket last_ticket_ = 0;
  std::map<Residency::Ticket, Residency::ModelId> waiting_;
  std::map<Residency::ModelId, std::uint32_t> users_;
  std::optional<Residency::Work> working_;
  int n_served_ = 0;
};

TEST(Residency, NothingIsStuckAboveTheBudgetOrUnloadedInUseWhateverHappens) {
  int n_served = 0;
  for (std::uint64_t seed = 0; seed < 500 && !::testing::Test::HasFailure(); ++seed) {
    Simulation simulation(seed);
    simulation.run(400);
    n_served += simulation.n_served();
  }
  EXPECT_GT(n_served, 5'000);
}

}  // namespace
}  // namespace jarip
