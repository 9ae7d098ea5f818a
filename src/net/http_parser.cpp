#include "net/http_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <limits>
#include <utility>

// Beast parses; what it would let through is refused around it:
// - folded lines, which it joins, in heads and trailers;
// - Host missing or twice; a target with bytes above ASCII, or of no form that is for a server;
// - a Content-Length that is a list, comes again with the same value, or stands beside a
//   Transfer-Encoding other than chunked;
// - a Transfer-Encoding that it doesn't know, in HTTP/1.0, or twice with chunked last;
// - whitespace before a chunk extension, control bytes in a quoted one.
// And it would wait: for the whole head before it refuses a control byte, for the trailers before
// it refuses "0x1" as a chunk size, for the end of a chunk line however long.
// Bare LF, space before a colon and different lengths it refuses itself.
namespace jarip {
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

}  // namespace

// Gathers what Beast reads, first of a head, then of a chunked body.
class BeastParser final : public http::basic_parser<true> {
 public:
  explicit BeastParser(std::size_t max_fields) : max_fields_(max_fields) {
    header_limit(std::numeric_limits<std::uint32_t>::max());  // the caller's bytes are all there is
    body_limit(boost::none);  // a length that was declared is for the caller to judge
  }

  // Returns how many bytes were used up.
  std::size_t read(std::string_view bytes, error_code& error) {
    return put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  }

  RequestHead head;
  std::string target;
  std::string* body = nullptr;
  std::uint64_t chunk_left = 0;
  bool has_chunks = false;  // the next chunk's line comes after the line end of the one before

 private:
  using View = boost::beast::string_view;

  void on_request_impl(http::verb, View method, View its_target, int version,
                       error_code&) override {
    head.method.assign(method.data(), method.size());
    target.assign(its_target.data(), its_target.size());
    head.is_http_1_0 = version == 10;
  }
  void on_field_impl(http::field, View name, View value, error_code& error) override {
    if (has_chunks) return;  // a trailer
    if (head.headers.size() == max_fields_) {
      error = http::error::header_limit;
      return;
    }
    head.headers.push_back({lower_case({name.data(), name.size()}), std::string(value)});
  }
  void on_chunk_header_impl(std::uint64_t size, View, error_code&) override {
    has_chunks = true;
    chunk_left = size;
  }
  std::size_t on_chunk_body_impl(std::uint64_t left, View bytes, error_code&) override {
    body->append(bytes.data(), bytes.size());
    chunk_left = left - bytes.size();
    return bytes.size();
  }
  std::size_t on_body_impl(View bytes, error_code&) override { return bytes.size(); }
  void on_response_impl(int, View, int, error_code&) override {}
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  void on_finish_impl(error_code&) override {}

  std::size_t max_fields_;
};

namespace {

constexpr std::size_t kMaxChunkLine = 256;      // the size in hex and what may follow it
constexpr std::size_t kMaxTrailerBytes = 8192;  // of all trailers together
constexpr std::size_t kMaxMethodBytes = 32;

std::unexpected<Refusal> refuse(std::string message, int status = 400) {
  return std::unexpected(Refusal{status, std::move(message)});
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  const char l = lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

// Only then does a message say where it ends.
bool ends_in_chunked(std::string_view codings) {
  std::string_view last = codings.substr(codings.rfind(',') + 1);
  last.remove_prefix(std::min(last.find_first_not_of(" \t"), last.size()));
  return last == "chunked";
}

// Letters, digits and what names, addresses and ports are written with.
bool is_host(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') ||
           std::string_view("-._~[]:").contains(c);
  });
}

std::expected<void, Refusal> parse_target(std::string_view target, RequestHead& head) {
  if (head.method.size() > kMaxMethodBytes) return refuse("no method is that long", 501);
  if (!std::ranges::all_of(target, [](char c) { return c > ' ' && c < 0x7F; })) {
    return refuse("the request target is malformed");
  }
  if (target == "*" && head.method == "OPTIONS") {
    head.path = "*";
    return {};
  }
  // The absolute form, as sent to proxies: its authority must be the Host field's (checked later).
  constexpr std::string_view kScheme = "http://";
  if (lower_case(target.substr(0, kScheme.size())) == kScheme) {
    target.remove_prefix(kScheme.size());
    const std::size_t slash = std::min(target.find_first_of("/?"), target.size());
    head.host = lower_case(target.substr(0, slash));
    target.remove_prefix(slash);
    if (target.empty()) target = "/";
  }
  if (!target.starts_with('/')) return refuse("the request target must begin with '/'");
  if (target.contains('#')) return refuse("the request target has a fragment");
  const std::size_t question = std::min(target.find('?'), target.size());
  auto path = percent_decode(target.substr(0, question));
  if (!path) return refuse("the request path has a bad percent escape");
  head.path = *std::move(path);
  if (question < target.size()) head.query = target.substr(question + 1);
  return {};
}

