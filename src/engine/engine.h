// The engine's only door: token ids in, events out. submit(), cancel() and stats() may be called
// from any thread; one thread of the engine's own schedules, computes, samples and emits, and alone
// owns sequences and KV pages.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "grammar/grammar.h"
#include "model/model.h"
#include "model/tokenizer.h"

namespace jarip {

using SequenceId = std::uint64_t;

struct SamplingParams {
  float temperature = 1.0F;         // 0 is greedy
  std::uint32_t top_k = 0;          // 0 is off
  float top_p = 1.0F;               // 1 is off
  float min_p = 0.0F;               // 0 is off
  float repetition_penalty = 1.0F;  // over prompt and answer; 1 is off
  float presence_penalty = 0.0F;    // over the answer
  float frequency_penalty = 0.0F;   // over the answer
  std::vector<std::pair<TokenId, float>> logit_bias = {};
  std::uint64_t seed = 0;
};

// Asked with each token of an answer as it comes, and with none before the first: the token that
// must come next, if one must. A function of what it was asked before; a copy of it shares nothing
// that changes. Never asked by two threads at once.
using ForceToken = std::function<std::optional<TokenId>(std::optional<TokenId> last)>;

struct GenerateRequest {
  std::vector<TokenId> prompt = {};  // not empty; every id < n_vocab
  SamplingParams sampling = {};
  std::uint32_t max_new_tokens = 0;  // at least 1
  // These end the answer; the one that did is in EndEvent, never in a TokenEvent.
  std::vector<TokenId> end_tokens = {};
  bool ignore_end_tokens = false;
  std::optional<std::uint32_t> n_logprobs = {};  // alternatives beside each token, 0 to 20
  // What the answer must match; null: any text. End tokens come exactly where it may end, and where
  // nothing else can follow it ends without one. For a vocabulary as large as the model's.
  std::shared_ptr<const Grammar> grammar = {};
  const Adapter* adapter = nullptr;  // of the model, outliving the engine; null: the model alone
  ForceToken force = {};             // may be empty. What the grammar doesn't allow isn't forced
  // None of the following changes an answer. Names are at most kMaxNameBytes long.
  std::string user = {};          // whose share of the machine this takes
  float user_weight = 1.0F;       // of all shares: 2 is twice as much as 1
  std::int32_t priority = 0;      // among the user's own requests: the lowest goes first
  std::string cache_domain = {};  // prefixes are shared only between requests of the same domain
  std::optional<std::uint32_t> max_queue_ms = {};  // fails with kTimeout when not begun by then
  std::optional<std::uint32_t> timeout_ms = {};    // and when not ended by then
};

struct TokenLogprob {
  TokenId token = 0;
  float logprob = 0;
};

struct TokenEvent {
  TokenId token = 0;
  std::uint32_t index = 0;                      // 0 for the answer's first token
  std::optional<float> logprob = {};            // when asked for: of the unmodified distribution
  std::vector<TokenLogprob> alternatives = {};  // most likely first
};

enum class FinishReason : std::uint8_t {
  kEndToken,   // the model ended its answer, or its grammar had nothing left
  kLength,     // max_new_tokens or the context's end
  kCancelled,  // cancel(), or the engine stopping
  kFailed,     // see EndEvent::error
};

struct EndEvent {
  FinishReason reason = FinishReason::kEndToken;
  std::optional<TokenId> end_token = {};
  std::optional<Error> error = {};
  std::uint32_t n_prompt_tokens = 0;
  std::uint32_t n_cached_tokens = 0;  // of the prompt, computed by other requests
  std::uint32_t n_new_tokens = 0;     // TokenEvents emitted: the end token isn't among them
  double queue_ms = 0;                // submit to first computed
  double prefill_ms = 0;              // first computed to first token
  double decode_ms = 0;               // first token to end
};

using Event = std::variant<TokenEvent, EndEvent>;

// Called on the engine's thread, in order; EndEvent is the last and always comes. Must return
// quickly and not throw; may call cancel().
using EventSink = std::move_only_function<void(Event)>;

inline constexpr std::uint32_t kMaxDraftTokens = 15;
inline constexpr std::size_t kMaxNameBytes = 512;

struct EngineOptions {
  std::uint32_t n_ctx = 0;  // prompt and answer together; 0: the model's, at most 8192
  // Memory for KV pages; 0: enough for two full contexts.
  std::uint64_t kv_bytes = 0;
  // Of models with recurrent layers: memory for what those keep of each sequence that is computed,
  // and of prefixes that are cached; no more sequences are computed at once than it holds. 0: two
  // thirds of kv_bytes, which leaves a third for pages, or twice what the pages take by default.
  std::uint64_t states_bytes = 0;
  std::uint32_t max_sequences = 64;  // computed at once; further ones wait
  std::uint32_t max_queued = 256;    // waiting beyond that: submit() fails with kUnavailable
  // Tokens of one step; long prompts are cut into chunks. Caps max_sequences.
  std::uint32_t max_step_tokens = 256;
  // Tokens guessed from what prompt and answer already say, and checked in one step, where that is
  // likely to be quicker; at most kMaxDraftTokens, 0 is off. Off with recurrent layers, whose state
  // can't go back over a wrong guess. Changes no answer.
  std::uint32_t max_draft_tokens = kMaxDraftTokens;
  // Prefixes are kept and shared (prefix_cache.h). Changes no answer.
  bool prefix_cache = true;
};

// Upper bounds of what EngineStats counts steps by; the last kind has none.
inline constexpr std::array<std::uint32_t, 9> kStepSizes = {1, 2, 4, 8, 16, 32, 64, 128, 256};

// One consistent reading; counters only grow.
struct EngineStats {
  std::uint32_t n_running = 0;
  std::uint32_t n_waiting = 0;  // not started, or parked until pages are free
  std::uint32_t n_pages = 0;
  std::uint32_t n_pages_used = 0;    // by sequences
  std::uint32_t n_pages_cached = 0;  // kept for sequences to come, used or not
  std::uint64_t n_steps = 0;
  std::array<std::uint64_t, kStepSizes.size() + 1> steps_by_size = {};  // by sequences computed
  std::uint64_t sequence_steps = 0;  // sequences computed in all steps
  std::uint64_t parked = 0;          // how often a sequence lost its pages to another
  // Of prompts computed to their end, while prefixes are cached: all their tokens, and those that
  // other requests had computed.
  std::uint64_t prefix_queries = 0;
  std::uint64_t prefix_hits = 0;
  std::uint64_t prompt_tokens = 0;  // of prompts computed to their end
  std::uint64_t new_tokens = 0;
  std::uint64_t draft_tokens = 0;           // guessed and fed
  std::uint64_t accepted_draft_tokens = 0;  // of these, what the sampler then drew as well
  std::uint64_t finished_end = 0;
  std::uint64_t finished_length = 0;
  std::uint64_t finished_cancelled = 0;
  std::uint64_t finished_failed = 0;
};

class Engine {
 public:
  // model and pool outlive the engine and are used by its thread alone.
  // Errors: kInvalidArgument (an option out of range), kUnavailable (no memory for the pages).
  [[nodiscard]] static Result<std::unique_ptr<Engine>> create(Model& model,
                                                              const EngineOptions& options);
  ~Engine();  // cancels what runs, emits every EndEvent, joins
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Errors: kInvalidArgument (naming the field), kContextOverflow (with n_prompt_tokens and n_ctx
  // in the message), kUnavailable (stopping; queue full, with an estimate of when to try again). On
  // error the sink is never called.
  [[nodiscard]] Result<SequenceId> submit(GenerateRequest request, EventSink sink);

  // At most one more token is emitted, none when called by a sink. Unknown and finished ids are
  // ignored.
  void cancel(SequenceId id);

  [[nodiscard]] EngineStats stats() const;
  [[nodiscard]] std::uint32_t n_ctx() const;

 private:
  struct State;
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace jarip
