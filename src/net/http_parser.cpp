#include "net/http_parser.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace jarip {
namespace {

constexpr std::size_t kMaxChunkLine = 256;       // the size in hex and what may follow it
constexpr std::size_t kMaxTrailerBytes = 8192;   // of all trailers together
constexpr std::size_t kMaxLengthDigits = 18;     // fits 63 bits
constexpr std::size_t kMaxChunkSizeDigits = 15;  // fits 60 bits
constexpr std::size_t kMaxMethodBytes = 32;

std::unexpected<Refusal> refuse(std::string message, int status = 400) {
  return std::unexpected(Refusal{status, std::move(message)});
}

// tchar of RFC 9110, section 5.6.2.
constexpr std::array<bool, 256> kTokenBytes = [] {
  std::array<bool, 256> table{};
  for (unsigned char c = '0'; c <= '9'; ++c) table[c] = true;
  for (unsigned char c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (unsigned char c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return kTokenBytes[static_cast<unsigned char>(c)];
  });
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  const char l = lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

// Letters, digits and what names, addresses and ports are written with.
bool is_host(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') ||
           std::string_view("-._~[]:").contains(c);
  });
}

std::expected<void, Refusal> parse_target(std::string_view target, RequestHead& head) {
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

std::expected<void, Refusal> parse_request_line(std::string_view line, RequestHead& head) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return refuse("the request line isn't 'METHOD /path HTTP/1.1'");
  }
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(method) || method.size() > kMaxMethodBytes)
    return refuse("the method is malformed");
  if (target.empty() || !std::ranges::all_of(target, [](char c) { return c > ' ' && c < 0x7F; })) {
    return refuse("the request target is malformed");
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    if (!version.starts_with("HTTP/")) return refuse("the request line has no HTTP version");
    return refuse("only HTTP/1.1 and HTTP/1.0 are spoken here", 505);
  }
  head.method = method;
  head.is_http_1_0 = version == "HTTP/1.0";
  return parse_target(target, head);
}

std::expected<void, Refusal> parse_field(std::string_view line, RequestHead& head) {
  if (line.starts_with(' ') || line.starts_with('\t')) {
    return refuse("a header is folded over several lines");
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return refuse("a header line has no colon");
  if (!is_token(line.substr(0, colon))) return refuse("a header name is malformed");
  head.headers.push_back(
      {lower_case(line.substr(0, colon)), std::string(trim(line.substr(colon + 1)))});
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

// How long the body is. Whatever could be read in two ways (both fields, one field twice, a list)
// is refused: that is what request smuggling is made of.
std::expected<void, Refusal> read_framing(RequestHead& head) {
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
  if (length != nullptr) {
    const std::string& text = length->value;
    if (text.empty() || text.size() > kMaxLengthDigits || !std::ranges::all_of(text, is_digit)) {
      return refuse("the content-length header isn't a number");
    }
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    head.content_length = value;
  }
  if (coding != nullptr) {
    if (head.is_http_1_0) return refuse("HTTP/1.0 has no transfer-encoding");
    if (lower_case(coding->value) != "chunked") {
      return refuse("the only transfer-encoding understood here is 'chunked'", 501);
    }
    head.is_chunked = true;
  }
  return {};
}

std::expected<void, Refusal> read_connection_options(RequestHead& head) {
  head.keep_alive = !head.is_http_1_0;
  for (const HttpField& field : head.headers) {
    if (field.name == "connection") {
      if (list_has_token(field.value, "close")) {
        head.keep_alive = false;
        return {};
      }
      if (list_has_token(field.value, "keep-alive")) head.keep_alive = true;
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
  RequestHead head;
  bool is_first = true;
  while (true) {
    const std::size_t end = head_bytes.find("\r\n");
    if (end == std::string_view::npos) return refuse("the request head is cut short");
    const std::string_view line = head_bytes.substr(0, end);
    head_bytes.remove_prefix(end + 2);
    if (line.empty() && !is_first) break;
    if (!is_first && head.headers.size() == max_fields) {
      return refuse("there are too many headers", 431);
    }
    if (auto parsed = is_first ? parse_request_line(line, head) : parse_field(line, head);
        !parsed) {
      return std::unexpected(std::move(parsed).error());
    }
    is_first = false;
  }
  for (auto* read : {read_host, read_framing, read_connection_options}) {
    if (auto done = read(head); !done) return std::unexpected(std::move(done).error());
  }
  return head;
}

std::expected<std::size_t, Refusal> ChunkedDecoder::feed(std::string_view input, std::string& body,
                                                         std::size_t max_body_bytes) {
  std::size_t used = 0;
  while (used < input.size() && state_ != State::kDone) {
    const std::string_view rest = input.substr(used);
    if (state_ == State::kBytes) {
      const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, rest.size()));
      body.append(rest.substr(0, n));
      used += n;
      remaining_ -= n;
      if (remaining_ == 0) state_ = State::kAfterBytes;
      continue;
    }
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) {
      if (rest.size() > kMaxChunkLine) return refuse("a line of the chunked body is too long");
      return used;
    }
    if (end == 0 || rest[end - 1] != '\r') return refuse("a chunk line ends in LF without CR");
    if (end > kMaxChunkLine) return refuse("a line of the chunked body is too long");
    if (auto taken = take_line(rest.substr(0, end - 1), body.size(), max_body_bytes); !taken) {
      return std::unexpected(std::move(taken).error());
    }
    used += end + 1;
  }
  return used;
}

std::expected<void, Refusal> ChunkedDecoder::take_line(std::string_view line, std::size_t body_size,
                                                       std::size_t max_body_bytes) {
  if (std::ranges::any_of(line, [](char c) {
        return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
      })) {
    return refuse("a chunk line has control bytes");
  }
  if (state_ == State::kAfterBytes) {
    if (!line.empty()) return refuse("a chunk is longer than it says");
    state_ = State::kSize;
    return {};
  }
  if (state_ == State::kTrailer) {
    trailer_bytes_ += line.size();
    if (trailer_bytes_ > kMaxTrailerBytes) return refuse("the trailers are too long", 431);
    if (line.empty()) state_ = State::kDone;
    return {};
  }
  const std::size_t n_digits = static_cast<std::size_t>(
      std::ranges::find_if(line, [](char c) { return hex_digit(c) < 0; }) - line.begin());
  const std::string_view extension = line.substr(n_digits);
  if (n_digits == 0 || n_digits > kMaxChunkSizeDigits ||
      (!extension.empty() && !extension.starts_with(';'))) {
    return refuse("a chunk size is malformed");
  }
  std::from_chars(line.data(), line.data() + n_digits, remaining_, 16);
  if (remaining_ > max_body_bytes - std::min(body_size, max_body_bytes)) {
    return refuse("the body is longer than the limit", 413);
  }
  state_ = remaining_ == 0 ? State::kTrailer : State::kBytes;
  return {};
}

bool list_has_token(std::string_view value, std::string_view token) {
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(','), value.size());
    if (lower_case(trim(value.substr(0, comma))) == token) return true;
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
  return false;
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
