#include "net/download.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include "net/http_fetch.h"

namespace jarip {
namespace {

// Tries in a row that bring nothing; a file of which nothing has come yet is given up sooner.
constexpr int kMostTries = 6;
constexpr int kMostFirstTries = 3;
// How often a file may turn out to be another one before it is given up.
constexpr int kMostRestarts = 3;
constexpr std::uint32_t kLongestWait_s = 60;
constexpr auto kBlink = std::chrono::milliseconds(100);

std::string_view unquoted(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') {
    etag = etag.substr(1, etag.size() - 2);
  }
  return etag;
}

Result<void> check_address(const DownloadRequest& request) {
  const std::string host = host_of(request.url);
  if (host.empty()) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("\"{}\" is no address of a file: one begins with https://", request.url),
        "url");
  }
  if (request.url.starts_with("https:") || request.may_be_plain || is_this_machine(host)) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{} would come without TLS, so that anybody on the way could change it: "
                          "use https://, or tell the file's SHA-256 with --sha256",
                          request.url),
              "url");
}

// What an answer that brings nothing means; nothing when another try may help.
std::optional<Error> refusal(const DownloadRequest& request, int status) {
  const std::string& url = request.url;
  if (status == 401 || status == 403) {
    return Error{
        ErrorCode::kForbidden,
        request.bearer_token.empty()
            ? fmt::format("{} is not open to all (HTTP {}): set HF_TOKEN to a token of "
                          "yours, and accept the model's terms on its page",
                          url, status)
            : fmt::format("{} refuses the token (HTTP {}): accept the model's terms on its "
                          "page, or see whether the token is still good",
                          url, status),
        "url"};
  }
  if (status == 404 || status == 410) {
    return Error{ErrorCode::kNotFound, fmt::format("there is no {} (HTTP {})", url, status), "url"};
  }
  if (status == 429 || status >= 500) return std::nullopt;
  return Error{ErrorCode::kUnavailable, fmt::format("{} answers HTTP {}", url, status), "url"};
}

Error gave_up(const std::string& url, const std::string& trouble) {
  return Error{ErrorCode::kUnavailable,
               fmt::format("can't fetch {}: {}; what has come is kept, and the same command goes "
                           "on from there",
                           url, trouble),
               "url"};
}

RemoteFile remote_of(const DownloadRequest& request, const FetchHead& head) {
  RemoteFile remote{.url = request.url, .etag = head.etag, .sha256 = request.sha256, .n_bytes = {}};
  const std::string_view hub = unquoted(head.hub_etag);
  if (remote.sha256.empty() && is_sha256(hub)) remote.sha256 = hub;
  remote.n_bytes = head.status == 206 ? head.n_whole_bytes : head.n_bytes;
  return remote;
}

bool is_same(const RemoteFile& a, const RemoteFile& b) {
  if (a.url != b.url) return false;
  if (a.n_bytes && b.n_bytes && *a.n_bytes != *b.n_bytes) return false;
  if (!a.sha256.empty() && !b.sha256.empty()) return a.sha256 == b.sha256;
  return a.etag == b.etag;
}

// Whether bytes may be added to those that have come.
bool can_go_on(const RemoteFile& remote) {
  return !remote.sha256.empty() || (!remote.etag.empty() && !remote.etag.starts_with("W/"));
}

class Download {
 public:
  Download(const DownloadRequest& request, PartialDownload& file) : request_(request), file_(file) {
    n_from_before_ = file_.n_bytes();
  }

  Result<DownloadedFile> run() {
    if (!fits_request()) JARIP_CHECK(restart({}));
    JARIP_CHECK(fetch_rest());
    JARIP_TRY(DownloadedFile done, digest());
    if (is_right(done)) return done;
    // Damaged, and maybe long ago: what is fetched in one go may be whole.
    tell("damaged on the way; again from the beginning");
    JARIP_CHECK(restart({}));
    JARIP_CHECK(fetch_rest());
    JARIP_TRY(done, digest());
    if (is_right(done)) return done;
    file_.remove();
    return fail(
        ErrorCode::kCorrupt,
        fmt::format("{} has the SHA-256 {} and should have {}: it was damaged on the way or "
                    "isn't the file that was meant; nothing of it is kept",
                    request_.url, done.sha256, file_.remote().sha256),
        "url");
  }