std::expected<void, Refusal> read_host(RequestHead& head) {
  const HttpField* host = nullptr;
  for (const HttpField& field : head.headers) {
    if (field.name != "host") continue;
    if (host != nullptr) return refuse("there is more than one Host header");
    host = &field;
  }
  if (host == nullptr) return refuse("there is no Host header");
  if (!is_host(host->value)) return refuse("the Host header is malformed");
  std::string name = lower_case(host->value);
  if (!head.host.empty() && head.host != name) {
    return refuse("the request target and the Host header name different hosts");
  }
  head.host = std::move(name);
  return {};
}

// Whatever could be read in two ways (both fields, one field twice, a list) is refused: that is
// what request smuggling is made of.
std::expected<void, Refusal> check_framing(RequestHead& head) {
  const HttpField* length = nullptr;
  const HttpField* coding = nullptr;
  for (const HttpField& field : head.headers) {
    const HttpField** seen = field.name == "content-length"      ? &length
                             : field.name == "transfer-encoding" ? &coding
                                                                 : nullptr;
    if (seen == nullptr) continue;
    if (*seen != nullptr) return refuse("there is more than one " + field.name + " header");
    *seen = &field;
  }
  if (length != nullptr && coding != nullptr) {
    return refuse("there are both a content-length and a transfer-encoding header");
  }
  if (length != nullptr && length->value.contains(',')) {
    return refuse("the content-length header isn't a number");
  }
  if (coding != nullptr) {
    if (head.is_http_1_0) return refuse("HTTP/1.0 has no transfer-encoding");
    // Statuses as RFC 9112 6.1 and 6.3 have them.
    const std::string codings = lower_case(coding->value);
    if (!ends_in_chunked(codings)) return refuse("the transfer-encoding must end in 'chunked'");
    if (codings != "chunked") {
      return refuse("the only transfer-encoding understood here is 'chunked'", 501);
    }
  }
  return {};
}

std::expected<void, Refusal> read_connection_options(RequestHead& head) {
  head.keep_alive = !head.is_http_1_0;
  for (const HttpField& field : head.headers) {
    if (field.name == "connection") {
      http::token_list options(field.value);
      if (options.exists("close")) {
        head.keep_alive = false;
        return {};
      }
      if (options.exists("keep-alive")) head.keep_alive = true;
    }
    if (field.name == "expect") {
      if (lower_case(field.value) != "100-continue") {
        return refuse("the only expectation understood here is '100-continue'", 417);
      }
      head.expects_continue = !head.is_http_1_0;
    }
  }
  return {};
}

// Of a request line with which Beast doesn't agree: whether all is well but the number.
bool has_other_version(std::string_view head) {
  const std::string_view line = head.substr(0, head.find("\r\n"));
  const std::size_t target = line.find(' ');
  const std::size_t space = line.rfind(' ');
  if (std::ranges::count(line, ' ') != 2 || target + 1 >= space) return false;
  const std::string_view version = line.substr(space + 1);
  return version.size() == 8 && version.starts_with("HTTP/") && is_digit(version[5]) &&
         version[6] == '.' && is_digit(version[7]);
}

Refusal refusal_of(const error_code& error, std::string_view head) {
  switch (static_cast<http::error>(error.value())) {
    case http::error::bad_method:
      return {400, "the method is malformed"};
    case http::error::bad_target:
      return {400, "the request target is malformed"};
    case http::error::bad_version:
    case http::error::need_more:  // bytes for a version
      if (has_other_version(head)) return {505, "only HTTP/1.1 and HTTP/1.0 are spoken here"};
      return {400, "the request line isn't 'METHOD /path HTTP/1.1'"};
    case http::error::bad_field:
      return {400, "a header line has no colon, or its name is malformed"};
    case http::error::header_limit:
      return {431, "there are too many headers"};
    case http::error::bad_content_length:
    case http::error::multiple_content_length:
      return {400, "the content-length header isn't a number, or contradicts another header"};
    case http::error::bad_transfer_encoding:
      return {400, "the transfer-encoding header contradicts another header"};
    default:
      return {400, "a header is malformed"};
  }
}

bool has_folded_line(std::string_view lines) {
  return lines.contains("\r\n ") || lines.contains("\r\n\t");
}

