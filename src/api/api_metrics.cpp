#include "api/api_metrics.h"

#include <algorithm>
#include <iterator>
#include <vector>

namespace jarip {
namespace {

constexpr double kSeconds[] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
                               1.0,   2.5,   5.0,  7.5,  10,   20,   40,   80,  160,  320, 640};
constexpr double kTokenSeconds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15,
                                    0.2,   0.3,    0.4,   0.5,  0.75,  1.0,  2.5,   5.0, 10};
constexpr double kMsPerSecond = 1000.0;

// Methods that clients make up would make counters without end.
constexpr std::string_view kMethods[] = {"GET",    "HEAD",  "POST",   "PUT",
                                         "DELETE", "PATCH", "OPTIONS"};
constexpr int kClientLeft = 499;  // as nginx has it

struct RejectionRow {
  RejectReason reason;
  const char* metric;
  const char* label;
};
constexpr const char* kAuthFailures = "jarip_auth_failures_total";
constexpr const char* kLimited = "jarip_limited_requests_total";
constexpr RejectionRow kRejections[] = {
    {RejectReason::kMissing, kAuthFailures, "missing"},
    {RejectReason::kMalformed, kAuthFailures, "malformed"},
    {RejectReason::kUnknown, kAuthFailures, "unknown"},
    {RejectReason::kRevoked, kAuthFailures, "revoked"},
    {RejectReason::kExpired, kAuthFailures, "expired"},
    {RejectReason::kScope, kAuthFailures, "scope"},
    {RejectReason::kStore, kAuthFailures, "unavailable"},
    {RejectReason::kRequestRate, kLimited, "requests_per_minute"},
    {RejectReason::kTokenRate, kLimited, "tokens_per_minute"},
    {RejectReason::kTokenLimit, kLimited, "token_limit"},
};

Counter& finished(MetricsRegistry& registry, const char* reason) {
  return registry.counter("jarip_request_success_total", "Answers that ended, by how they ended.",
                          {{"finished_reason", reason}});
}

// Those of ours that mean the same as vLLM's of that name.
constexpr std::string_view kVllmNames[] = {
    "num_requests_running",
    "num_requests_waiting",
    "kv_cache_usage_perc",
    "prefix_cache_queries_total",
    "prefix_cache_hits_total",
    "num_preemptions_total",
    "prompt_tokens_total",
    "generation_tokens_total",
    "request_success_total",
    "time_to_first_token_seconds",
    "inter_token_latency_seconds",
    "e2e_request_latency_seconds",
    "request_queue_time_seconds",
    "spec_decode_num_draft_tokens_total",
    "spec_decode_num_accepted_tokens_total",
};

}  // namespace

void add_vllm_names(MetricsRegistry& registry, std::string_view model_name) {
  registry.add_alias({.own_prefix = "jarip_",
                      .prefix = "vllm:",
                      .names = kVllmNames,
                      .labels = {{"model_name", std::string(model_name)}}});
}

ApiMetrics::ApiMetrics(MetricsRegistry& registry)
    : running_(registry.gauge("jarip_num_requests_running", "Requests being computed.")),
      waiting_(registry.gauge("jarip_num_requests_waiting", "Requests waiting to be computed.")),
      kv_usage_(registry.gauge("jarip_kv_cache_usage_perc",
                               "Part of the KV pages in use; 1 means all of them.")),
      cached_pages_(registry.gauge("jarip_kv_cache_cached_pages",
                                   "KV pages kept for prompts that begin alike, used or not.")),
      prompt_tokens_(registry.counter("jarip_prompt_tokens_total",
                                      "Prompt tokens computed or found in the prefix cache.")),
      generation_tokens_(registry.counter("jarip_generation_tokens_total", "Tokens generated.")),
      draft_tokens_(registry.counter("jarip_spec_decode_num_draft_tokens_total",
                                     "Tokens guessed ahead and checked.")),
      accepted_tokens_(registry.counter("jarip_spec_decode_num_accepted_tokens_total",
                                        "Tokens guessed ahead that were right.")),
      prefix_queries_(registry.counter("jarip_prefix_cache_queries_total",
                                       "Prompt tokens looked for in the prefix cache.")),
      prefix_hits_(registry.counter("jarip_prefix_cache_hits_total",
                                    "Prompt tokens found in the prefix cache.")),
      preemptions_(registry.counter("jarip_num_preemptions_total",
                                    "Times that a request was parked for another.")),
      resident_bytes_(registry.gauge("jarip_models_resident_bytes",
                                     "Memory counted for the models that are loaded.")),
      steps_(registry.counter("jarip_engine_steps_total", "Steps of the engine.")),
      stopped_(finished(registry, "stop")),
      cut_(finished(registry, "length")),
      cancelled_(finished(registry, "abort")),
      failed_(finished(registry, "error")),
      first_token_(registry.histogram("jarip_time_to_first_token_seconds",
                                      "From a request's arrival at the engine to its first token.",
                                      kSeconds)),
      between_tokens_(registry.histogram(
          "jarip_inter_token_latency_seconds",
          "Time between the pieces of an answer, as they reach its reader.", kTokenSeconds)),
      whole_(registry.histogram("jarip_e2e_request_latency_seconds",
                                "From a request's arrival at the engine to its last token.",
                                kSeconds)),
      queue_(registry.histogram("jarip_request_queue_time_seconds",
                                "From a request's arrival at the engine to its first step.",
                                kSeconds)),
      step_size_(registry.histogram("jarip_engine_step_sequences",
                                    "Requests computed together in a step.",
                                    std::vector<double>(kStepSizes.begin(), kStepSizes.end()))),
      registry_(registry) {
  for (const RejectionRow& row : kRejections) {
    rejections_[row.reason] = &registry.counter(
        row.metric,
        row.metric == kLimited ? "Requests of keys that had used what they may, by limit."
                               : "Requests without a key that is good for them, by what was wrong.",
        {{"reason", row.label}});
  }
}