 private:
  enum class Step : std::uint8_t { kWhole, kTryAgain, kAnotherFile };

  bool fits_request() const {
    const RemoteFile& remote = file_.remote();
    return remote.url == request_.url && can_go_on(remote) &&
           (request_.sha256.empty() || request_.sha256 == remote.sha256);
  }
  bool is_whole() const { return file_.n_bytes() > 0 && file_.remote().n_bytes == file_.n_bytes(); }

  Result<void> restart(const RemoteFile& remote) {
    n_from_before_ = 0;
    return file_.restart(remote);
  }

  Result<void> fetch_rest();
  Result<Step> next();
  bool take(const FetchHead& head, std::span<const std::byte> bytes);
  bool begin(const FetchHead& head);
  Result<void> wait();
  Result<DownloadedFile> digest();
  bool is_right(const DownloadedFile& done) const {
    return !done.was_checked || done.sha256 == file_.remote().sha256;
  }
  void tell(std::string trouble = {}) const;

  const DownloadRequest& request_;
  PartialDownload& file_;
  std::uint64_t n_from_before_ = 0;
  bool has_begun_ = false;   // the answer being read
  bool is_another_ = false;  // than the bytes that are there
  std::optional<Error> error_;
  int n_futile_ = 0;
  int n_restarts_ = 0;
  std::string trouble_;
  std::uint32_t retry_after_s_ = 0;
};

void Download::tell(std::string trouble) const {
  if (!request_.on_progress) return;
  request_.on_progress({.n_done = file_.n_bytes(),
                        .n_from_before = n_from_before_,
                        .n_bytes = file_.remote().n_bytes.value_or(0),
                        .trouble = std::move(trouble)});
}

Result<void> Download::fetch_rest() {
  while (!is_whole()) {
    const std::uint64_t n_before = file_.n_bytes();
    JARIP_TRY(const Step step, next());
    if (step == Step::kWhole) break;
    n_futile_ = file_.n_bytes() > n_before ? 0 : n_futile_ + 1;
    if (step == Step::kTryAgain) JARIP_CHECK(wait());
  }
  return {};
}

Result<Download::Step> Download::next() {
  has_begun_ = false;
  is_another_ = false;
  trouble_.clear();
  retry_after_s_ = 0;
  FetchRequest fetching{
      .url = request_.url,
      .bearer_token = request_.bearer_token,
      .range = {},
      .if_range = {},
      .stall = request_.stall,
      .on_bytes = [this](const FetchHead& head,
                         std::span<const std::byte> bytes) { return take(head, bytes); },
      .should_stop = request_.should_stop};
  if (file_.n_bytes() > 0) {
    fetching.range = fmt::format("{}-", file_.n_bytes());
    if (!file_.remote().etag.starts_with("W/")) fetching.if_range = file_.remote().etag;
  }
  JARIP_TRY(const FetchOutcome outcome, fetch(fetching));
  if (error_) return std::unexpected(*std::move(error_));
  const int status = outcome.head.status;
  // There is nothing behind what has come, or an answer that doesn't go on where it ends: the file
  // is another one by now.
  if (is_another_ || (status == 416 && file_.n_bytes() > 0)) {
    if (++n_restarts_ > kMostRestarts) {
      return std::unexpected(gave_up(request_.url, "it changes while it is fetched"));
    }
    JARIP_CHECK(restart({}));
    return Step::kAnotherFile;
  }
  if (!outcome.trouble.empty()) {
    trouble_ = outcome.trouble;
    if (!outcome.may_be_passing) return std::unexpected(gave_up(request_.url, trouble_));
    return Step::kTryAgain;
  }
  if (status == 200 || status == 206) {
    if (!has_begun_ && !begin(outcome.head)) return Step::kTryAgain;  // not a byte in it
    if (!file_.remote().n_bytes || is_whole()) return Step::kWhole;
    trouble_ = "the answer ended before the file did";
    return Step::kTryAgain;
  }
  if (const auto error = refusal(request_, status)) return std::unexpected(*error);
  trouble_ = fmt::format("HTTP {}", status);
  retry_after_s_ = outcome.head.retry_after_s.value_or(0);
  return Step::kTryAgain;
}