// The bytes at the start of `input` to read next, as far as a chunk's bytes: the line of its size,
// with the trailers if it is the last. nullopt while they are incomplete.
std::expected<std::optional<std::size_t>, Refusal> find_chunk_line_end(std::string_view input,
                                                                       bool has_chunks) {
  const std::size_t first = has_chunks ? 2 : 0;  // past the line end of the chunk before
  const std::size_t end = input.find('\n', first);
  if (std::min(end, input.size()) > first + kMaxChunkLine) {
    return refuse("a line of the chunked body is too long");
  }
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = input.substr(first, end + 1 - first);
  if (auto clean = find_head_end(line, 0); !clean) return clean;
  const std::size_t n_digits = line.find_first_not_of("0123456789abcdefABCDEF");
  if (line[n_digits] != ';' && line[n_digits] != '\r') return refuse("a chunk size is malformed");
  if (n_digits == 0 || line.find_first_not_of('0') != n_digits) return end + 1;

  const auto found = find_head_end(input.substr(first), 0);
  if (!found) return found;
  const std::optional<std::size_t> trailers_end = *found;
  if (trailers_end.value_or(input.size() - first) > kMaxChunkLine + kMaxTrailerBytes) {
    return refuse("the trailers are too long", 431);
  }
  if (!trailers_end) return std::nullopt;
  if (has_folded_line(input.substr(first, *trailers_end))) {
    return refuse("a trailer is folded over several lines");
  }
  return first + *trailers_end;
}

}  // namespace

std::expected<std::optional<std::size_t>, Refusal> find_head_end(std::string_view bytes,
                                                                 std::size_t from) {
  // Steps back so that a line end cut by the previous call is seen whole.
  for (std::size_t i = from > 3 ? from - 3 : 0; i < bytes.size(); ++i) {
    const auto c = static_cast<unsigned char>(bytes[i]);
    if (c == '\n') {
      if (i == 0 || bytes[i - 1] != '\r') return refuse("a line ends in LF without CR");
      if (i >= 3 && bytes[i - 2] == '\n') return i + 1;
    } else if (i > 0 && bytes[i - 1] == '\r') {
      return refuse("a CR isn't followed by LF");
    } else if ((c < 0x20 && c != '\t' && c != '\r') || c == 0x7F) {
      return refuse("the request has control bytes where HTTP allows none");
    }
  }
  return std::nullopt;
}

std::expected<RequestHead, Refusal> parse_request_head(std::string_view head_bytes,
                                                       std::size_t max_fields) {
  if (has_folded_line(head_bytes)) return refuse("a header is folded over several lines");
  BeastParser parser(max_fields);
  error_code error;
  const std::size_t used = parser.read(head_bytes, error);
  if (error) return std::unexpected(refusal_of(error, head_bytes));
  if (used != head_bytes.size()) return refuse("the request head ends before its blank line");
  RequestHead head = std::move(parser.head);
  if (parser.content_length()) head.content_length = *parser.content_length();
  head.is_chunked = parser.chunked();
  if (auto read = parse_target(parser.target, head); !read) {
    return std::unexpected(std::move(read).error());
  }
  for (auto* read : {read_host, check_framing, read_connection_options}) {
    if (auto done = read(head); !done) return std::unexpected(std::move(done).error());
  }
  return head;
}

ChunkedDecoder::ChunkedDecoder() : parser_(std::make_unique<BeastParser>(/*max_fields=*/1)) {
  // Beast reads chunks only behind a head that announces them.
  error_code error;
  parser_->read("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", error);
}

ChunkedDecoder::~ChunkedDecoder() = default;

bool ChunkedDecoder::done() const { return parser_->is_done(); }

std::expected<std::size_t, Refusal> ChunkedDecoder::feed(std::string_view input, std::string& body,
                                                         std::size_t max_body_bytes) {
  parser_->body = &body;
  std::size_t used = 0;
  while (used < input.size() && !done()) {
    std::string_view next = input.substr(used);
    const bool is_line = parser_->chunk_left == 0;
    if (is_line) {
      const auto found = find_chunk_line_end(next, parser_->has_chunks);
      if (!found) return std::unexpected(found.error());
      const std::optional<std::size_t> end = *found;
      if (!end) return used;
      next = next.substr(0, *end);
    }
    error_code error;
    used += parser_->read(next, error);
    if (error) return refuse("the chunked body is malformed");
    if (is_line && parser_->chunk_left > max_body_bytes - std::min(body.size(), max_body_bytes)) {
      return refuse("the body is longer than the limit", 413);
    }
  }
  return used;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

}  // namespace jarip
