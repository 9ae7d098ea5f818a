// What /metrics shows of requests and of the engine. Registered once by whoever owns the routes;
// its counts tick from any thread.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <tuple>

#include "app/accounts.h"
#include "app/model_pool.h"
#include "app/turn.h"
#include "base/metrics.h"

namespace jarip {

// Shows what dashboards of vLLM read under the names that it has there ("vllm:…").
void add_vllm_names(MetricsRegistry& registry, std::string_view model_name);

class ApiMetrics {
 public:
  explicit ApiMetrics(MetricsRegistry& registry);

  // An answer has ended, in whatever way.
  void count_answer(const TurnEnd& end);
  // Between two pieces of an answer.
  void count_gap(std::chrono::duration<double> gap);
  // route: as the table of routes has it, empty for none; status 0: the client left before one.
  void count_request(std::string_view route, std::string_view method, int status);
  // A request that its key, or the lack of one, kept out.
  void count_rejection(RejectReason reason);
  // Brings what the engine counts itself up to date; before rendering.
  void follow(const EngineStats& stats);
  void follow_models(std::span<const ModelStatus> models, std::uint64_t n_resident_bytes);

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
  Gauge& resident_bytes_;
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
  std::map<RejectReason, Counter*> rejections_;

  // Of one model.
  struct ModelSeries {
    Counter& loads;
    Counter& failures;
    Counter& unloads;
    Gauge& load_seconds;
    Gauge& loaded;
    Gauge& users;
  };
  ModelSeries& series_of(const std::string& model);

  MetricsRegistry& registry_;
  std::map<std::string, ModelSeries> models_;  // the network thread's
  std::mutex mutex_;  // of requests_, whose counters appear as they are needed
  std::map<std::tuple<std::string, std::string_view, int>, Counter*> requests_;
};

}  // namespace jarip