// False: the answer is of no use, as error_ or is_another_ tells.
bool Download::begin(const FetchHead& head) {
  has_begun_ = true;
  const RemoteFile remote = remote_of(request_, head);
  if (head.status == 206) {
    is_another_ = head.range_begin != file_.n_bytes() || !is_same(remote, file_.remote());
    if (is_another_) return false;
  } else if (auto restarted = restart(remote); !restarted) {
    error_ = std::move(restarted).error();
    return false;
  }
  if (auto reserved = file_.reserve(); !reserved) {
    error_ = std::move(reserved).error();
    return false;
  }
  return true;
}

bool Download::take(const FetchHead& head, std::span<const std::byte> bytes) {
  if (!has_begun_ && !begin(head)) return false;
  const std::optional<std::uint64_t>& n_whole = file_.remote().n_bytes;
  if (n_whole && bytes.size() > *n_whole - file_.n_bytes()) {
    is_another_ = true;
    return false;
  }
  if (auto appended = file_.append(bytes); !appended) {
    error_ = std::move(appended).error();
    return false;
  }
  tell();
  return true;
}

Result<void> Download::wait() {
  const int most = file_.n_bytes() == 0 ? kMostFirstTries : kMostTries;
  if (n_futile_ >= most) return std::unexpected(gave_up(request_.url, trouble_));
  const std::uint32_t doubled = n_futile_ == 0 ? 1U : 1U << static_cast<unsigned>(n_futile_ - 1);
  const std::uint32_t seconds = std::min(std::max(doubled, retry_after_s_), kLongestWait_s);
  tell(fmt::format("{}; again in {} s", trouble_, seconds));
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (std::chrono::steady_clock::now() < until) {
    if (request_.should_stop && request_.should_stop()) {
      return fail(ErrorCode::kCancelled, "stopped");
    }
    std::this_thread::sleep_for(kBlink);
  }
  return {};
}

Result<DownloadedFile> Download::digest() {
  DownloadedFile done{
      .n_bytes = file_.n_bytes(), .sha256 = {}, .was_checked = !file_.remote().sha256.empty()};
  JARIP_TRY(done.sha256, file_.finish());
  return done;
}

}  // namespace

Result<RemoteFile> ask_for_file(const DownloadRequest& request) {
  JARIP_CHECK(check_address(request));
  FetchRequest fetching{
      .url = request.url,
      .bearer_token = request.bearer_token,
      .range = "0-0",  // heads alone are refused by addresses signed for reading
      .if_range = {},
      .stall = request.stall,
      .on_bytes = [](const FetchHead&, std::span<const std::byte>) { return false; },
      .should_stop = request.should_stop};
  JARIP_TRY(const FetchOutcome outcome, fetch(fetching));
  if (!outcome.trouble.empty()) return std::unexpected(gave_up(request.url, outcome.trouble));
  const int status = outcome.head.status;
  if (status == 200 || status == 206) return remote_of(request, outcome.head);
  if (const auto error = refusal(request, status)) return std::unexpected(*error);
  return std::unexpected(gave_up(request.url, fmt::format("HTTP {}", status)));
}

Result<DownloadedFile> download(const DownloadRequest& request, PartialDownload& file) {
  JARIP_CHECK(check_address(request));
  return Download(request, file).run();
}

Result<std::string> fetch_text(const DownloadRequest& request, std::size_t max_bytes) {
  JARIP_CHECK(check_address(request));
  std::string text;
  FetchRequest fetching{.url = request.url,
                        .bearer_token = request.bearer_token,
                        .range = {},
                        .if_range = {},
                        .stall = request.stall,
                        .on_bytes =
                            [&](const FetchHead&, std::span<const std::byte> bytes) {
                              if (bytes.size() > max_bytes - text.size()) return false;
                              text.append(reinterpret_cast<const char*>(bytes.data()),
                                          bytes.size());
                              return true;
                            },
                        .should_stop = request.should_stop};
  JARIP_TRY(const FetchOutcome outcome, fetch(fetching));
  if (outcome.was_ended) {
    return fail(ErrorCode::kTooLarge,
                fmt::format("{} is longer than {} bytes", request.url, max_bytes), "url");
  }
  if (!outcome.trouble.empty()) return std::unexpected(gave_up(request.url, outcome.trouble));
  if (outcome.head.status == 200) return text;
  if (const auto error = refusal(request, outcome.head.status)) return std::unexpected(*error);
  return std::unexpected(gave_up(request.url, fmt::format("HTTP {}", outcome.head.status)));
}

}  // namespace jarip
