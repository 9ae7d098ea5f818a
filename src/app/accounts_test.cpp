#include "app/accounts.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <string>
#include <vector>

#include "app/api_key.h"

namespace jarip {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class AccountsTest : public ::testing::Test {
 protected:
  AccountsTest() {
    std::string pattern = (fs::temp_directory_path() / "jarip-accounts-XXXXXX").native();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~AccountsTest() override { fs::remove_all(folder_); }

  Accounts make(bool open_without_keys = false) {
    return Accounts({.path = path(),
                     .open_without_keys = open_without_keys,
                     .unix_now = [this] { return unix_now_; },
                     .steady_now = [this] { return steady_now_; }});
  }
  fs::path path() const { return KeyStore::path_in(folder_); }
  KeyStore store() const { return KeyStore::open(path(), OpenMode::kCreate).value(); }

  struct Made {
    KeyId id;
    std::string text;
  };
  Made add(KeyTerms terms = {}) {
    if (terms.scopes == 0) terms.scopes = static_cast<std::uint32_t>(KeyScope::kInference);
    const ApiKey key = make_api_key().value();
    return {store().add(key.prefix, key.hash, terms, unix_now_).value(), key.text};
  }
  static RejectReason reason_of(const std::expected<Admission, Rejection>& admitted) {
    EXPECT_FALSE(admitted);
    return admitted ? RejectReason::kStore : admitted.error().reason;
  }
  // And waits until it is on the disk.
  static Result<void> use(Accounts& accounts, KeyId id, std::int64_t prompt, std::int64_t output) {
    std::promise<Result<void>> done;
    accounts.count_use(id, prompt, output, [&](Result<void> stored) { done.set_value(stored); });
    return done.get_future().get();
  }

  fs::path folder_;
  std::int64_t unix_now_ = 1'000'000;
  std::chrono::steady_clock::time_point steady_now_{};
};

TEST_F(AccountsTest, WithoutKeysAnOpenServerNeedsNoneUntilOneIsMade) {
  Accounts accounts = make(true);
  EXPECT_EQ(accounts.admit("", KeyScope::kAdmin, true).value().key, 0);
  EXPECT_EQ(accounts.admit("anything", KeyScope::kInference, true).value().key, 0);
  EXPECT_FALSE(fs::exists(path()));
  store();  // an empty file
  EXPECT_TRUE(accounts.admit("", KeyScope::kInference, true));
  const Made key = add();
  EXPECT_EQ(reason_of(accounts.admit("", KeyScope::kInference, true)), RejectReason::kMissing);
  EXPECT_EQ(accounts.admit(key.text, KeyScope::kInference, true).value().key, key.id);
}

TEST_F(AccountsTest, RevokingTheLastKeyOpensNothing) {
  const Made key = add();
  ASSERT_TRUE(store().revoke(key.id, 1).value());
  EXPECT_EQ(reason_of(make(true).admit("", KeyScope::kInference, true)), RejectReason::kMissing);
}

TEST_F(AccountsTest, AServerThatNeedsKeysIsClosedWhenThereAreNone) {
  EXPECT_EQ(reason_of(make().admit("", KeyScope::kInference, true)), RejectReason::kStore);
}

TEST_F(AccountsTest, OnlyTheWholeKeyIsKnown) {
  Accounts accounts = make();
  const Made key = add({.name = "a", .weight = 3});
  const auto admitted = accounts.admit(key.text, KeyScope::kInference, true);
  ASSERT_TRUE(admitted);
  EXPECT_EQ(admitted->prefix, *prefix_of_key(key.text));
  EXPECT_EQ(admitted->weight, 3U);
  std::string wrong = key.text;
  wrong.back() = wrong.back() == '0' ? '1' : '0';
  for (const std::string& bad : {wrong, key.text.substr(0, 14), make_api_key().value().text,
                                 std::string("sk-x"), key.text + "0"}) {
    const auto rejected = accounts.admit(bad, KeyScope::kInference, true);
    EXPECT_EQ(reason_of(rejected), RejectReason::kUnknown) << bad;
    EXPECT_EQ(rejected.error().error.code, ErrorCode::kUnauthorized);
    EXPECT_EQ(rejected.error().error.message.find(key.text), std::string::npos);
  }
}

TEST_F(AccountsTest, RevokedExpiredAndUnscopedKeysAreRejected) {
  Accounts accounts = make();
  const Made key = add({.expires = unix_now_ + 10});
  EXPECT_TRUE(accounts.admit(key.text, KeyScope::kInference, true));
  const auto unscoped = accounts.admit(key.text, KeyScope::kAdmin, true);
  EXPECT_EQ(reason_of(unscoped), RejectReason::kScope);
  EXPECT_EQ(unscoped.error().error.code, ErrorCode::kForbidden);
  unix_now_ += 10;
  EXPECT_EQ(reason_of(accounts.admit(key.text, KeyScope::kInference, true)),
            RejectReason::kExpired);
  const Made other = add();
  EXPECT_TRUE(accounts.admit(other.text, KeyScope::kInference, true));
  ASSERT_TRUE(store().revoke(other.id, 1).value());
  EXPECT_EQ(reason_of(accounts.admit(other.text, KeyScope::kInference, true)),
            RejectReason::kRevoked);
}

TEST_F(AccountsTest, RequestsAMinuteAreCountedAndRefill) {
  Accounts accounts = make();
  const Made key = add({.requests_per_minute = 2});
  const auto first = accounts.admit(key.text, KeyScope::kInference, true);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->rates.requests->limit, 2);
  EXPECT_EQ(first->rates.requests->left, 1);
  EXPECT_DOUBLE_EQ(first->rates.requests->full_in_s, 30);
  EXPECT_FALSE(first->rates.tokens);
  EXPECT_TRUE(accounts.admit(key.text, KeyScope::kInference, true));
  EXPECT_TRUE(accounts.admit(key.text, KeyScope::kInference, false));  // costs nothing
  const auto rejected = accounts.admit(key.text, KeyScope::kInference, true);
  EXPECT_EQ(reason_of(rejected), RejectReason::kRequestRate);
  EXPECT_EQ(rejected.error().error.code, ErrorCode::kLimitReached);
  EXPECT_DOUBLE_EQ(rejected.error().retry_after_s.value(), 30);
  EXPECT_EQ(rejected.error().rates.requests->left, 0);
  EXPECT_TRUE(accounts.admit(add().text, KeyScope::kInference, true));  // another's own matter
  steady_now_ += 30s;
  EXPECT_TRUE(accounts.admit(key.text, KeyScope::kInference, true));
}

TEST_F(AccountsTest, TokensAMinuteArePaidBackBeforeMoreAreGiven) {
  Accounts accounts = make();
  const Made key = add({.tokens_per_minute = 600});
  ASSERT_TRUE(accounts.admit(key.text, KeyScope::kInference, true));
  ASSERT_TRUE(use(accounts, key.id, 700, 199));
  const auto rejected = accounts.admit(key.text, KeyScope::kInference, true);
  EXPECT_EQ(reason_of(rejected), RejectReason::kTokenRate);
  EXPECT_DOUBLE_EQ(rejected.error().retry_after_s.value(), 30);
  steady_now_ += 30s;
  EXPECT_TRUE(accounts.admit(key.text, KeyScope::kInference, true));
}

TEST_F(AccountsTest, TheTokenLimitHoldsOverRestarts) {
  const Made key = add({.token_limit = 100});
  {
    Accounts accounts = make();
    ASSERT_TRUE(accounts.admit(key.text, KeyScope::kInference, true));
    ASSERT_TRUE(use(accounts, key.id, 60, 39));
    EXPECT_TRUE(accounts.admit(key.text, KeyScope::kInference, true));
    accounts.count_use(key.id, 0, 1, [](const Result<void>&) {});
    // Before it is on the disk, too.
    EXPECT_EQ(reason_of(accounts.admit(key.text, KeyScope::kInference, true)),
              RejectReason::kTokenLimit);
    EXPECT_TRUE(accounts.admit(key.text, KeyScope::kInference, false));
  }
  Accounts accounts = make();
  const auto rejected = accounts.admit(key.text, KeyScope::kInference, true);
  EXPECT_EQ(reason_of(rejected), RejectReason::kTokenLimit);
  EXPECT_FALSE(rejected.error().retry_after_s);
  EXPECT_EQ(store().find(*prefix_of_key(key.text)).value()->use.tokens(), 100);
}

TEST_F(AccountsTest, UseFromManyThreadsIsCountedExactly) {
  const Made key = add();
  {
    Accounts accounts = make();
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 100; ++i) accounts.count_use(key.id, 2, 1, [](const Result<void>&) {});
      });
    }
  }
  const KeyUse used = store().find(*prefix_of_key(key.text)).value()->use;
  EXPECT_EQ(used.requests, 400);
  EXPECT_EQ(used.prompt_tokens, 800);
  EXPECT_EQ(used.output_tokens, 400);
}

