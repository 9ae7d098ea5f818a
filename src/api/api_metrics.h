// What /metrics shows of requests and of the engine. Registered once by whoever owns the routes;
// count_answer() ticks from any thread.
#pragma once

#include "app/turn.h"
#include "base/metrics.h"

namespace jarip {

class ApiMetrics {
 public:
  explicit ApiMetrics(MetricsRegistry& registry);

  // An answer has ended, in whatever way.
  void count_answer(const TurnEnd& end);
  void count_response(int status);
  // Brings what the engine counts itself up to date; before rendering.
  void follow(const EngineStats& stats);

 private:
  Gauge& running_;
  Gauge& waiting_;
  Gauge& kv_usage_;
  Gauge& cached_pages_;
  Counter& prompt_tokens_;
  Counter& generation_tokens_;
  Counter& draft_tokens_;
  Counter& accepted_tokens_;
  Counter& prefix_queries_;
  Counter& prefix_hits_;
  Counter& preemptions_;
  Counter& steps_;
  Counter& stopped_;
  Counter& cut_;
  Counter& cancelled_;
  Counter& failed_;
  Histogram& first_token_;
  Histogram& between_tokens_;
  Histogram& whole_;
  Histogram& queue_;
  Histogram& step_size_;
  Counter* responses_[5];  // by hundreds: 1xx to 5xx
};

}  // namespace jarip
