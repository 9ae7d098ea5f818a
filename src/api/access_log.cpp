#include "api/access_log.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <cerrno>
#include <ctime>
#include <iterator>

#include "base/log.h"
#include "base/utf8.h"

namespace jarip {
namespace {

constexpr std::size_t kMaxPath = 200;
constexpr std::size_t kMaxMethod = 32;
constexpr int kPollMs = 100;

// "2026-02-03T04:05:06.789Z"
std::string utc_text(std::chrono::system_clock::time_point time) {
  using std::chrono::milliseconds;
  const auto ms = std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
  const std::time_t seconds = ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, ms % 1000);
}

// What came from the client, cut, on one line and in UTF-8. In text no space may part it.
std::string field(std::string_view text, std::size_t max_bytes) {
  std::string out = printable(replace_invalid(text.substr(0, max_bytes)));
  for (char& c : out) {
    if (c == ' ' || c == '\t') c = '+';
  }
  return out.empty() ? "-" : out;
}

std::string text_line(const AccessEntry& entry) {
  std::string line = fmt::format("{} access id={} key={} peer={} {} {} {}", utc_text(entry.time),
                                 field(entry.id, kMaxPath), field(entry.key_prefix, kMaxPath),
                                 field(entry.peer, kMaxPath), field(entry.method, kMaxMethod),
                                 field(entry.path, kMaxPath), entry.status);
  if (entry.has_answer) {
    fmt::format_to(std::back_inserter(line),
                   " prompt={} cached={} output={} queue_ms={:.1f} first_token_ms={:.1f}",
                   entry.prompt_tokens, entry.cached_tokens, entry.output_tokens, entry.queue_ms,
                   entry.first_token_ms);
  }
  fmt::format_to(std::back_inserter(line), " total_ms={:.1f}\n", entry.total_ms);
  return line;
}

std::string json_line(const AccessEntry& entry) {
  const auto quoted = [](std::string_view text, std::size_t max_bytes) {
    return boost::json::serialize(replace_invalid(text.substr(0, max_bytes)));
  };
  std::string line =
      fmt::format(R"({{"time":"{}","id":{},"key":{},"peer":{},"method":{},"path":{},"status":{})",
                  utc_text(entry.time), quoted(entry.id, kMaxPath),
                  entry.key_prefix.empty() ? "null" : quoted(entry.key_prefix, kMaxPath),
                  quoted(entry.peer, kMaxPath), quoted(entry.method, kMaxMethod),
                  quoted(entry.path, kMaxPath), entry.status);
  if (entry.has_answer) {
    fmt::format_to(std::back_inserter(line),
                   R"(,"prompt_tokens":{},"cached_tokens":{},"output_tokens":{},"queue_ms":{:.1f},)"
                   R"("first_token_ms":{:.1f})",
                   entry.prompt_tokens, entry.cached_tokens, entry.output_tokens, entry.queue_ms,
                   entry.first_token_ms);
  }
  fmt::format_to(std::back_inserter(line), R"(,"total_ms":{:.1f}}})", entry.total_ms);
  return line + "\n";
}

}  // namespace

std::string access_line(const AccessEntry& entry, AccessLogForm form) {
  return form == AccessLogForm::kJson ? json_line(entry) : text_line(entry);
}

AccessLog::AccessLog(AccessLogForm form, int descriptor) : form_(form), descriptor_(descriptor) {
  if (form_ != AccessLogForm::kOff) thread_ = std::jthread([this] { run(); });
}

AccessLog::~AccessLog() {
  in_a_hurry_.store(true);
  lines_.close();
}

void AccessLog::write(const AccessEntry& entry) {
  if (form_ == AccessLogForm::kOff) return;
  if (!lines_.try_push(access_line(entry, form_))) n_lost_.fetch_add(1);
}

void AccessLog::run() {
  while (auto line = lines_.pop()) {
    if (!write_line(*line)) {
      if (in_a_hurry_.load()) return;
      n_lost_.fetch_add(1);
    }
    if (const std::uint64_t n_lost = n_lost_.exchange(0)) {
      log_line(LogLevel::kWarning,
               fmt::format("{} lines of the access log could not be written", n_lost));
    }
  }
}

// A pipe that poll() calls writable takes a line of this length whole and at once.
bool AccessLog::write_line(std::string_view line) {
  static_assert(kMaxAccessLine <= 4096, "longer than a pipe writes in one piece");
  pollfd ready{.fd = descriptor_, .events = POLLOUT, .revents = 0};
  while (true) {
    const int polled = ::poll(&ready, 1, kPollMs);
    if (polled > 0) break;
    if (polled < 0 && errno != EINTR) return false;
    if (in_a_hurry_.load()) return false;
  }
  if ((ready.revents & POLLOUT) == 0) return false;  // nobody reads any more
  return ::write(descriptor_, line.data(), line.size()) == static_cast<ssize_t>(line.size());
}

}  // namespace jarip