void ApiMetrics::count_answer(const TurnEnd& end) {
  switch (end.finish) {
    case TurnFinish::kStop:
      stopped_.add();
      break;
    case TurnFinish::kLength:
      cut_.add();
      break;
    case TurnFinish::kCancelled:
      cancelled_.add();
      return;
    case TurnFinish::kFailed:
      failed_.add();
      return;
  }
  // Times of answers that were cut off would say nothing about the others.
  const double first_token_ms = end.queue_ms + end.prefill_ms;
  queue_.observe(end.queue_ms / kMsPerSecond);
  whole_.observe((first_token_ms + end.decode_ms) / kMsPerSecond);
  if (end.n_new_tokens > 0) first_token_.observe(first_token_ms / kMsPerSecond);
}

void ApiMetrics::count_gap(std::chrono::duration<double> gap) {
  between_tokens_.observe(gap.count());
}

void ApiMetrics::count_request(std::string_view route, std::string_view method, int status) {
  const auto* known = std::ranges::find(kMethods, method);
  const std::string_view label = known == std::end(kMethods) ? "other" : *known;
  if (status == 0) status = kClientLeft;
  const std::lock_guard lock(mutex_);
  Counter*& counter = requests_[{std::string(route), label, status}];
  if (counter == nullptr) {
    counter = &registry_.counter("jarip_http_requests_total",
                                 "HTTP requests, by route, method and status; 499 is a client that "
                                 "left before its answer.",
                                 {{"route", route.empty() ? "none" : std::string(route)},
                                  {"method", std::string(label)},
                                  {"status", std::to_string(status)}});
  }
  counter->add();
}

void ApiMetrics::count_rejection(RejectReason reason) { rejections_.at(reason)->add(); }

void ApiMetrics::follow(const EngineStats& stats) {
  running_.set(stats.n_running);
  waiting_.set(stats.n_waiting);
  kv_usage_.set(stats.n_pages == 0 ? 0.0 : static_cast<double>(stats.n_pages_used) / stats.n_pages);
  cached_pages_.set(stats.n_pages_cached);
  prompt_tokens_.raise_to(stats.prompt_tokens);
  prefix_queries_.raise_to(stats.prefix_queries);
  prefix_hits_.raise_to(stats.prefix_hits);
  preemptions_.raise_to(stats.parked);
  step_size_.raise_to(stats.steps_by_size, static_cast<double>(stats.sequence_steps));
  generation_tokens_.raise_to(stats.new_tokens);
  draft_tokens_.raise_to(stats.draft_tokens);
  accepted_tokens_.raise_to(stats.accepted_draft_tokens);
  steps_.raise_to(stats.n_steps);
}

// Names are those of the models folder, never a client's.
ApiMetrics::ModelSeries& ApiMetrics::series_of(const std::string& model) {
  if (const auto known = models_.find(model); known != models_.end()) return known->second;
  const MetricLabels labels = {{"model", model}};
  return models_
      .emplace(
          model,
          ModelSeries{registry_.counter("jarip_model_loads_total", "Times that a model was loaded.",
                                        labels),
                      registry_.counter("jarip_model_load_failures_total",
                                        "Times that a model could not be loaded.", labels),
                      registry_.counter("jarip_model_unloads_total",
                                        "Times that a model was unloaded.", labels),
                      registry_.gauge("jarip_model_load_seconds",
                                      "Seconds that loading a model has taken, all times together.",
                                      labels),
                      registry_.gauge("jarip_model_loaded", "1 while a model is loaded.", labels),
                      registry_.gauge("jarip_model_users", "Requests that use a model.", labels)})
      .first->second;
}

void ApiMetrics::follow_models(std::span<const ModelStatus> models,
                               std::uint64_t n_resident_bytes) {
  resident_bytes_.set(static_cast<double>(n_resident_bytes));
  for (const ModelStatus& model : models) {
    ModelSeries& series = series_of(model.card.name);
    series.loads.raise_to(model.n_loads);
    series.failures.raise_to(model.n_failures);
    series.unloads.raise_to(model.n_unloads);
    series.load_seconds.set(model.load_seconds);
    series.loaded.set(model.state == ModelState::kLoaded ? 1 : 0);
    series.users.set(model.n_users);
  }
}

}  // namespace jarip
