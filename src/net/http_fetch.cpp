#include "net/http_fetch.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <memory>

namespace jarip {
namespace {

constexpr long kConnectSeconds = 20;
constexpr long kMostRedirects = 10;
constexpr long kBufferBytes = 256L << 10;

struct FreeCurl {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

bool start_curl() {
  static const bool started = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return started;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r' || text.back() == '\n')) {
    text.remove_suffix(1);
  }
  return text;
}

template <class T>
std::optional<T> number_of(std::string_view text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

struct Running {
  const FetchRequest& request;
  FetchOutcome outcome;
  bool was_stopped = false;
};

bool brings_it(int status) { return status == 200 || status == 206; }

std::size_t on_header(char* bytes, std::size_t, std::size_t n, void* context) {
  static_cast<Running*>(context)->outcome.head.read_line({bytes, n});
  return n;
}

std::size_t on_body(char* bytes, std::size_t, std::size_t n, void* context) {
  auto& running = *static_cast<Running*>(context);
  if (!brings_it(running.outcome.head.status)) return n;
  if (running.request.on_bytes(running.outcome.head,
                               {reinterpret_cast<const std::byte*>(bytes), n})) {
    return n;
  }
  running.outcome.was_ended = true;
  return CURL_WRITEFUNC_ERROR;
}

int on_tick(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& running = *static_cast<Running*>(context);
  running.was_stopped = running.request.should_stop && running.request.should_stop();
  return running.was_stopped ? 1 : 0;
}

bool may_pass(CURLcode code) {
  constexpr std::array kLasting = {
      CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_URL_MALFORMAT,
      CURLE_UNSUPPORTED_PROTOCOL,     CURLE_TOO_MANY_REDIRECTS, CURLE_COULDNT_RESOLVE_PROXY};
  return std::ranges::find(kLasting, code) == kLasting.end();
}

void set_connection(CURL* handle, const FetchRequest& request) {
  const bool is_plain = request.url.starts_with("http:");
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  // Nobody is led from TLS to a connection without.
  curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, is_plain ? "http,https" : "https");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(handle, CURLOPT_MAXREDIRS, kMostRedirects);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.stall.count()));
  curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, kBufferBytes);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "jarip");
  // Where a company's own authority signs, as other programs with OpenSSL take it.
  if (const char* authorities = std::getenv("SSL_CERT_FILE")) {
    curl_easy_setopt(handle, CURLOPT_CAINFO, authorities);
  }
}

}  // namespace

void FetchHead::read_line(std::string_view line) {
  line = trim(line);
  if (line.starts_with("HTTP/")) {
    const std::size_t space = line.find(' ');
    std::string hub = std::move(hub_etag);
    *this = {};
    hub_etag = std::move(hub);
    if (space != std::string_view::npos) {
      status = number_of<int>(line.substr(space + 1, 3)).value_or(0);
    }
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  const std::string_view value = trim(line.substr(colon + 1));
  if (name == "etag") etag = value;
  if (name == "x-linked-etag") hub_etag = value;
  if (name == "content-length") n_bytes = number_of<std::uint64_t>(value);
  if (name == "retry-after") retry_after_s = number_of<std::uint32_t>(value);
  if (name == "content-range" && value.starts_with("bytes ")) {
    const std::size_t slash = value.find('/');
    const std::string_view range = value.substr(6, slash - 6);
    range_begin = number_of<std::uint64_t>(range.substr(0, range.find('-')));
    if (slash != std::string_view::npos) {
      n_whole_bytes = number_of<std::uint64_t>(value.substr(slash + 1));
    }
  }
}

Result<FetchOutcome> fetch(const FetchRequest& request) {
  const std::unique_ptr<CURL, FreeCurl> handle(start_curl() ? curl_easy_init() : nullptr);
  if (!handle) return fail(ErrorCode::kInternal, "libcurl can't be started");
  Running running{.request = request, .outcome = {}};
  std::array<char, CURL_ERROR_SIZE> words{};
  std::unique_ptr<curl_slist, FreeList> headers;
  if (!request.if_range.empty()) {
    headers.reset(
        curl_slist_append(nullptr, fmt::format("If-Range: {}", request.if_range).c_str()));
    curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get());
  }
  set_connection(handle.get(), request);
  curl_easy_setopt(handle.get(), CURLOPT_URL, request.url.c_str());
  if (!request.range.empty()) {
    curl_easy_setopt(handle.get(), CURLOPT_RANGE, request.range.c_str());
  }
  if (!request.bearer_token.empty()) {
    curl_easy_setopt(handle.get(), CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    curl_easy_setopt(handle.get(), CURLOPT_XOAUTH2_BEARER, request.bearer_token.c_str());
  }
  curl_easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, words.data());
  curl_easy_setopt(handle.get(), CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(handle.get(), CURLOPT_HEADERDATA, &running);
  curl_easy_setopt(handle.get(), CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &running);
  curl_easy_setopt(handle.get(), CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle.get(), CURLOPT_XFERINFOFUNCTION, on_tick);
  curl_easy_setopt(handle.get(), CURLOPT_XFERINFODATA, &running);
  const CURLcode code = curl_easy_perform(handle.get());
  if (running.was_stopped) return fail(ErrorCode::kCancelled, "stopped");
  if (code != CURLE_OK && !running.outcome.was_ended) {
    running.outcome.trouble = words[0] != 0 ? words.data() : curl_easy_strerror(code);
    running.outcome.may_be_passing = may_pass(code);
  }
  return running.outcome;
}

std::string host_of(const std::string& url) {
  const std::unique_ptr<CURLU, FreeUrl> parsed(curl_url());
  if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return {};
  char* part = nullptr;
  if (curl_url_get(parsed.get(), CURLUPART_SCHEME, &part, 0) != CURLUE_OK) return {};
  const std::string scheme = part;
  curl_free(part);
  if (scheme != "http" && scheme != "https") return {};
  if (curl_url_get(parsed.get(), CURLUPART_HOST, &part, 0) != CURLUE_OK) return {};
  std::string host = part;
  curl_free(part);
  return host;
}

bool is_this_machine(std::string_view host) {
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
}

}  // namespace jarip
