// One request's life inside the engine: its tokens, how far they are computed, its pages and its
// events. Owned by the engine; its thread alone touches it.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/engine.h"
#include "engine/kv_pages.h"
#include "engine/prefix_cache.h"
#include "engine/prompt_lookup.h"
#include "engine/sampler.h"
#include "grammar/matcher.h"

namespace jarip {

class Sequence {
 public:
  using Clock = std::chrono::steady_clock;

  // request is valid, its prompt shorter than n_ctx; max_drafts <= kMaxDraftTokens.
  Sequence(SequenceId id, GenerateRequest request, EventSink sink, Clock::time_point submitted,
           std::uint32_t n_ctx, std::uint32_t max_drafts);

  [[nodiscard]] SequenceId id() const { return id_; }
  [[nodiscard]] const SamplingParams& sampling() const { return request_.sampling; }
  [[nodiscard]] std::uint32_t n_tokens() const {
    return static_cast<std::uint32_t>(tokens_.size());
  }
  [[nodiscard]] std::uint32_t n_computed() const { return n_computed_; }
  [[nodiscard]] std::uint32_t n_prompt() const { return n_prompt_; }
  [[nodiscard]] std::uint32_t n_new() const { return n_tokens() - n_prompt_; }
  [[nodiscard]] std::uint32_t n_cached() const { return n_cached_; }
  [[nodiscard]] std::int32_t priority() const { return request_.priority; }
  [[nodiscard]] std::span<const TokenId> tokens() const { return tokens_; }
  // The last token is computed in any case: its logits are wanted.
  [[nodiscard]] std::span<const TokenId> tokens_but_last() const {
    return std::span(tokens_).first(tokens_.size() - 1);
  }
  [[nodiscard]] std::span<const TokenId, kKvPageTokens> page_tokens(std::uint32_t page) const {
    return std::span(tokens_).subspan(std::size_t{page} * kKvPageTokens).first<kKvPageTokens>();
  }

  PageTable pages;
  std::uint32_t n_kept = 0;  // the first pages: those that the prefix cache keeps
  CacheDomain domain = 0;
  // Of models with recurrent layers: the own state, while running; copies that the step makes of it
  // for others, on from a position; and the page whose checkpoint moves on with the answer.
  std::optional<StateId> state;
  std::vector<StateCopy> copies;
  std::uint32_t copies_from = 0;
  std::optional<PageId> moving_checkpoint;
  std::uint32_t n_known = 0;  // pages that others had when this one last waited, usable or not
  std::uint32_t user = 0;     // of FairShare, as is wanting: it has a prompt to compute
  bool wanting = true;
  bool running = false;

  // The page that holds the next token to compute, when one like it could take its place: all its
  // tokens are known and there is one behind them, whose logits are still to come.
  [[nodiscard]] std::optional<std::uint32_t> next_whole_page() const {
    const std::uint32_t page = n_computed_ / kKvPageTokens;
    return (page + 1) * kKvPageTokens < n_tokens() ? std::optional(page) : std::nullopt;
  }
  // Others have computed all that this page holds.
  void skip_page(std::uint32_t page);

  // Why this request may wait or be computed no longer, if so.
  [[nodiscard]] std::optional<Error> overdue(Clock::time_point now) const;

  // Marks the start of computation, at the first call.
  void start(Clock::time_point now);
  // How likely the next 1, 2, … tokens can be guessed, all of them rightly. As many as may be fed
  // together with the one token that is not computed; empty while there are more of these.
  [[nodiscard]] std::span<const float> draft_chances();
  // The next n_tokens tokens to compute and behind them n_drafts guessed ones, with logits wanted
  // after the last known token and each guess; pages cover them. Valid until the next call.
  [[nodiscard]] SequenceChunk next_chunk(std::uint32_t n_tokens, std::uint32_t n_drafts);
  // Counts what was fed as computed. How many tokens of the prompt nobody had computed before.
  std::uint32_t advance(std::uint32_t n_fed);
  // Forgets what was computed of guesses that were wrong.
  void drop_drafts() { n_computed_ = std::min(n_computed_, n_tokens() - 1); }
  // Forgets what was computed; the pages are gone.
  void rewind() { n_computed_ = n_kept = 0; }

  // Nothing more can follow: the answer is at its end before a token is drawn.
  [[nodiscard]] bool is_complete() const { return matcher_ && matcher_->must_end(); }
  // Errors: kUnsupported, where the grammar allows no token.
  [[nodiscard]] Result<SampleRequest> sample_request(std::span<const float> logits);

  [[nodiscard]] bool is_end_token(TokenId token) const;

  // Takes the sampled token into the answer and emits it, unless it is an end token. The reason
  // when that ends the answer. Errors: kUnsupported, where the grammar has too many readings to
  // follow.
  [[nodiscard]] Result<std::optional<FinishReason>> take(SampledToken sampled,
                                                         Clock::time_point now);

  [[nodiscard]] double seconds_computed(Clock::time_point now) const {
    return std::chrono::duration<double>(now - started_.value_or(now)).count();
  }

  // Emits the last event.
  void end(FinishReason reason, std::optional<Error> error, Clock::time_point now);

 private:
  void force_token(SampleRequest& request);

  SequenceId id_;
  GenerateRequest request_;  // without the prompt, which is in tokens_
  EventSink sink_;
  std::vector<TokenId> tokens_;  // prompt and answer
  std::uint32_t n_prompt_;
  std::uint32_t n_most_;  // tokens_ never grows beyond
  std::uint32_t n_computed_ = 0;
  std::uint32_t n_reached_ = 0;  // of the prompt, the most that n_computed_ ever was
  std::uint32_t n_cached_ = 0;   // of the prompt, what others computed
  std::uint32_t max_drafts_;
  PromptLookup lookup_;                                // begun only when max_drafts_ > 0
  std::array<TokenId, kMaxDraftTokens + 1> fed_ = {};  // the last token and guesses behind it
  std::optional<TokenId> end_token_;
  std::optional<Matcher> matcher_;          // has taken the answer's tokens
  std::optional<TokenId> forced_;           // what must come next
  std::vector<std::uint64_t> only_forced_;  // a mask of it
  Clock::time_point submitted_;
  std::optional<Clock::time_point> started_;
  std::optional<Clock::time_point> first_token_;
};

}  // namespace jarip
