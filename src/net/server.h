// An HTTP/1.1 server: listens, accepts, and runs one coroutine a connection on the executor it is
// given. Owned by the command that serves; everything but the constructor's caller runs on the
// network thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "net/http_handler.h"
#include "net/origin_policy.h"
#include "net/tls.h"

namespace jarip {

class Connection;

struct ServerOptions {
  std::string host = "127.0.0.1";    // an address, or "localhost"
  std::uint16_t port = 8484;         // 0: any free one
  OriginPolicy origins = {};         // the address listened on is added to the hosts
  std::optional<TlsFiles> tls = {};  // absent: plain HTTP

  std::size_t max_connections = 1024;
  std::size_t max_requests_per_connection = 10'000;
  std::size_t max_head_bytes = 32U << 10U;
  std::size_t max_header_fields = 100;
  std::size_t max_body_bytes = 4U << 20U;
  std::size_t max_held_body_bytes = 64U << 20U;  // of all connections together
  int send_buffer_bytes = 256 << 10;             // the kernel's, for each connection

  std::chrono::milliseconds idle_timeout{75'000};   // between requests
  std::chrono::milliseconds head_timeout{10'000};   // first byte to blank line
  std::chrono::milliseconds body_timeout{60'000};   // blank line to the body's end
  std::chrono::milliseconds write_timeout{60'000};  // without the client taking a byte
  std::chrono::milliseconds linger{1'000};          // for the client to read the last answer
};

class Server {
 public:
  // Listens at once. handler outlives the server; options are copied. Errors: kInvalidArgument (an
  // address that can't be read), kIo (in use, not ours, no permission), naming host or port; those
  // of TlsIdentity::load().
  [[nodiscard]] static Result<std::unique_ptr<Server>> listen(boost::asio::io_context& io,
                                                              ServerOptions options,
                                                              HttpHandler& handler);
  // Only after drain() has ended.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::size_t n_connections() const { return connections_.size(); }

  // Reads the files of TLS again, for connections that come from now on. On an error those that
  // were there before stay in use.
  [[nodiscard]] Result<void> reload_tls();

  // Accepts no more, lets requests that are being answered end, closes what is left at the
  // deadline. Ends when no connection is left; call it once.
  [[nodiscard]] boost::asio::awaitable<void> drain(std::chrono::milliseconds deadline);
  // For somebody who can't wait, while drain() runs.
  void set_drain_deadline(std::chrono::milliseconds from_now);

 private:
  friend class Connection;

  Server(boost::asio::io_context& io, ServerOptions options, HttpHandler& handler);
  Result<void> open();
  boost::asio::awaitable<void> accept_loop();
  boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket socket);
  void turn_away(boost::asio::ip::tcp::socket socket);
  void connection_ended();

  ServerOptions options_;
  HttpHandler& handler_;
  std::optional<TlsIdentity> tls_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer accept_pause_;
  boost::asio::steady_timer drain_timer_;
  std::chrono::steady_clock::time_point drain_deadline_;
  std::uint16_t port_ = 0;
  bool accepting_ = false;
  bool draining_ = false;
  std::list<Connection*> connections_;
  std::size_t held_body_bytes_ = 0;
};

}  // namespace jarip
