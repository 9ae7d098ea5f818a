// The door between the server and what answers requests. Everything here happens on the network
// thread; a handler never blocks it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <optional>
#include <string_view>

#include "net/http_message.h"

namespace jarip {

// Where the answer to one request is written; lives as long as handle() runs. Either send() once,
// or begin(), any number of write(), and finish(). An awaitable of false means that the client is
// gone or takes nothing more, and that nothing further can be written.
class ResponseStream {
 public:
  virtual ~ResponseStream() = default;

  [[nodiscard]] virtual boost::asio::awaitable<bool> send(Response response) = 0;

  // The body of `head` must be empty. Each write() goes out at once; it waits while the client's
  // side of the connection is full.
  [[nodiscard]] virtual boost::asio::awaitable<bool> begin(Response head) = 0;
  [[nodiscard]] virtual boost::asio::awaitable<bool> write(std::string_view bytes) = 0;
  [[nodiscard]] virtual boost::asio::awaitable<bool> finish() = 0;

  // Frees request.body early: an answer may take minutes, and its prompt was parsed long before.
  virtual void drop_body() = 0;

  // The client has closed its side or the connection failed. Noticed while a handler waits for
  // something else too: `on_gone` is then called once, on the network thread.
  [[nodiscard]] virtual bool is_gone() const = 0;
  virtual void notify_when_gone(std::function<void()> on_gone) = 0;

  // Closes the connection, whatever is being written.
  virtual void close_now() = 0;
};

class HttpHandler {
 public:
  virtual ~HttpHandler() = default;

  // request and stream outlive the awaitable.
  [[nodiscard]] virtual boost::asio::awaitable<void> handle(const Request& request,
                                                            ResponseStream& stream) = 0;

  // Asked when the head of a request that has a body was read: an answer here is the request's only
  // one, its body isn't read and the connection ends. So a stranger's body takes no memory.
  [[nodiscard]] virtual boost::asio::awaitable<std::optional<Response>> refuse_early(
      const Request& /*request*/) {
    co_return std::nullopt;
  }

  // What the server says when it turns a request away by itself.
  [[nodiscard]] virtual Response render_refusal(const Refusal& refusal) = 0;
};

}  // namespace jarip
