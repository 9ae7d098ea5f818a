// HTTP/1.1 requests (RFC 9112), parsed by Boost.Beast with checks of ours around it: whatever two
// parsers could read differently is refused. Pure functions over bytes and one decoder; no thread
// owns them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_message.h"

namespace jarip {

class BeastParser;

struct RequestHead {
  std::string method;
  std::string path;  // percent-decoded
  std::string query;
  std::vector<HttpField> headers;
  std::string host;  // lower case, with the port if there was one
  std::optional<std::uint64_t> content_length;
  bool is_chunked = false;
  bool is_http_1_0 = false;
  bool keep_alive = true;
  bool expects_continue = false;
};

// Where the head ends in bytes (just past the blank line), nullopt while it is incomplete. Bytes
// before `from` were looked at by an earlier call. Control bytes and bare CR or LF are refused at
// once, so that a client that speaks something else needn't wait for a timeout.
[[nodiscard]] std::expected<std::optional<std::size_t>, Refusal> find_head_end(
    std::string_view bytes, std::size_t from);

// head: what find_head_end() delimited, blank line included.
[[nodiscard]] std::expected<RequestHead, Refusal> parse_request_head(std::string_view head,
                                                                     std::size_t max_fields);

// A chunked body (RFC 9112, section 7.1), fed piece by piece. Extensions and trailers are checked
// and dropped.
class ChunkedDecoder {
 public:
  ChunkedDecoder();
  ~ChunkedDecoder();
  ChunkedDecoder(const ChunkedDecoder&) = delete;
  ChunkedDecoder& operator=(const ChunkedDecoder&) = delete;

  // Appends body bytes and returns how many bytes of input were used up; the rest must be offered
  // again with more behind it. Refused: bad framing, a body longer than max_body_bytes.
  [[nodiscard]] std::expected<std::size_t, Refusal> feed(std::string_view input, std::string& body,
                                                         std::size_t max_body_bytes);
  [[nodiscard]] bool done() const;

 private:
  std::unique_ptr<BeastParser> parser_;
};

// "%ed%95%9c" to bytes; nullopt for a bad escape or an encoded NUL.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

}  // namespace jarip
