#include "net/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <ctime>
#include <utility>

#include "net/http_writer.h"

namespace jarip {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using namespace asio::experimental::awaitable_operators;

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadBytes = 16U << 10U;
constexpr std::size_t kEncryptBytes = 64U << 10U;  // at once: an answer isn't held twice
constexpr std::size_t kMaxLingerBytes = 256U << 10U;

// There is nobody left to tell; close.
constexpr int kJustClose = 0;

std::string peer_of(const tcp::socket& socket) {
  error_code error;
  const tcp::endpoint peer = socket.remote_endpoint(error);
  if (error) return {};
  return fmt::format("{}:{}", peer.address().to_string(), peer.port());
}

// RFC 9112 3: a target that is too long by itself has a status of its own.
Refusal refuse_long_head(std::string_view head, std::size_t limit) {
  if (!head.substr(0, limit).contains("\r\n")) {
    return {414, "the request target is longer than the limit on a request's head"};
  }
  return {431, "the request head is longer than the limit"};
}

}  // namespace

Connection::Connection(tcp::socket socket, Server& server)
    : server_(server),
      options_(server.options_),
      socket_(std::move(socket)),
      timer_(socket_.get_executor()),
      tls_(server.tls_ ? std::make_unique<TlsSession>(*server.tls_) : nullptr),
      position_(server.connections_.insert(server.connections_.end(), this)),
      peer_(peer_of(socket_)) {
  // Waiting is asynchronous, reading and writing never block. Small pieces of an answer go out
  // without waiting for the acknowledgement of earlier ones.
  error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.set_option(asio::socket_base::send_buffer_size(options_.send_buffer_bytes), ignored);
}

Connection::~Connection() {
  hold_body_bytes(0);
  server_.connections_.erase(position_);
  server_.connection_ended();
}

asio::awaitable<void> Connection::run() {
  bool keep_open = tls_ == nullptr || co_await begin_tls();
  while (keep_open && !server_.draining_) {
    phase_ = Phase::kIdle;
    progress_ = Progress::kNothing;
    co_await take_request();
    hold_body_bytes(0);
    keep_open = keep_alive_ && !gone_ && progress_ == Progress::kDone;
  }
  co_await close_gently();
}

// One request, answered in one way or another; or nobody to answer, and then nothing is.
asio::awaitable<void> Connection::take_request() {
  auto head = co_await read_request_head();
  std::expected<void, Refusal> read;
  if (!head) {
    read = std::unexpected(std::move(head).error());
  } else if (head->is_chunked || head->content_length.value_or(0) > 0) {
    if (auto refused = co_await server_.handler_.refuse_early(request_)) {
      keep_alive_ = false;
      static_cast<void>(co_await send(*std::move(refused)));
      co_return;
    }
    read = co_await read_body(*head);
  }
  if (!read) {
    keep_alive_ = false;
    if (read.error().status == kJustClose) co_return;
    static_cast<void>(co_await send(server_.handler_.render_refusal(read.error())));
    co_return;
  }
  phase_ = Phase::kAnswering;
  is_watching_ = true;
  co_await (run_handler() && watch_client());
}

void Connection::close_when_idle() {
  if (phase_ == Phase::kIdle) close_now();
}

void Connection::close_now() {
  error_code ignored;
  socket_.close(ignored);
  mark_gone();
}

// --- TLS ---

// Until both sides have agreed. A client that speaks plain HTTP is told, in plain HTTP.
asio::awaitable<bool> Connection::begin_tls() {
  const auto deadline = Clock::now() + options_.head_timeout;
  char first = '\0';
  error_code error;
  if (!co_await wait_for(tcp::socket::wait_read, deadline)) co_return false;
  const std::size_t n = socket_.receive(asio::buffer(&first, 1), tcp::socket::message_peek, error);
  if (n == 1 && first >= 'A' && first <= 'Z') {
    tls_.reset();
    keep_alive_ = false;
    static_cast<void>(co_await send(server_.handler_.render_refusal(
        {400, "this port speaks TLS only: the address must begin with https://"})));
    co_return false;
  }
  while (!tls_->is_ready()) {
    if (!co_await read_more(deadline)) co_return false;
  }
  co_return true;
}