TEST_F(AccountsTest, WhatCantBeStoredIsToldAndStopsFurtherUse) {
  const Made key = add();
  Accounts accounts = make();
  ASSERT_TRUE(accounts.admit(key.text, KeyScope::kInference, true));
  // A key that isn't in the file stands for a disk that can't be written.
  EXPECT_FALSE(use(accounts, 99, 1, 1));
  EXPECT_EQ(reason_of(accounts.admit(key.text, KeyScope::kInference, true)), RejectReason::kStore);
  EXPECT_TRUE(accounts.admit(key.text, KeyScope::kInference, false));
}

TEST_F(AccountsTest, RevokedKeysAreFoundAmongThoseInUse) {
  Accounts accounts = make();
  const Made a = add();
  const Made b = add();
  const std::vector<KeyId> both = {a.id, b.id};
  EXPECT_TRUE(accounts.admit(a.text, KeyScope::kInference, true));
  EXPECT_TRUE(accounts.revoked_among(both, true).empty());
  ASSERT_TRUE(store().revoke(b.id, 1).value());
  EXPECT_EQ(accounts.revoked_among(both, false), std::vector<KeyId>{b.id});
  EXPECT_TRUE(accounts.revoked_among(both, false).empty());
  EXPECT_EQ(accounts.revoked_among(both, true), std::vector<KeyId>{b.id});
}

}  // namespace
}  // namespace jarip
