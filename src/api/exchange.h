// One request and its answer as the dialects see them: with the headers that every answer has, and
// the record of it. Lives on the network thread while the request is handled.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "api/error_reply.h"
#include "api/request_record.h"
#include "base/result.h"
#include "net/http_handler.h"

namespace jarip {

class Exchange {
 public:
  Exchange(const Request& request, ResponseStream& stream, std::shared_ptr<RequestRecord> record);

  [[nodiscard]] const Request& request() const { return request_; }
  [[nodiscard]] ResponseStream& stream() { return stream_; }
  // Counts the answers that are started for this request.
  [[nodiscard]] RequestRecord& record() { return *record_; }

  // Of the errors that follow; OpenAI's unless told otherwise.
  void set_error_shape(ErrorShape shape) { error_shape_ = shape; }
  [[nodiscard]] ErrorShape error_shape() const { return error_shape_; }

  boost::asio::awaitable<void> send(Response response);
  boost::asio::awaitable<void> send_json(std::string body);
  boost::asio::awaitable<void> send_error(const Error& error);
  // Before the pieces of a streamed answer.
  [[nodiscard]] boost::asio::awaitable<bool> begin(Response head);

 private:
  const Request& request_;
  ResponseStream& stream_;
  std::shared_ptr<RequestRecord> record_;
  ErrorShape error_shape_ = ErrorShape::kOpenAi;
};

// Adds what every answer to a request has, and notes its status.
void complete_response(Response& response, const Request& request, RequestRecord& record,
                       ErrorShape shape);

// What every answer has, those that net gives by itself included.
void add_common_headers(Response& response, std::string_view request_id);

// The id that a client gave its request if it is one, or a new one.
[[nodiscard]] std::string request_id_of(const Request& request);

// prefix and 128 random bits in hexadecimal: nobody guesses another's.
[[nodiscard]] std::string random_id(std::string_view prefix);

}  // namespace jarip
