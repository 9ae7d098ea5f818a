// One client's connection: reads requests, has them answered one after another, and watches for
// the client's leaving meanwhile. Lives in its coroutine's frame, on the network thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "net/http_handler.h"
#include "net/http_parser.h"
#include "net/server.h"
#include "net/tls.h"

namespace jarip {

class Connection final : public ResponseStream {
 public:
  Connection(boost::asio::ip::tcp::socket socket, Server& server);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] boost::asio::awaitable<void> run();

  // Ends the connection once the request being answered is done; at once if there is none.
  void close_when_idle();
  void close_now() override;

  [[nodiscard]] boost::asio::awaitable<bool> send(Response response) override;
  [[nodiscard]] boost::asio::awaitable<bool> begin(Response head) override;
  [[nodiscard]] boost::asio::awaitable<bool> write(std::string_view bytes) override;
  [[nodiscard]] boost::asio::awaitable<bool> finish() override;
  void drop_body() override;
  [[nodiscard]] bool is_gone() const override { return gone_; }
  void notify_when_gone(std::function<void()> on_gone) override;

 private:
  using Clock = std::chrono::steady_clock;
  enum class Phase : std::uint8_t { kIdle, kReading, kAnswering, kClosing };
  enum class Progress : std::uint8_t { kNothing, kBegun, kDone };

  // TLS. False: the connection ends here.
  boost::asio::awaitable<bool> begin_tls();
  bool receive_tls(std::string_view bytes);

  // Reading. A Refusal of status 0: there is nobody to answer, just close.
  boost::asio::awaitable<std::expected<RequestHead, Refusal>> read_request_head();
  boost::asio::awaitable<void> take_request();
  boost::asio::awaitable<std::expected<RequestHead, Refusal>> read_head();
  boost::asio::awaitable<std::expected<void, Refusal>> read_body(const RequestHead& head);
  std::expected<bool, Refusal> take_body(const RequestHead& head, ChunkedDecoder& decoder);
  std::expected<void, Refusal> check_head(const RequestHead& head);
  boost::asio::awaitable<bool> read_more(Clock::time_point deadline);
  bool read_now();
  [[nodiscard]] Refusal no_more_bytes() const;

  // Answering.
  boost::asio::awaitable<void> run_handler();
  boost::asio::awaitable<void> watch_client();
  boost::asio::awaitable<void> close_gently();
  void mark_gone();

  // Writing.
  boost::asio::awaitable<bool> write_all(std::string_view bytes);
  boost::asio::awaitable<bool> write_to_socket(std::string_view bytes);
  boost::asio::awaitable<bool> flush_tls();

  boost::asio::awaitable<bool> wait_for(boost::asio::ip::tcp::socket::wait_type what,
                                        Clock::time_point deadline);
  void hold_body_bytes(std::size_t n);

  Server& server_;
  const ServerOptions& options_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  std::unique_ptr<TlsSession> tls_;            // null: nothing is encrypted
  std::list<Connection*>::iterator position_;  // in server_.connections_
  std::string peer_;
  std::string input_;  // read and not yet used
  std::size_t held_body_bytes_ = 0;
  std::size_t n_requests_ = 0;
  Phase phase_ = Phase::kIdle;
  bool gone_ = false;

  // Of the request being read or answered.
  Request request_;
  Progress progress_ = Progress::kNothing;
  bool is_watching_ = false;
  bool is_http_1_0_ = false;
  bool keep_alive_ = true;
  std::function<void()> on_gone_;
};

}  // namespace jarip
