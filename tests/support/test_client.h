// For tests: a blocking client that sends bytes as they are and reads with a deadline, and a server
// on a thread of its own. Used by one test's thread.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "net/server.h"

namespace jarip {

class TestClient {
 public:
  // small_window: the client's kernel buffers little, so that the server feels a slow reader.
  explicit TestClient(std::uint16_t port, bool small_window = false)
      : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    if (small_window) {
      const int bytes = 4096;
      ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    }
    const timeval limit{10, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~TestClient() { close(); }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }
  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  void half_close() const { ::shutdown(socket_, SHUT_WR); }
  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

  // One read; empty at the end, on a reset and after the deadline.
  [[nodiscard]] std::string receive() const {
    std::string bytes(65536, '\0');
    const ssize_t n = ::recv(socket_, bytes.data(), bytes.size(), 0);
    bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return bytes;
  }
  // Until the text has come; returns everything read so far, and keeps what is behind the text.
  std::string read_until(std::string_view text) {
    std::size_t at = 0;
    while ((at = pending_.find(text)) == std::string::npos) {
      const std::string more = receive();
      if (more.empty()) return std::exchange(pending_, {});
      pending_ += more;
    }
    std::string out = pending_.substr(0, at + text.size());
    pending_.erase(0, at + text.size());
    return out;
  }
  std::string read_to_end() {
    for (std::string more = receive(); !more.empty(); more = receive()) pending_ += more;
    return std::exchange(pending_, {});
  }
  // One response with a content-length, head and body.
  std::string read_response() {
    std::string head = read_until("\r\n\r\n");
    const std::size_t at = head.find("content-length: ");
    if (at == std::string::npos) return head;
    const std::size_t length = std::stoul(head.substr(at + 16));
    while (pending_.size() < length) {
      const std::string more = receive();
      if (more.empty()) break;
      pending_ += more;
    }
    head += pending_.substr(0, length);
    pending_.erase(0, length);
    return head;
  }
  // Sends and reads until the server closes.
  std::string exchange(std::string_view request) {
    send(request);
    return read_to_end();
  }

 private:
  int socket_;
  bool connected_ = false;
  std::string pending_;
};

// A server on 127.0.0.1, on a free port, with its own network thread.
class TestServer {
 public:
  explicit TestServer(HttpHandler& handler, ServerOptions options = {}) {
    options.port = 0;
    server_ = Server::listen(io_, std::move(options), handler).value();
    thread_ = std::jthread([this] { io_.run(); });
  }
  ~TestServer() { stop(std::chrono::milliseconds(0)); }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  [[nodiscard]] boost::asio::io_context& io() { return io_; }
  [[nodiscard]] std::size_t n_connections() {
    std::promise<std::size_t> n;
    boost::asio::post(io_, [&] { n.set_value(server_->n_connections()); });
    return n.get_future().get();
  }
  std::future<void> drain(std::chrono::milliseconds deadline) {
    drained_ = true;
    return boost::asio::co_spawn(io_, server_->drain(deadline), boost::asio::use_future);
  }
  void stop(std::chrono::milliseconds deadline) {
    if (!thread_.joinable()) return;
    if (!drained_) drain(deadline).wait();
    work_.reset();
    thread_.join();
  }

 private:
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  std::unique_ptr<Server> server_;
  std::jthread thread_;
  bool drained_ = false;
};

}  // namespace jarip
