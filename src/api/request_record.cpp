#include "api/request_record.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace jarip {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point time) {
  return std::chrono::duration<double, std::milli>(Clock::now() - time).count();
}

struct Used {
  std::uint64_t prompt = 0;
  std::uint64_t cached = 0;
  std::uint64_t output = 0;
};

// What we failed at was of no use to anybody, and what never began has used nothing. What ran into
// the time that its client gave it was computed, and read.
Used used_by(const TurnEnd& end, bool counts_prompt) {
  const bool is_late = end.error && end.error->code == ErrorCode::kTimeout;
  if (end.finish == TurnFinish::kFailed && !is_late) return {};
  const bool has_begun = end.n_new_tokens > 0 || end.prefill_ms > 0;
  if ((end.finish == TurnFinish::kCancelled || is_late) && !has_begun) return {};
  return {.prompt = counts_prompt ? end.n_prompt_tokens : 0,
          .cached = counts_prompt ? end.n_cached_tokens : 0,
          .output = end.n_new_tokens};
}

}  // namespace

RequestRecord::RequestRecord(const RequestObservers& observers, std::string id,
                             const Request* request)
    : observers_(observers), begun_(Clock::now()) {
  entry_.time = std::chrono::system_clock::now();
  entry_.id = std::move(id);
  if (request == nullptr) return;
  entry_.peer = request->peer;
  entry_.method = request->method;
  entry_.path = request->path;
}

RequestRecord::~RequestRecord() {
  observers_.metrics.count_request(route_, entry_.method, entry_.status);
  if (observers_.log == nullptr) return;
  if (entry_.total_ms == 0) set_finished();
  observers_.log->write(entry_);
}

void RequestRecord::set_admission(const Admission& admission) {
  key_ = admission.key;
  weight_ = admission.weight;
  rates_ = admission.rates;
  entry_.key_prefix = admission.prefix;
}

void RequestRecord::set_finished() { entry_.total_ms = milliseconds_since(begun_); }

void RequestRecord::claim(Turn& turn) const {
  turn.owner = static_cast<std::uint64_t>(key_);
  turn.weight = weight_;
}

void RequestRecord::share(std::string_view named, std::string& user, float& weight) const {
  if (key_ == 0) {
    user = "@";
    user += named;
    return;
  }
  user = std::to_string(key_);
  weight = static_cast<float>(weight_);
}

void RequestRecord::add_end(const TurnEnd& end, bool counts_prompt) {
  const Used used = used_by(end, counts_prompt);
  const std::lock_guard lock(mutex_);
  const double first_token_ms = end.queue_ms + end.prefill_ms;
  entry_.queue_ms = std::max(entry_.queue_ms, end.queue_ms);
  entry_.first_token_ms =
      entry_.has_answer ? std::min(entry_.first_token_ms, first_token_ms) : first_token_ms;
  entry_.has_answer = true;
  entry_.prompt_tokens += used.prompt;
  entry_.cached_tokens += used.cached;
  entry_.output_tokens += used.output;
}

// The events of one answer on their way from the engine's thread to the sink.
class RequestRecord::Meter {
 public:
  Meter(std::shared_ptr<RequestRecord> record, TurnSink sink, bool counts_prompt)
      : record_(std::move(record)), sink_(std::move(sink)), counts_prompt_(counts_prompt) {}

  void operator()(TurnEvent event) {
    if (auto* end = std::get_if<TurnEnd>(&event)) {
      finish(std::move(*end));
      return;
    }
    const Clock::time_point now = Clock::now();
    if (last_piece_ != Clock::time_point()) {
      record_->observers_.metrics.count_gap(now - last_piece_);
    }
    last_piece_ = now;
    sink_(std::move(event));
  }

 private:
  void finish(TurnEnd end) {
    const std::shared_ptr<RequestRecord> record = std::move(record_);
    record->observers_.metrics.count_answer(end);
    record->add_end(end, counts_prompt_);
    const Used used = used_by(end, counts_prompt_);
    Accounts* const accounts = record->observers_.accounts;
    if (record->key_ == 0 || accounts == nullptr || used.prompt + used.output == 0) {
      sink_(std::move(end));
      return;
    }
    accounts->count_use(
        record->key_, static_cast<std::int64_t>(used.prompt),
        static_cast<std::int64_t>(used.output),
        [sink = std::move(sink_), end = std::move(end)](Result<void> stored) mutable {
          if (!stored && end.finish != TurnFinish::kCancelled) {
            end.finish = TurnFinish::kFailed;
            end.error = Error{ErrorCode::kUnavailable,
                              "what this answer used can't be stored now; is the disk full?",
                              {}};
          }
          sink(std::move(end));
        });
  }

  std::shared_ptr<RequestRecord> record_;
  TurnSink sink_;
  bool counts_prompt_;
  Clock::time_point last_piece_;
};

TurnSink RequestRecord::meter(TurnSink sink, bool counts_prompt) {
  return Meter(shared_from_this(), std::move(sink), counts_prompt);
}

}  // namespace jarip
