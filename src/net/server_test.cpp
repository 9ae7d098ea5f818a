#include "net/server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "tests/support/test_client.h"

namespace jarip {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);

// Answers what its paths say; counts what it sees.
class ScriptedHandler final : public HttpHandler {
 public:
  std::atomic<int> n_gone{0};
  std::atomic<int> n_waiting{0};
  std::atomic<std::size_t> n_written{0};
  std::atomic<bool> release{false};

  asio::awaitable<void> handle(const Request& request, ResponseStream& stream) override {
    if (request.path == "/echo") {
      co_await stream.send({200, {}, request.method + " " + request.query + " " + request.body});
    } else if (request.path == "/wait") {
      co_await wait_for_the_end(stream);
    } else if (request.path == "/slow") {
      asio::steady_timer timer(co_await asio::this_coro::executor);
      ++n_waiting;
      while (!release && !stream.is_gone()) {
        timer.expires_after(5ms);
        co_await timer.async_wait(kNoThrow);
      }
      co_await stream.send({200, {}, "at last"});
    } else if (request.path == "/pieces") {
      co_await stream.begin({200, {{"content-type", "text/plain"}}, {}});
      for (const char* piece : {"one ", "", "two ", "three"}) co_await stream.write(piece);
      co_await stream.finish();
    } else if (request.path == "/flood") {
      co_await flood(stream);
    } else if (request.path == "/throw") {
      throw std::bad_alloc();
    }
  }

  Response render_refusal(const Refusal& refusal) override {
    return {refusal.status, {}, refusal.message};
  }

 private:
  // Sends nothing until the client has left.
  asio::awaitable<void> wait_for_the_end(ResponseStream& stream) {
    asio::steady_timer timer(co_await asio::this_coro::executor,
                             asio::steady_timer::time_point::max());
    stream.notify_when_gone([&] { timer.cancel(); });
    ++n_waiting;
    if (!stream.is_gone()) co_await timer.async_wait(kNoThrow);
    ++n_gone;
  }

  asio::awaitable<void> flood(ResponseStream& stream) {
    const std::string piece(64U << 10U, 'x');
    bool is_open = co_await stream.begin({200, {}, {}});
    while (is_open && n_written < (64U << 20U)) {
      is_open = co_await stream.write(piece);
      if (is_open) n_written += piece.size();
    }
    if (is_open) co_await stream.finish();
    ++n_gone;
  }
};

template <class Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

constexpr std::string_view kGetEcho = "GET /echo?q HTTP/1.1\r\nHost: localhost\r\n\r\n";
constexpr std::string_view kCloseEcho =
    "GET /echo?q HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

TEST(Server, AnswersManyRequestsOnOneConnection) {
  ScriptedHandler handler;
  TestServer server(handler);
  TestClient client(server.port());
  for (int i = 0; i < 3; ++i) {
    client.send(kGetEcho);
    const std::string response = client.read_response();
    EXPECT_TRUE(response.starts_with("HTTP/1.1 200 OK\r\n")) << response;
    EXPECT_TRUE(response.ends_with("\r\n\r\nGET q ")) << response;
    EXPECT_EQ(response.find("connection:"), std::string::npos);
  }
}

TEST(Server, AnswersPipelinedRequestsInOrderHoweverTheyAreCut) {
  ScriptedHandler handler;
  TestServer server(handler);
  const std::string requests =
      "\r\nPOST /echo?1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"
      "POST /echo?2 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
      "2\r\nde\r\n1\r\nf\r\n0\r\n\r\n"
      "GET /echo?3 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  for (std::size_t cut : {std::size_t{0}, std::size_t{1}, std::size_t{60}, std::size_t{75},
                          std::size_t{150}, requests.size() - 2}) {
    TestClient client(server.port());
    client.send(std::string_view(requests).substr(0, cut));
    std::this_thread::sleep_for(5ms);
    const std::string all = client.exchange(std::string_view(requests).substr(cut));
    const std::size_t first = all.find("POST 1 abc");
    const std::size_t second = all.find("POST 2 def");
    const std::size_t third = all.find("GET 3 ");
    ASSERT_NE(third, std::string::npos) << cut << ": " << all;
    EXPECT_LT(first, second);
    EXPECT_LT(second, third);
  }
}

