// Any bytes as HTTP: however they are cut, they are read as the same request, and nothing that
// could be read in two ways gets through. The first byte says where to cut.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "net/http_parser.h"

namespace jarip {
namespace {

constexpr std::size_t kMaxFields = 50;
constexpr std::size_t kMaxBody = 4096;

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_clean(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

void check_head(const RequestHead& head) {
  require(is_clean(head.method) && is_clean(head.query) && is_clean(head.host));
  require(!head.method.empty() && !head.host.empty());
  require(head.path == "*" || head.path.starts_with('/'));
  require(head.headers.size() <= kMaxFields);
  require(!(head.is_chunked && head.content_length));
  for (const HttpField& field : head.headers) {
    require(!field.name.empty() && is_clean(field.name) && is_clean(field.value));
  }
}

void read_head(std::string_view bytes, std::size_t cut) {
  const auto whole = find_head_end(bytes, 0);
  const auto early = find_head_end(bytes.substr(0, cut), 0);
  if (!early) require(!whole);
  if (early && *early) require(whole && *whole == *early);
  if (early && !*early) {
    const auto resumed = find_head_end(bytes, cut);
    require(resumed.has_value() == whole.has_value());
    if (whole) require(*resumed == *whole);
  }
  if (!whole || !*whole) return;
  if (const auto head = parse_request_head(bytes.substr(0, **whole), kMaxFields)) check_head(*head);
}

struct Decoded {
  bool refused = false;
  bool done = false;
  std::size_t used = 0;
  std::string body;
};

// Bytes up to each of the cuts are there when the decoder is asked.
Decoded decode(std::string_view bytes, std::size_t cut) {
  ChunkedDecoder decoder;
  Decoded out;
  for (const std::size_t end : {cut, bytes.size()}) {
    const auto used = decoder.feed(bytes.substr(out.used, end - out.used), out.body, kMaxBody);
    out.refused = !used;
    if (!used) break;
    out.used += *used;
    require(out.used <= end);
  }
  out.done = decoder.done();
  require(out.body.size() <= kMaxBody);
  return out;
}

void read_chunks(std::string_view bytes, std::size_t cut) {
  const Decoded whole = decode(bytes, bytes.size());
  const Decoded in_two = decode(bytes, cut);
  require(whole.refused == in_two.refused && whole.done == in_two.done);
  if (!whole.refused) require(whole.body == in_two.body && whole.used == in_two.used);
}

}  // namespace
}  // namespace jarip

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = std::min<std::size_t>(data[0], bytes.size());
  jarip::read_head(bytes, cut);
  jarip::read_chunks(bytes, cut);
  (void)jarip::percent_decode(bytes);
  return 0;
}
