// One line for each request, on standard error. write() takes no time from any thread: a thread of
// the log's own does the writing, and lines that a stuck reader leaves no room for are counted.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>

#include "base/bounded_queue.h"

namespace jarip {

enum class AccessLogForm : std::uint8_t { kOff, kText, kJson };

// Never what was asked or answered, never a key: only its public prefix.
struct AccessEntry {
  std::chrono::system_clock::time_point time;  // when the request had been read
  std::string id;
  std::string key_prefix;
  std::string peer;
  std::string method;
  std::string path;  // without the query
  int status = 0;    // 0: the client left before there was one
  std::uint64_t prompt_tokens = 0;
  std::uint64_t cached_tokens = 0;
  std::uint64_t output_tokens = 0;
  double queue_ms = 0;
  double first_token_ms = 0;
  double total_ms = 0;
  bool has_answer = false;  // tokens and the first two times mean something
};

// One line, ended: at most kMaxAccessLine bytes, without control characters.
inline constexpr std::size_t kMaxAccessLine = 2048;
[[nodiscard]] std::string access_line(const AccessEntry& entry, AccessLogForm form);

class AccessLog {
 public:
  // descriptor: where to write; not closed.
  explicit AccessLog(AccessLogForm form, int descriptor = 2);
  ~AccessLog();  // writes what is left, if that doesn't take long
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  void write(const AccessEntry& entry);

 private:
  static constexpr std::size_t kMaxWaiting = 4096;

  void run();
  bool write_line(std::string_view line);

  AccessLogForm form_;
  int descriptor_;
  BoundedQueue<std::string> lines_{kMaxWaiting};
  std::atomic<std::uint64_t> n_lost_{0};
  std::atomic<bool> in_a_hurry_{false};
  std::jthread thread_;  // last: it uses everything above
};

}  // namespace jarip