TEST(Server, APipelinedRequestWaitsUntilTheFirstIsAnswered) {
  ScriptedHandler handler;
  TestServer server(handler);
  TestClient client(server.port());
  client.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return handler.n_waiting == 1; }));
  client.send(kCloseEcho);
  std::this_thread::sleep_for(20ms);
  handler.release = true;
  const std::string all = client.read_to_end();
  EXPECT_NE(all.find("at last"), std::string::npos);
  EXPECT_LT(all.find("at last"), all.find("GET q ")) << all;
}

TEST(Server, StreamsPiecesAsChunks) {
  ScriptedHandler handler;
  TestServer server(handler);
  TestClient client(server.port());
  const std::string response =
      client.exchange("GET /pieces HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_NE(response.find("transfer-encoding: chunked\r\n"), std::string::npos);
  EXPECT_TRUE(response.ends_with("\r\n\r\n4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n"))
      << response;
}

TEST(Server, StreamsToHttp10UntilTheConnectionCloses) {
  ScriptedHandler handler;
  TestServer server(handler);
  TestClient client(server.port());
  const std::string response =
      client.exchange("GET /pieces HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(response.find("transfer-encoding"), std::string::npos);
  EXPECT_TRUE(response.ends_with("\r\n\r\none two three")) << response;
}

TEST(Server, HeadGetsTheHeadersOfGetAndNoBody) {
  ScriptedHandler handler;
  TestServer server(handler);
  TestClient client(server.port());
  const std::string response =
      client.exchange("HEAD /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_NE(response.find("content-length: 6\r\n"), std::string::npos) << response;
  EXPECT_TRUE(response.ends_with("\r\n\r\n")) << response;
}

TEST(Server, SaysContinueOnlyWhenTheBodyIsWanted) {
  ScriptedHandler handler;
  TestServer server(handler, {.max_body_bytes = 10});
  TestClient client(server.port());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: "
      "100-continue\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ab");
  EXPECT_TRUE(client.read_response().ends_with("POST  ab"));
  client.send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\nExpect: "
      "100-continue\r\n\r\n");
  EXPECT_TRUE(client.read_response().starts_with("HTTP/1.1 413 "));
}

struct BadRequest {
  const char* what;
  std::string bytes;
  int status;
};

TEST(Server, AnswersBadRequestsOnceAndCloses) {
  ScriptedHandler handler;
  TestServer server(handler, {.max_head_bytes = 1000, .max_body_bytes = 10});
  const std::string post = "POST /echo HTTP/1.1\r\nHost: localhost\r\n";
  const BadRequest table[] = {
      {"bare LF", "GET /echo HTTP/1.1\nHost: localhost\n\n", 400},
      {"both lengths", post + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       400},
      {"foreign host", "GET /echo HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403},
      {"foreign origin",
       "GET /echo HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n", 403},
      {"endless target", "GET /" + std::string(2000, 'a'), 414},
      {"endless head", "GET /echo HTTP/1.1\r\na: " + std::string(2000, 'a'), 431},
      {"whole head over the limit",
       "GET /echo HTTP/1.1\r\nHost: localhost\r\na: " + std::string(1000, 'a') + "\r\n\r\n", 431},
      {"long body", post + "Content-Length: 11\r\n\r\n01234567890", 413},
      {"long chunked body",
       post + "Transfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n", 413},
      {"bad chunk", post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
      {"TLS", std::string("\x16\x03\x01\x02\x00\x01", 6), 400},
  };
  for (const BadRequest& row : table) {
    TestClient client(server.port());
    // What follows a bad request must never be taken for another one.
    const std::string all = client.exchange(row.bytes + std::string(kCloseEcho));
    EXPECT_TRUE(all.starts_with("HTTP/1.1 " + std::to_string(row.status) + " "))
        << row.what << ": " << all;
    EXPECT_NE(all.find("connection: close\r\n"), std::string::npos) << row.what;
    EXPECT_EQ(all.find("GET q"), std::string::npos) << row.what << ": " << all;
  }
}

TEST(Server, TellsAllowedPagesOfElsewhereToTheHandler) {
  struct OriginHandler final : HttpHandler {
    asio::awaitable<void> handle(const Request& request, ResponseStream& stream) override {
      co_await stream.send({200, {}, "[" + request.allowed_origin + "]"});
    }
    Response render_refusal(const Refusal& refusal) override { return {refusal.status, {}, {}}; }
  } handler;
  TestServer server(handler, {.origins = {.allowed_hosts = {"chat.example"},
                                          .allowed_origins = {"https://app.example"}}});
  TestClient client(server.port());
  client.send("GET / HTTP/1.1\r\nHost: chat.example\r\nOrigin: https://app.example\r\n\r\n");
  EXPECT_TRUE(client.read_response().ends_with("[https://app.example]"));
}

TEST(Server, EndsRequestsThatDribble) {
  ScriptedHandler handler;
  TestServer server(handler, {.head_timeout = 60ms, .body_timeout = 60ms});
  TestClient head(server.port());
  TestClient body(server.port());
  body.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n");
  for (int i = 0; i < 10; ++i) {
    head.send("G");
    body.send("x");
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_TRUE(head.read_to_end().starts_with("HTTP/1.1 408 "));
  EXPECT_TRUE(body.read_to_end().starts_with("HTTP/1.1 408 "));
}

TEST(Server, ClosesIdleConnectionsWithoutAWord) {
  ScriptedHandler handler;
  TestServer server(handler, {.idle_timeout = 50ms});
  TestClient silent(server.port());
  TestClient used(server.port());
  used.send(kGetEcho);
  EXPECT_TRUE(used.read_response().ends_with("GET q "));
  EXPECT_EQ(used.read_to_end(), "");
  EXPECT_EQ(silent.read_to_end(), "");
  EXPECT_TRUE(eventually([&] { return server.n_connections() == 0; }));
}

TEST(Server, TurnsConnectionsAwayPastTheLimitAndRecovers) {
  ScriptedHandler handler;
  TestServer server(handler, {.max_connections = 2});
  auto first = std::make_unique<TestClient>(server.port());
  TestClient second(server.port());
  ASSERT_TRUE(eventually([&] { return server.n_connections() == 2; }));
  EXPECT_TRUE(TestClient(server.port()).read_to_end().starts_with("HTTP/1.1 503 "));
  first.reset();
  ASSERT_TRUE(eventually([&] { return server.n_connections() == 1; }));
  EXPECT_TRUE(TestClient(server.port()).exchange(kCloseEcho).starts_with("HTTP/1.1 200 "));
}

TEST(Server, ClosesAfterTheLastRequestOfAConnection) {
  ScriptedHandler handler;
  TestServer server(handler, {.max_requests_per_connection = 2});
  TestClient client(server.port());
  client.send(kGetEcho);
  EXPECT_EQ(client.read_response().find("connection: close"), std::string::npos);
  EXPECT_NE(client.exchange(kGetEcho).find("connection: close\r\n"), std::string::npos);
}

TEST(Server, BodiesOfAllConnectionsTogetherAreBounded) {
  ScriptedHandler handler;
  TestServer server(handler, {.max_body_bytes = 1000, .max_held_body_bytes = 1500});
  const std::string part =
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n" +
      std::string(900, 'x');
  auto first = std::make_unique<TestClient>(server.port());
  first->send(part);
  ASSERT_TRUE(eventually([&] { return server.n_connections() == 1; }));
  std::this_thread::sleep_for(20ms);
  EXPECT_TRUE(TestClient(server.port()).exchange(part).starts_with("HTTP/1.1 503 "));
  first.reset();
  ASSERT_TRUE(eventually([&] { return server.n_connections() == 0; }));
  TestClient later(server.port());
  later.send(part + std::string(100, 'x'));
  EXPECT_TRUE(later.read_response().starts_with("HTTP/1.1 200 "));
}

TEST(Server, NoticesThatAClientLeftWhileItsAnswerIsBeingMade) {
  ScriptedHandler handler;
  TestServer server(handler);
  for (bool only_half : {false, true}) {
    TestClient client(server.port());
    client.send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ASSERT_TRUE(eventually([&] { return handler.n_waiting == 1; }));
    EXPECT_EQ(handler.n_gone, 0);
    if (only_half) {
      client.half_close();
    } else {
      client.close();
    }
    EXPECT_TRUE(eventually([&] { return handler.n_gone == 1; }));
    EXPECT_TRUE(eventually([&] { return server.n_connections() == 0; }));
    handler.n_waiting = 0;
    handler.n_gone = 0;
  }
}

TEST(Server, HoldsLittleForASlowReaderAndGivesItUp) {
  ScriptedHandler handler;
  TestServer server(handler, {.send_buffer_bytes = 16 << 10, .write_timeout = 100ms});
  TestClient client(server.port(), /*small_window=*/true);
  client.send("GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(eventually([&] { return handler.n_gone == 1; }));
  EXPECT_LT(handler.n_written, 1U << 20U);
  EXPECT_TRUE(eventually([&] { return server.n_connections() == 0; }));
}

TEST(Server, ASlowReaderThatReadsGetsEverything) {
  ScriptedHandler handler;
  TestServer server(handler, {.send_buffer_bytes = 64 << 10});
  TestClient client(server.port());
  const std::string all =
      client.exchange("GET /flood HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_GT(all.size(), 64U << 20U);
  EXPECT_TRUE(all.ends_with("\r\n0\r\n\r\n"));
}

TEST(Server, AHandlerThatFailsOrSaysNothingIsAnsweredFor) {
  ScriptedHandler handler;
  TestServer server(handler);
  for (const char* path : {"/throw", "/nothing"}) {
    TestClient client(server.port());
    EXPECT_TRUE(client
                    .exchange("GET " + std::string(path) +
                              " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    .starts_with("HTTP/1.1 500 "));
  }
}

TEST(Server, DrainsWhatIsBeingAnsweredAndClosesTheRest) {
  ScriptedHandler handler;
  TestServer server(handler);
  TestClient idle(server.port());
  TestClient busy(server.port());
  busy.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return handler.n_waiting == 1 && server.n_connections() == 2; }));
  auto drained = server.drain(10s);
  EXPECT_EQ(idle.read_to_end(), "");
  EXPECT_FALSE(TestClient(server.port()).connected());
  EXPECT_EQ(drained.wait_for(0s), std::future_status::timeout);
  handler.release = true;
  const std::string response = busy.read_to_end();
  EXPECT_TRUE(response.ends_with("at last")) << response;
  EXPECT_NE(response.find("connection: close\r\n"), std::string::npos);
  EXPECT_EQ(drained.wait_for(5s), std::future_status::ready);
}

TEST(Server, ClosesWhatIsLeftAtTheDrainDeadline) {
  ScriptedHandler handler;
  TestServer server(handler);
  TestClient client(server.port());
  client.send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return handler.n_waiting == 1; }));
  EXPECT_EQ(server.drain(50ms).wait_for(5s), std::future_status::ready);
  EXPECT_EQ(handler.n_gone, 1);
  EXPECT_EQ(client.read_to_end(), "");
}

TEST(Server, SaysWhichPortIsInUse) {
  ScriptedHandler handler;
  TestServer server(handler);
  asio::io_context io;
  const auto second = Server::listen(io, {.port = server.port()}, handler);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kIo);
  EXPECT_EQ(second.error().where, "port");
  EXPECT_NE(second.error().message.find(std::to_string(server.port())), std::string::npos);
  EXPECT_NE(second.error().message.find("--port"), std::string::npos);
}

TEST(Server, RefusesAHostThatIsNoAddress) {
  ScriptedHandler handler;
  asio::io_context io;
  const auto server = Server::listen(io, {.host = "example.org", .port = 0}, handler);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(server.error().where, "host");
}

}  // namespace
}  // namespace jarip
