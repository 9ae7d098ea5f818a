#include "engine/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "engine/kv_pages.h"
#include "engine/sampler.h"

namespace jarip {
namespace {

constexpr std::uint32_t kDefaultContextCap = 8192;  // a longer one is taken only when asked for
constexpr std::uint32_t kMaxSequences = 4096;
// Memory for the states of recurrent layers, where nobody names one, for each byte for pages.
constexpr std::uint64_t kStatesPerPages = 2;
constexpr std::uint32_t kLeastStates = 2;  // one that is computed, and a checkpoint
constexpr std::uint32_t kMaxQueued = 65536;
constexpr std::uint32_t kMaxStepTokens = 65536;
constexpr std::uint64_t kMaxPages = 1U << 22U;
constexpr std::uint32_t kMaxLogprobs = 20;
// How much longer a product of attention takes than one with weights of few bits: the default model
// reads 512 tokens at 3,600 a second and 8,192 at 880 (docs/performance.md).
constexpr double kAttentionSlowness = 2.4;

// Refuses NaN too.
template <class T>
Result<void> check_range(std::string_view name, T value, T least, T most) {
  if (value >= least && value <= most) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{} is {}; it must lie between {} and {}", name, value, least, most),
              std::string(name));
}

Result<void> check_token(std::string_view name, TokenId token, std::uint32_t n_vocab) {
  if (token < n_vocab) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{} holds token {}, and the model has {} tokens", name, token, n_vocab),
              std::string(name));
}

// parts: of the memory, of which pages get one.
Result<std::uint32_t> work_out_pages(std::uint64_t kv_bytes, std::uint64_t parts,
                                     std::uint32_t n_ctx, std::size_t page_bytes) {
  const std::uint64_t one_context = pages_for(n_ctx);
  const std::uint64_t n_pages = kv_bytes == 0 ? 2 * one_context : kv_bytes / parts / page_bytes;
  if (n_pages < one_context) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("kv_bytes is {}; a context of {} tokens needs {} bytes", kv_bytes,
                            n_ctx, one_context * page_bytes * parts),
                "kv_bytes");
  }
  if (n_pages > kMaxPages) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("kv_bytes is {}; the most is {} pages of {} bytes", kv_bytes, kMaxPages,
                            page_bytes),
                "kv_bytes");
  }
  return static_cast<std::uint32_t>(n_pages);
}

// As many states as sequences can run, and a checkpoint for each page: as far as their memory goes.
Result<std::uint32_t> work_out_states(std::uint64_t wanted_bytes, std::uint64_t kv_bytes,
                                      std::uint64_t n_most, std::size_t state_bytes) {
  if (state_bytes == 0) return 0;
  const std::uint64_t n_bytes = wanted_bytes == 0 ? kStatesPerPages * kv_bytes : wanted_bytes;
  if (wanted_bytes != 0 && n_bytes < state_bytes) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("states_bytes is {}; a sequence needs {} bytes", n_bytes, state_bytes),
                "states_bytes");
  }
  return static_cast<std::uint32_t>(
      std::min(std::max(n_bytes / state_bytes, std::uint64_t{kLeastStates}), n_most));
}

// How many tokens before a token make its attention take as long as its products with weights.
std::uint32_t work_out_attention_depth(const ModelConfig& config) {
  const double query_dim = static_cast<double>(config.n_heads) * config.head_dim;
  const double kv_dim = static_cast<double>(config.n_kv_heads) * config.head_dim;
  const double n_layers = std::max(config.n_layers, 1U);
  const double with_attention = (n_layers - config.n_recurrent_layers) / n_layers;
  const double products = config.d_model * (2 * query_dim + 2 * kv_dim + 3.0 * config.d_ff);
  if (query_dim == 0) return 0;
  return static_cast<std::uint32_t>(
      std::clamp(products / (2 * query_dim * kAttentionSlowness * with_attention), 1.0, 1e9));
}

Result<void> check_name(std::string_view field, std::string_view name) {
  if (name.size() <= kMaxNameBytes) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{} has {} bytes; the most is {}", field, name.size(), kMaxNameBytes),
              std::string(field));
}