// False when nothing more can come of the session.
bool Connection::receive_tls(std::string_view bytes) {
  if (tls_->receive(bytes, input_) == TlsSession::State::kOpen) return true;
  // An alert says why, if it can go out at once.
  error_code ignored;
  const std::string last = tls_->take_output();
  if (!last.empty()) socket_.write_some(asio::buffer(last), ignored);
  mark_gone();
  return false;
}

// Whatever the session owes the client: its part of the handshake, what was encrypted.
asio::awaitable<bool> Connection::flush_tls() {
  const std::string output = tls_->take_output();
  co_return co_await write_to_socket(output);
}

// --- reading ---

asio::awaitable<std::expected<RequestHead, Refusal>> Connection::read_request_head() {
  request_ = Request{};
  request_.peer = peer_;
  is_http_1_0_ = false;
  auto head = co_await read_head();
  if (!head) co_return std::unexpected(std::move(head).error());
  ++n_requests_;
  is_http_1_0_ = head->is_http_1_0;
  keep_alive_ = head->keep_alive && n_requests_ < options_.max_requests_per_connection;
  request_.method = std::move(head->method);
  request_.path = std::move(head->path);
  request_.query = std::move(head->query);
  request_.headers = std::move(head->headers);
  if (auto checked = check_head(*head); !checked) {
    co_return std::unexpected(std::move(checked).error());
  }
  co_return head;
}

asio::awaitable<std::expected<RequestHead, Refusal>> Connection::read_head() {
  if (input_.empty() && !co_await read_more(Clock::now() + options_.idle_timeout)) {
    co_return std::unexpected(Refusal{kJustClose, {}});
  }
  phase_ = Phase::kReading;
  const auto deadline = Clock::now() + options_.head_timeout;
  std::size_t looked_at = 0;
  bool may_skip_line = true;  // some clients end a body with a line end too many
  while (true) {
    if (may_skip_line && input_.starts_with("\r\n")) {
      input_.erase(0, 2);
      looked_at = 0;
      may_skip_line = false;
    }
    auto end = find_head_end(input_, looked_at);
    if (!end) co_return std::unexpected(std::move(end).error());
    if (end->value_or(input_.size()) > options_.max_head_bytes) {
      co_return std::unexpected(refuse_long_head(input_, options_.max_head_bytes));
    }
    if (*end) {
      auto head =
          parse_request_head(std::string_view(input_).substr(0, **end), options_.max_header_fields);
      input_.erase(0, **end);
      co_return head;
    }
    looked_at = input_.size();
    if (!co_await read_more(deadline)) co_return std::unexpected(no_more_bytes());
  }
}

std::expected<void, Refusal> Connection::check_head(const RequestHead& head) {
  if (!is_host_allowed(options_.origins, head.host)) {
    return std::unexpected(
        Refusal{403, "this server isn't known by that Host name; --allow-host adds one"});
  }
  auto origin = check_origin(options_.origins, tls_ ? Transport::kTls : Transport::kPlain,
                             head.host, request_.find_header("origin"));
  if (!origin) return std::unexpected(std::move(origin).error());
  request_.allowed_origin = *std::move(origin);
  if (head.content_length.value_or(0) > options_.max_body_bytes) {
    return std::unexpected(
        Refusal{413, fmt::format("the body has {} bytes; the limit is {}", *head.content_length,
                                 options_.max_body_bytes)});
  }
  return {};
}

asio::awaitable<std::expected<void, Refusal>> Connection::read_body(const RequestHead& head) {
  if (head.expects_continue && input_.empty() &&
      !co_await write_all("HTTP/1.1 100 Continue\r\n\r\n")) {
    co_return std::unexpected(Refusal{kJustClose, {}});
  }
  const auto deadline = Clock::now() + options_.body_timeout;
  ChunkedDecoder decoder;
  while (true) {
    const auto is_whole = take_body(head, decoder);
    if (!is_whole) co_return std::unexpected(is_whole.error());
    if (*is_whole) co_return std::expected<void, Refusal>();
    if (!co_await read_more(deadline)) co_return std::unexpected(no_more_bytes());
  }
}

