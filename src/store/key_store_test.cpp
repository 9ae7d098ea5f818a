#include "store/key_store.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace jarip {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

KeyHash hash_of(int seed) {
  KeyHash hash{};
  for (std::size_t i = 0; i < hash.size(); ++i) {
    hash[i] = static_cast<std::byte>(static_cast<std::size_t>(seed) * 31 + i);
  }
  return hash;
}

class KeyStoreTest : public ::testing::Test {
 protected:
  KeyStoreTest() {
    std::string pattern = (fs::temp_directory_path() / "jarip-keys-XXXXXX").native();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~KeyStoreTest() override { fs::remove_all(folder_); }

  KeyStore open() const {
    return KeyStore::open(KeyStore::path_in(folder_), OpenMode::kCreate).value();
  }

  fs::path folder_;
};

TEST_F(KeyStoreTest, AKeyComesBackAsItWasAdded) {
  const KeyTerms terms{.name = "편집기",
                       .scopes = 3,
                       .expires = 2000,
                       .requests_per_minute = 60,
                       .tokens_per_minute = 1000,
                       .token_limit = 50'000,
                       .weight = 4};
  ASSERT_TRUE(open().add("jarip_0a", hash_of(1), terms, 1000));
  KeyStore store = open();
  ASSERT_TRUE(store.add("jarip_0b", hash_of(2), {.scopes = 1}, 1001));
  const KeyRecord found = store.find("jarip_0a").value().value();
  EXPECT_EQ(found.id, 1);
  EXPECT_EQ(found.hash, hash_of(1));
  EXPECT_EQ(found.terms.name, terms.name);
  EXPECT_TRUE(found.has(KeyScope::kInference) && found.has(KeyScope::kAdmin));
  EXPECT_EQ(found.terms.expires, 2000);
  EXPECT_EQ(found.terms.requests_per_minute, 60);
  EXPECT_EQ(found.terms.tokens_per_minute, 1000);
  EXPECT_EQ(found.terms.token_limit, 50'000);
  EXPECT_EQ(found.terms.weight, 4);
  EXPECT_EQ(found.created, 1000);
  EXPECT_FALSE(found.revoked);
  const KeyRecord plain = store.find("jarip_0b").value().value();
  EXPECT_FALSE(plain.has(KeyScope::kAdmin));
  EXPECT_FALSE(plain.terms.expires || plain.terms.token_limit);
  EXPECT_FALSE(store.find("jarip_0c").value());
  EXPECT_EQ(store.list().value().size(), 2U);
}

TEST_F(KeyStoreTest, APrefixIsOneKeys) {
  KeyStore store = open();
  EXPECT_TRUE(store.is_empty().value());
  ASSERT_TRUE(store.add("jarip_0a", hash_of(1), {.scopes = 1}, 1));
  EXPECT_FALSE(store.is_empty().value());
  const auto again = store.add("jarip_0a", hash_of(2), {.scopes = 1}, 1);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(KeyStoreTest, WhatOneConnectionDoesAnotherSees) {
  KeyStore server = open();
  KeyStore command = open();
  const auto before = server.version().value();
  EXPECT_EQ(server.version().value(), before);
  const KeyId id = command.add("jarip_0a", hash_of(1), {.scopes = 1}, 1).value();
  EXPECT_NE(server.version().value(), before);
  EXPECT_FALSE(server.is_revoked(id).value());
  EXPECT_TRUE(command.revoke(id, 9).value());
  EXPECT_TRUE(server.is_revoked(id).value());
  EXPECT_EQ(server.find("jarip_0a").value()->revoked, 9);
  EXPECT_FALSE(command.revoke(id, 10).value());
  EXPECT_EQ(server.find("jarip_0a").value()->revoked, 9);
  EXPECT_TRUE(server.is_revoked(id + 1).value());
}

TEST_F(KeyStoreTest, UseAddsUp) {
  KeyStore store = open();
  const KeyId a = store.add("jarip_0a", hash_of(1), {.scopes = 1}, 1).value();
  const KeyId b = store.add("jarip_0b", hash_of(2), {.scopes = 1}, 1).value();
  for (int i = 0; i < 3; ++i) {
    const std::vector<std::pair<KeyId, KeyUse>> uses = {{a, {1, 10, 5}}, {b, {2, 1, 0}}};
    ASSERT_TRUE(store.add_use(uses));
  }
  EXPECT_EQ(store.find("jarip_0a").value()->use.tokens(), 45);
  EXPECT_EQ(store.find("jarip_0b").value()->use.requests, 6);
  const std::vector<std::pair<KeyId, KeyUse>> half = {{a, {1, 1, 1}}, {99, {1, 1, 1}}};
  EXPECT_FALSE(store.add_use(half));  // there is no key 99
  EXPECT_EQ(store.find("jarip_0a").value()->use.tokens(), 45);
}

// In a child that is killed: adds keys and use, and tells its parent of each that was acknowledged.
[[noreturn]] void write_until_killed(const fs::path& path, int pipe, int round) {
  auto store = KeyStore::open(path, OpenMode::kCreate);
  if (!store) ::_exit(1);
  for (int i = 0;; ++i) {
    const std::string prefix = std::to_string(round) + "-" + std::to_string(i);
    const auto id = store->add(prefix, hash_of(i), {.scopes = 1}, 1);
    const std::vector<std::pair<KeyId, KeyUse>> use = {{id.value_or(0), {1, 3, 4}}};
    if (!id || !store->add_use(use)) ::_exit(1);
    const std::string line = prefix + "\n";
    if (::write(pipe, line.data(), line.size()) < 0) ::_exit(1);
  }
}

std::string acknowledged_before_death(const fs::path& path, int round) {
  int ends[2];
  if (::pipe(ends) != 0) return {};
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    write_until_killed(path, ends[1], round);
  }
  ::close(ends[1]);
  // However slow the machine is, something was acknowledged.
  pollfd said_something{.fd = ends[0], .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&said_something, 1, 30'000), 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(15 + round * 7 % 40));
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself";
  std::string said;
  char piece[4096];
  for (ssize_t n = 0; (n = ::read(ends[0], piece, sizeof piece)) > 0;) {
    said.append(piece, static_cast<std::size_t>(n));
  }
  ::close(ends[0]);
  return said;
}

TEST_F(KeyStoreTest, EveryAcknowledgedKeySurvivesKilling) {
  const fs::path path = KeyStore::path_in(folder_);
  std::size_t n_acknowledged = 0;
  for (int round = 0; round < 25; ++round) {
    const std::string said = acknowledged_before_death(path, round);
    const auto n_lines = static_cast<std::size_t>(std::ranges::count(said, '\n'));
    n_acknowledged += n_lines;
    KeyStore store = open();
    for (std::size_t i = 0; i < n_lines; ++i) {
      const auto found = store.find(std::to_string(round) + "-" + std::to_string(i)).value();
      ASSERT_TRUE(found) << round << "-" << i;
      EXPECT_EQ(found->use.tokens(), 7);
    }
  }
  EXPECT_GE(n_acknowledged, 25U);
}

}  // namespace
}  // namespace jarip
