#include "api/static_files.h"

#include <zlib.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace jarip {
namespace {

// No inline scripts or styles, nothing from elsewhere, no frames around us.
constexpr std::string_view kContentPolicy =
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";
constexpr int kAnyGzipWindow = 15 + 16;  // zlib: the largest window, a gzip header

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Calls visit(item) for every item of a comma-separated header value.
template <class Visit>
void for_each_item(std::string_view list, Visit visit) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    visit(trim(list.substr(0, comma)));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

// The bytes were compressed by our own build; anything wrong with them is a build's mistake.
std::optional<std::string> inflate(std::span<const std::byte> gzip) {
  z_stream stream{};
  if (inflateInit2(&stream, kAnyGzipWindow) != Z_OK) return std::nullopt;
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(gzip.data()));
  stream.avail_in = static_cast<uInt>(gzip.size());
  std::string out;
  int status = Z_OK;
  while (status == Z_OK) {
    char piece[16384];
    stream.next_out = reinterpret_cast<Bytef*>(piece);
    stream.avail_out = sizeof piece;
    status = ::inflate(&stream, Z_NO_FLUSH);
    out.append(piece, sizeof piece - stream.avail_out);
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END) return std::nullopt;
  return out;
}

bool etag_matches(const Request& request, std::string_view etag) {
  const std::string* known = request.find_header("if-none-match");
  if (known == nullptr) return false;
  bool matches = false;
  for_each_item(*known, [&](std::string_view item) {
    if (item.starts_with("W/")) item.remove_prefix(2);
    matches = matches || item == "*" || item == etag;
  });
  return matches;
}

auto find_file(std::span<const WebFile> files, const Request& request) {
  const std::string_view path =
      request.path == "/" ? "/index.html" : std::string_view(request.path);
  return std::ranges::find(files, path, &WebFile::path);
}

}  // namespace

bool accepts_gzip(const Request& request) {
  const std::string* accepted = request.find_header("accept-encoding");
  if (accepted == nullptr) return false;
  std::optional<bool> gzip;
  std::optional<bool> any;
  for_each_item(*accepted, [&](std::string_view item) {
    const std::size_t semicolon = std::min(item.find(';'), item.size());
    const std::string_view coding = trim(item.substr(0, semicolon));
    std::string_view weight =
        semicolon < item.size() ? trim(item.substr(semicolon + 1)) : std::string_view("q=1");
    if (weight.starts_with("q=") || weight.starts_with("Q=")) weight.remove_prefix(2);
    const bool is_wanted = weight.find_first_not_of("0.") != std::string_view::npos;
    if (coding == "gzip" || coding == "x-gzip") gzip = is_wanted;
    if (coding == "*") any = is_wanted;
  });
  return gzip.value_or(any.value_or(false));
}

bool has_file(std::span<const WebFile> files, const Request& request) {
  return find_file(files, request) != files.end();
}

std::optional<Response> serve_file(std::span<const WebFile> files, const Request& request) {
  const auto file = find_file(files, request);
  if (file == files.end()) return std::nullopt;
  // Weak: one tag stands for the plain and the compressed form.
  Response response{
      200,
      {{"etag", "W/" + std::string(file->etag)},
       {"vary", "accept-encoding"},
       {"cache-control", file->immutable ? "public, max-age=31536000, immutable" : "no-cache"},
       {"content-security-policy", std::string(kContentPolicy)},
       {"cross-origin-opener-policy", "same-origin"},
       {"cross-origin-resource-policy", "same-origin"},
       {"referrer-policy", "no-referrer"}},
      {}};
  if (etag_matches(request, file->etag)) {
    response.status = 304;
    return response;
  }
  response.headers.push_back({"content-type", std::string(file->content_type)});
  if (accepts_gzip(request)) {
    response.headers.push_back({"content-encoding", "gzip"});
    response.body.assign(reinterpret_cast<const char*>(file->gzip_bytes.data()),
                         file->gzip_bytes.size());
    return response;
  }
  auto plain = inflate(file->gzip_bytes);
  if (!plain) return std::nullopt;
  response.body = *std::move(plain);
  return response;
}

}  // namespace jarip
