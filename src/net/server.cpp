#include "net/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cassert>
#include <ctime>
#include <exception>
#include <utility>

#include "net/connection.h"
#include "net/http_writer.h"

namespace jarip {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr auto kAcceptPause = std::chrono::milliseconds(100);
constexpr auto kClosePause = std::chrono::milliseconds(50);

// For coroutines that nobody waits for. Only memory running out gets here; it ends one connection
// and not the server.
void ignore_failure(const std::exception_ptr&) {}

std::string host_text(const asio::ip::address& address) {
  return address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
}

}  // namespace

Server::Server(asio::io_context& io, ServerOptions options, HttpHandler& handler)
    : options_(std::move(options)),
      handler_(handler),
      acceptor_(io),
      accept_pause_(io),
      drain_timer_(io) {}

Server::~Server() { assert(connections_.empty()); }

Result<std::unique_ptr<Server>> Server::listen(asio::io_context& io, ServerOptions options,
                                               HttpHandler& handler) {
  std::unique_ptr<Server> server(new Server(io, std::move(options), handler));
  JARIP_CHECK(server->reload_tls());
  JARIP_CHECK(server->open());
  server->accepting_ = true;
  asio::co_spawn(io, server->accept_loop(), ignore_failure);
  return server;
}

Result<void> Server::open() {
  error_code error;
  const std::string& host = options_.host;
  const auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
  if (error) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' isn't an IP address or 'localhost'", host), "host");
  }
  const tcp::endpoint endpoint(address, options_.port);
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error == asio::error::address_in_use) {
    return fail(ErrorCode::kIo,
                fmt::format("port {} of {} is in use by another program; choose one with --port",
                            options_.port, host),
                "port");
  }
  if (error) {
    return fail(ErrorCode::kIo,
                fmt::format("can't listen on {} port {}: {}", host, options_.port, error.message()),
                error == asio::error::access_denied ? "port" : "host");
  }
  port_ = acceptor_.local_endpoint(error).port();
  options_.origins.allowed_hosts.push_back(host_text(address));
  options_.origins.allow_addresses = address.is_unspecified();
  return {};
}

Result<void> Server::reload_tls() {
  if (!options_.tls) return {};
  JARIP_TRY(tls_, TlsIdentity::load(*options_.tls));
  return {};
}

asio::awaitable<void> Server::accept_loop() {
  while (!draining_) {
    auto [error, socket] = co_await acceptor_.async_accept(kNoThrow);
    if (draining_) break;
    if (error) {
      // Out of file descriptors, most likely; connections that end give some back.
      accept_pause_.expires_after(kAcceptPause);
      co_await accept_pause_.async_wait(kNoThrow);
    } else if (connections_.size() >= options_.max_connections) {
      turn_away(std::move(socket));
    } else {
      asio::co_spawn(acceptor_.get_executor(), serve(std::move(socket)), ignore_failure);
    }
  }
  accepting_ = false;
  drain_timer_.cancel();
}

asio::awaitable<void> Server::serve(tcp::socket socket) {
  Connection connection(std::move(socket), *this);
  co_await connection.run();
}

// One attempt to say why; a client that isn't ready for it is closed all the same.
void Server::turn_away(tcp::socket socket) {
  if (tls_) return;  // it would have to shake hands first
  const Response response =
      handler_.render_refusal({503, "the server has as many connections as it takes; try again"});
  const std::string bytes =
      encode_response_head(response, Framing::kLength, Persistence::kClose, std::time(nullptr)) +
      response.body;
  error_code ignored;
  socket.non_blocking(true, ignored);
  socket.write_some(asio::buffer(bytes), ignored);
  socket.shutdown(tcp::socket::shutdown_send, ignored);
}

void Server::connection_ended() {
  if (draining_ && connections_.empty()) drain_timer_.cancel();
}

void Server::set_drain_deadline(std::chrono::milliseconds from_now) {
  drain_deadline_ = std::chrono::steady_clock::now() + from_now;
  drain_timer_.cancel();
}

asio::awaitable<void> Server::drain(std::chrono::milliseconds deadline) {
  draining_ = true;
  drain_deadline_ = std::chrono::steady_clock::now() + deadline;
  error_code ignored;
  acceptor_.close(ignored);
  accept_pause_.cancel();
  for (Connection* connection : connections_) connection->close_when_idle();
  while (accepting_ || !connections_.empty()) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= drain_deadline_) {
      for (Connection* connection : connections_) connection->close_now();
    }
    drain_timer_.expires_at(std::max(drain_deadline_, now + kClosePause));
    co_await drain_timer_.async_wait(kNoThrow);
  }
}

}  // namespace jarip