Result<void> check_sampling(const SamplingParams& sampling, std::uint32_t n_vocab) {
  JARIP_CHECK(check_range("temperature", sampling.temperature, 0.0F, 100.0F));
  JARIP_CHECK(check_range("top_p", sampling.top_p, 0.0F, 1.0F));
  JARIP_CHECK(check_range("min_p", sampling.min_p, 0.0F, 1.0F));
  JARIP_CHECK(check_range("repetition_penalty", sampling.repetition_penalty, 0.01F, 100.0F));
  JARIP_CHECK(check_range("presence_penalty", sampling.presence_penalty, -100.0F, 100.0F));
  JARIP_CHECK(check_range("frequency_penalty", sampling.frequency_penalty, -100.0F, 100.0F));
  for (const auto& [token, bias] : sampling.logit_bias) {
    JARIP_CHECK(check_token("logit_bias", token, n_vocab));
    JARIP_CHECK(check_range("logit_bias", bias, -1000.0F, 1000.0F));
  }
  return {};
}

}  // namespace

Result<EngineLimits> work_out_limits(const EngineOptions& options, const ModelConfig& config,
                                     std::size_t page_bytes, std::size_t state_bytes) {
  if (config.n_vocab == 0 || config.n_vocab > Sampler::kMaxVocab) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("the model has {} tokens; from 1 to {} can be sampled", config.n_vocab,
                            Sampler::kMaxVocab));
  }
  JARIP_CHECK(check_range("max_sequences", options.max_sequences, 1U, kMaxSequences));
  JARIP_CHECK(check_range("max_queued", options.max_queued, 0U, kMaxQueued));
  JARIP_CHECK(check_range("max_step_tokens", options.max_step_tokens, 1U, kMaxStepTokens));
  JARIP_CHECK(check_range("max_draft_tokens", options.max_draft_tokens, 0U, kMaxDraftTokens));
  const std::uint32_t n_ctx =
      options.n_ctx == 0 ? std::min(config.n_ctx_train, kDefaultContextCap) : options.n_ctx;
  JARIP_CHECK(check_range("n_ctx", n_ctx, 2U, config.n_ctx_train));
  const bool shared = state_bytes != 0 && options.states_bytes == 0;
  JARIP_TRY(const std::uint32_t n_pages,
            work_out_pages(options.kv_bytes, shared ? 1 + kStatesPerPages : 1, n_ctx, page_bytes));
  std::uint32_t max_sequences = std::min(options.max_sequences, options.max_step_tokens);
  JARIP_TRY(const std::uint32_t n_states,
            work_out_states(options.states_bytes, std::uint64_t{n_pages} * page_bytes,
                            std::uint64_t{max_sequences} + n_pages, state_bytes));
  if (n_states != 0) max_sequences = std::min(max_sequences, n_states);
  return EngineLimits{.n_vocab = config.n_vocab,
                      .n_ctx = n_ctx,
                      .n_pages = n_pages,
                      .n_states = n_states,
                      .max_sequences = max_sequences,
                      .max_unfinished = max_sequences + options.max_queued,
                      .max_step_tokens = options.max_step_tokens,
                      // A state can't go back over a guess that was wrong.
                      .max_draft_tokens = n_states == 0 ? options.max_draft_tokens : 0,
                      .attention_depth = work_out_attention_depth(config),
                      .prefix_cache = options.prefix_cache};
}

Result<void> check_request(const GenerateRequest& request, const EngineLimits& limits) {
  if (request.prompt.empty()) {
    return fail(ErrorCode::kInvalidArgument, "the prompt has no tokens", "prompt");
  }
  if (request.prompt.size() >= limits.n_ctx) {
    return fail(ErrorCode::kContextOverflow,
                fmt::format("the prompt has {} tokens and the context holds {}, with at least one "
                            "of them for the answer",
                            request.prompt.size(), limits.n_ctx),
                "prompt");
  }
  for (const TokenId token : request.prompt) {
    JARIP_CHECK(check_token("prompt", token, limits.n_vocab));
  }
  for (const TokenId token : request.end_tokens) {
    JARIP_CHECK(check_token("end_tokens", token, limits.n_vocab));
  }
  if (request.max_new_tokens == 0) {
    return fail(ErrorCode::kInvalidArgument, "max_new_tokens is 0; it must be at least 1",
                "max_new_tokens");
  }
  if (request.n_logprobs) {
    JARIP_CHECK(check_range("n_logprobs", *request.n_logprobs, 0U, kMaxLogprobs));
  }
  if (request.grammar && request.grammar->trie().n_vocab() != limits.n_vocab) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the grammar is for {} tokens and the model has {}",
                            request.grammar->trie().n_vocab(), limits.n_vocab),
                "grammar");
  }
  JARIP_CHECK(check_name("user", request.user));
  JARIP_CHECK(check_name("cache_domain", request.cache_domain));
  JARIP_CHECK(check_range("user_weight", request.user_weight, 0.001F, 1000.0F));
  return check_sampling(request.sampling, limits.n_vocab);
}

}  // namespace jarip
