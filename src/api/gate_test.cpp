#include "api/gate.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <filesystem>
#include <string>

#include "app/api_key.h"

namespace jarip {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace std::chrono_literals;

// A client that stays, and takes whatever it gets or nothing.
class FakeStream final : public ResponseStream {
 public:
  std::string written;
  bool is_closed = false;
  bool is_stuck = false;

  asio::awaitable<bool> send(Response response) override {
    written += response.body;
    co_return true;
  }
  asio::awaitable<bool> begin(Response /*head*/) override { co_return true; }
  asio::awaitable<bool> write(std::string_view bytes) override {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (is_stuck && !is_closed) {
      timer.expires_after(5ms);
      co_await timer.async_wait(asio::use_awaitable);
    }
    written += bytes;
    co_return !is_closed;
  }
  asio::awaitable<bool> finish() override { co_return true; }
  void drop_body() override {}
  bool is_gone() const override { return is_closed; }
  void notify_when_gone(std::function<void()> /*on_gone*/) override {}
  void close_now() override { is_closed = true; }
};

class GateTest : public ::testing::Test {
 protected:
  GateTest() {
    std::string pattern = (fs::temp_directory_path() / "jarip-gate-XXXXXX").native();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~GateTest() override { fs::remove_all(folder_); }

  fs::path path() const { return KeyStore::path_in(folder_); }
  KeyStore store() const { return KeyStore::open(path(), OpenMode::kCreate).value(); }
  std::string add_key() {
    const ApiKey key = make_api_key().value();
    id_ = store()
              .add(key.prefix, key.hash,
                   {.scopes = static_cast<std::uint32_t>(KeyScope::kInference)}, 1)
              .value();
    return key.text;
  }
  static Request request_with(const std::string& key) {
    Request request;
    request.headers.push_back({"x-api-key", key});
    return request;
  }
  // Revokes the key while something runs for it; returns how long that then went on.
  std::chrono::milliseconds run_until_cut(FakeStream& client) {
    add_key();
    Accounts accounts({.path = path()});
    EXPECT_FALSE(accounts.admit("", KeyScope::kInference, false));  // opens the file
    Gate gate(&accounts);
    asio::io_context io;
    std::chrono::steady_clock::time_point revoked;
    auto run = [&]() -> asio::awaitable<void> {
      GuardedStream stream(client);
      const Gate::Visit visit(gate, co_await asio::this_coro::executor, id_, stream);
      asio::steady_timer timer(co_await asio::this_coro::executor, 250ms);
      bool is_told = false;
      stream.notify_when_gone([&] { is_told = true; });
      co_await timer.async_wait(asio::use_awaitable);
      EXPECT_FALSE(stream.is_gone());
      EXPECT_TRUE(store().revoke(id_, 2).value());
      revoked = std::chrono::steady_clock::now();
      while (co_await stream.write("x") && std::chrono::steady_clock::now() < revoked + 5s) {
        timer.expires_after(5ms);
        co_await timer.async_wait(asio::use_awaitable);
      }
      EXPECT_TRUE(stream.is_cut());
      EXPECT_TRUE(stream.is_gone());
      EXPECT_TRUE(is_told);
      EXPECT_FALSE(co_await stream.send({200, {}, "late"}));
    };
    auto done = asio::co_spawn(io, run(), asio::use_future);
    io.run();
    done.get();
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                                 revoked);
  }

  fs::path folder_;
  KeyId id_ = 0;
};

TEST_F(GateTest, ARevokedKeysStreamIsCut) {
  FakeStream client;
  EXPECT_LT(run_until_cut(client), 1s);
  EXPECT_FALSE(client.is_closed);
  EXPECT_EQ(client.written.find("late"), std::string::npos);
}

TEST_F(GateTest, AClientThatTakesNothingIsDisconnected) {
  FakeStream client;
  client.is_stuck = true;
  EXPECT_LT(run_until_cut(client), 1s);
  EXPECT_TRUE(client.is_closed);
}

TEST_F(GateTest, LetsInWhomTheAccountsLetIn) {
  const std::string key = add_key();
  Accounts accounts({.path = path()});
  Gate gate(&accounts);
  asio::io_context io;
  auto run = [&]() -> asio::awaitable<void> {
    EXPECT_EQ((co_await gate.admit(request_with(key), Access::kInference, true))->key, id_);
    EXPECT_EQ((co_await gate.admit(request_with(key), Access::kAdmin, false)).error().reason,
              RejectReason::kScope);
    EXPECT_EQ((co_await gate.admit(request_with(key), Access::kOpen, false))->key, 0);
    EXPECT_EQ((co_await gate.admit({}, Access::kOpen, false))->key, 0);
    EXPECT_EQ((co_await gate.admit({}, Access::kInference, false)).error().reason,
              RejectReason::kMissing);
    Request two = request_with(key);
    two.headers.push_back({"authorization", "Bearer other"});
    EXPECT_EQ((co_await gate.admit(two, Access::kInference, false)).error().reason,
              RejectReason::kMalformed);
  };
  auto done = asio::co_spawn(io, run(), asio::use_future);
  io.run();
  done.get();
}

}  // namespace
}  // namespace jarip