// Moves what has come of the body from input_ to the request; true when it is all there.
std::expected<bool, Refusal> Connection::take_body(const RequestHead& head,
                                                   ChunkedDecoder& decoder) {
  std::string& body = request_.body;
  bool is_whole = false;
  if (head.is_chunked) {
    const auto used = decoder.feed(input_, body, options_.max_body_bytes);
    if (!used) return std::unexpected(used.error());
    input_.erase(0, *used);
    is_whole = decoder.done();
  } else {
    const std::size_t n = std::min(input_.size(), *head.content_length - body.size());
    body.append(input_, 0, n);
    input_.erase(0, n);
    is_whole = body.size() == *head.content_length;
  }
  hold_body_bytes(body.size());
  if (server_.held_body_bytes_ > options_.max_held_body_bytes) {
    return std::unexpected(Refusal{503, "too many large requests at once; try again soon"});
  }
  return is_whole;
}

Refusal Connection::no_more_bytes() const {
  if (gone_) return {kJustClose, {}};
  return {408, "the request didn't arrive in time"};
}

asio::awaitable<bool> Connection::read_more(Clock::time_point deadline) {
  while (!gone_) {
    const bool has_read = read_now();
    if (tls_ && !co_await flush_tls()) break;
    if (has_read) co_return true;
    if (gone_ || !co_await wait_for(tcp::socket::wait_read, deadline)) break;
  }
  co_return false;
}

// Reads what is there. False when that is nothing; gone_ tells whether more may come.
bool Connection::read_now() {
  std::array<char, kReadBytes> bytes;
  error_code error;
  const std::size_t n = socket_.read_some(asio::buffer(bytes), error);
  if (!error && tls_) return receive_tls({bytes.data(), n});
  if (!error) {
    input_.append(bytes.data(), n);
    return true;
  }
  if (error != asio::error::would_block && error != asio::error::interrupted) mark_gone();
  return false;
}

void Connection::hold_body_bytes(std::size_t n) {
  server_.held_body_bytes_ += n - held_body_bytes_;
  held_body_bytes_ = n;
}

// --- answering ---

asio::awaitable<void> Connection::run_handler() {
  bool failed = false;
  try {
    co_await server_.handler_.handle(request_, *this);
  } catch (...) {
    failed = true;  // only memory running out gets here
  }
  if (progress_ == Progress::kNothing && !gone_) {
    keep_alive_ = keep_alive_ && !failed;
    static_cast<void>(co_await send(
        server_.handler_.render_refusal({500, "the server failed to answer; this is its fault"})));
  }
  is_watching_ = false;
  on_gone_ = nullptr;
  error_code ignored;
  socket_.cancel(ignored);  // ends watch_client()
}

// Reads ahead while an answer is made, because only reading shows that the client has left. A
// client that closes its sending side counts as gone. Stops at a full buffer: of a client that
// pipelines that much, writing must show it.
asio::awaitable<void> Connection::watch_client() {
  while (is_watching_ && !gone_ && input_.size() < options_.max_head_bytes) {
    const auto [error] = co_await socket_.async_wait(tcp::socket::wait_read, kNoThrow);
    if (error || !is_watching_) co_return;
    read_now();
  }
}

void Connection::mark_gone() {
  if (gone_) return;
  gone_ = true;
  error_code ignored;
  socket_.cancel(ignored);  // a write that waits for this client needn't wait any longer
  if (auto on_gone = std::exchange(on_gone_, nullptr)) on_gone();
}

void Connection::notify_when_gone(std::function<void()> on_gone) {
  if (gone_) {
    on_gone();
  } else {
    on_gone_ = std::move(on_gone);
  }
}

