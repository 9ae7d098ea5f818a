#include "api/api_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace jarip {
namespace {

constexpr double kSeconds[] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
                               1.0,   2.5,   5.0,  7.5,  10,   20,   40,   80,  160,  320, 640};
constexpr double kTokenSeconds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15,
                                    0.2,   0.3,    0.4,   0.5,  0.75,  1.0,  2.5,   5.0, 10};
constexpr double kMsPerSecond = 1000.0;

Counter& finished(MetricsRegistry& registry, const char* reason) {
  return registry.counter("jarip_request_success_total", "Answers that ended, by how they ended.",
                          {{"finished_reason", reason}});
}

}  // namespace

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
      steps_(registry.counter("jarip_engine_steps_total", "Steps of the engine.")),
      stopped_(finished(registry, "stop")),
      cut_(finished(registry, "length")),
      cancelled_(finished(registry, "abort")),
      failed_(finished(registry, "error")),
      first_token_(registry.histogram("jarip_time_to_first_token_seconds",
                                      "From a request's arrival at the engine to its first token.",
                                      kSeconds)),
      between_tokens_(registry.histogram("jarip_inter_token_latency_seconds",
                                         "Time between tokens, a request's mean for each of them.",
                                         kTokenSeconds)),
      whole_(registry.histogram("jarip_e2e_request_latency_seconds",
                                "From a request's arrival at the engine to its last token.",
                                kSeconds)),
      queue_(registry.histogram("jarip_request_queue_time_seconds",
                                "From a request's arrival at the engine to its first step.",
                                kSeconds)),
      step_size_(registry.histogram("jarip_engine_step_sequences",
                                    "Requests computed together in a step.",
                                    std::vector<double>(kStepSizes.begin(), kStepSizes.end()))) {
  for (int hundreds = 1; hundreds <= 5; ++hundreds) {
    responses_[hundreds - 1] =
        &registry.counter("jarip_http_responses_total", "HTTP responses, by class of status.",
                          {{"code", fmt::format("{}xx", hundreds)}});
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
  if (end.n_new_tokens > 1) {
    const std::uint32_t n_gaps = end.n_new_tokens - 1;
    between_tokens_.observe(end.decode_ms / kMsPerSecond / n_gaps, n_gaps);
  }
}

void ApiMetrics::count_response(int status) {
  responses_[std::clamp(status / 100, 1, 5) - 1]->add();
}

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

}  // namespace jarip
