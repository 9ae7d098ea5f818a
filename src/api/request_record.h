// What is known of one request: who sent it, what it was answered, what its answers used. Shared by
// the exchange and the sinks of its answers, because an answer may outlast the request that a
// client has given up. Whoever lets go last has it logged and counted.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "api/access_log.h"
#include "api/api_metrics.h"
#include "app/accounts.h"
#include "app/turn.h"
#include "net/http_message.h"

namespace jarip {

// What records are reported to; outlives them all.
struct RequestObservers {
  ApiMetrics& metrics;
  AccessLog* log = nullptr;      // null: none
  Accounts* accounts = nullptr;  // null: no keys are needed
};

class RequestRecord : public std::enable_shared_from_this<RequestRecord> {
 public:
  // request may be null: one that could not be read.
  RequestRecord(const RequestObservers& observers, std::string id, const Request* request);
  ~RequestRecord();
  RequestRecord(const RequestRecord&) = delete;
  RequestRecord& operator=(const RequestRecord&) = delete;

  // On the network thread.
  [[nodiscard]] const std::string& id() const { return entry_.id; }
  void set_route(std::string_view route) { route_ = route; }
  void set_key_prefix(const std::string& prefix) { entry_.key_prefix = prefix; }
  void set_admission(const Admission& admission);
  void set_status(int status) { entry_.status = status; }
  void set_finished();  // the response has been written, or the client has left
  [[nodiscard]] const KeyRates& rates() const { return rates_; }

  // From any thread, once the admission is set. Whose answers these are:
  void claim(Turn& turn) const;
  // Whose share of the machine they take: an owner's, or a user's whom the client names.
  void share(std::string_view named, std::string& user, float& weight) const;
  // The sink of one of the request's answers, which is counted on its way. What a key has used is
  // on the disk before the sink hears of the end. counts_prompt: for one of several to one prompt.
  [[nodiscard]] TurnSink meter(TurnSink sink, bool counts_prompt = true);

 private:
  class Meter;
  void add_end(const TurnEnd& end, bool counts_prompt);

  RequestObservers observers_;
  std::chrono::steady_clock::time_point begun_;
  std::string route_;
  KeyId key_ = 0;
  std::uint32_t weight_ = 1;
  KeyRates rates_;

  std::mutex mutex_;  // of what ends of answers write into
  AccessEntry entry_;
};

}  // namespace jarip