void Connection::drop_body() {
  std::string().swap(request_.body);
  hold_body_bytes(0);
}

// Closing while the client still sends would reset the connection and could destroy the answer
// before it is read: the sending side is closed first, and what comes meanwhile is dropped.
asio::awaitable<void> Connection::close_gently() {
  phase_ = Phase::kClosing;
  if (tls_ && tls_->is_ready() && !gone_) {
    tls_->close();
    static_cast<void>(co_await flush_tls());
  }
  error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  const auto deadline = Clock::now() + options_.linger;
  for (std::size_t n_dropped = 0; n_dropped < kMaxLingerBytes; n_dropped += input_.size()) {
    input_.clear();
    if (!co_await read_more(deadline)) break;
  }
  socket_.close(ignored);
}

// --- writing ---

asio::awaitable<bool> Connection::send(Response response) {
  if (progress_ != Progress::kNothing) co_return false;
  keep_alive_ = keep_alive_ && !server_.draining_;
  const Persistence persistence = !keep_alive_   ? Persistence::kClose
                                  : is_http_1_0_ ? Persistence::kKeepAlive
                                                 : Persistence::kDefault;
  std::string bytes =
      encode_response_head(response, Framing::kLength, persistence, std::time(nullptr));
  if (request_.method != "HEAD" && status_has_body(response.status)) bytes += response.body;
  progress_ = Progress::kDone;
  co_return co_await write_all(bytes);
}

asio::awaitable<bool> Connection::begin(Response head) {
  if (progress_ != Progress::kNothing) co_return false;
  progress_ = Progress::kBegun;
  keep_alive_ = keep_alive_ && !server_.draining_ && !is_http_1_0_;
  co_return co_await write_all(encode_response_head(
      head, is_http_1_0_ ? Framing::kUntilClose : Framing::kChunked,
      keep_alive_ ? Persistence::kDefault : Persistence::kClose, std::time(nullptr)));
}

asio::awaitable<bool> Connection::write(std::string_view bytes) {
  // An empty chunk would end the body.
  if (bytes.empty() || request_.method == "HEAD") co_return !gone_;
  if (progress_ != Progress::kBegun) co_return false;
  if (is_http_1_0_) co_return co_await write_all(bytes);
  co_return co_await write_all(fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes));
}

asio::awaitable<bool> Connection::finish() {
  if (progress_ != Progress::kBegun) co_return false;
  progress_ = Progress::kDone;
  if (is_http_1_0_ || request_.method == "HEAD") co_return !gone_;
  co_return co_await write_all("0\r\n\r\n");
}

asio::awaitable<bool> Connection::write_all(std::string_view bytes) {
  if (!tls_) co_return co_await write_to_socket(bytes);
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kEncryptBytes);
    if (!tls_->send(piece)) {
      mark_gone();
      co_return false;
    }
    bytes.remove_prefix(piece.size());
    if (!co_await flush_tls()) co_return false;
  }
  co_return !gone_;
}

asio::awaitable<bool> Connection::write_to_socket(std::string_view bytes) {
  while (!bytes.empty()) {
    if (gone_) co_return false;
    error_code error;
    const std::size_t n = socket_.write_some(asio::buffer(bytes), error);
    if (!error) {
      bytes.remove_prefix(n);
      continue;
    }
    const bool is_full = error == asio::error::would_block || error == asio::error::interrupted;
    if (!is_full ||
        !co_await wait_for(tcp::socket::wait_write, Clock::now() + options_.write_timeout)) {
      mark_gone();
      co_return false;
    }
  }
  co_return true;
}

// True when the socket is ready; false at the deadline, or when the socket failed or was cancelled.
asio::awaitable<bool> Connection::wait_for(tcp::socket::wait_type what,
                                           Clock::time_point deadline) {
  timer_.expires_at(deadline);
  const auto first = co_await (socket_.async_wait(what, kNoThrow) || timer_.async_wait(kNoThrow));
  co_return first.index() == 0 && !std::get<0>(std::get<0>(first));
}

}  // namespace jarip
