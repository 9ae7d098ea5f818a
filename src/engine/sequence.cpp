#include "engine/sequence.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace jarip {
namespace {

double milliseconds(Sequence::Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

Sequence::Sequence(SequenceId id, GenerateRequest request, EventSink sink,
                   Clock::time_point submitted, std::uint32_t n_ctx, std::uint32_t max_drafts)
    : id_(id),
      request_(std::move(request)),
      sink_(std::move(sink)),
      tokens_(std::move(request_.prompt)),
      n_prompt_(static_cast<std::uint32_t>(tokens_.size())),
      n_most_(n_prompt_ + std::min(request_.max_new_tokens, n_ctx - n_prompt_)),
      max_drafts_(std::min(max_drafts, n_most_ - n_prompt_ - 1)),
      submitted_(submitted) {
  std::sort(request_.end_tokens.begin(), request_.end_tokens.end());
  if (request_.ignore_end_tokens) request_.end_tokens.clear();
  if (request_.grammar) matcher_.emplace(std::move(request_.grammar), request_.end_tokens);
  if (request_.force) forced_ = request_.force({});
}

void Sequence::start(Clock::time_point now) {
  if (started_) return;
  started_ = now;
  // All that the answer can take, so that no later step allocates.
  tokens_.reserve(n_most_);
  pages.reserve(pages_for(n_most_));
  if (max_drafts_ > 0) lookup_.begin(tokens_, n_most_);
}

void Sequence::skip_page(std::uint32_t page) {
  n_kept = page + 1;
  n_computed_ = n_kept * kKvPageTokens;
  const std::uint32_t end = std::min(n_computed_, n_prompt_);
  const std::uint32_t begin = std::max(n_reached_, page * kKvPageTokens);
  if (begin < end) n_cached_ += end - begin;
  n_reached_ = std::max(n_reached_, end);
}

std::uint32_t Sequence::advance(std::uint32_t n_fed) {
  n_computed_ += n_fed;
  const std::uint32_t reached = std::max(n_reached_, std::min(n_computed_, n_prompt_));
  return reached - std::exchange(n_reached_, reached);
}

std::optional<Error> Sequence::overdue(Clock::time_point now) const {
  const auto waited = now - submitted_;
  if (request_.timeout_ms && waited >= std::chrono::milliseconds(*request_.timeout_ms)) {
    return Error{
        ErrorCode::kTimeout,
        fmt::format("the answer was not done within its timeout of {} ms", *request_.timeout_ms),
        "timeout"};
  }
  if (!started_ && request_.max_queue_ms &&
      waited >= std::chrono::milliseconds(*request_.max_queue_ms)) {
    return Error{ErrorCode::kTimeout,
                 fmt::format("the request waited longer than its max_queue_ms of {}; try again "
                             "later, or allow more",
                             *request_.max_queue_ms),
                 "max_queue_ms"};
  }
  return std::nullopt;
}

std::span<const float> Sequence::draft_chances() {
  if (max_drafts_ == 0 || n_computed_ + 1 != n_tokens()) return {};
  // Each of them may be right, and one more token comes after the last.
  return lookup_.chances(std::min(max_drafts_, n_most_ - n_tokens() - 1));
}

SequenceChunk Sequence::next_chunk(std::uint32_t n_tokens, std::uint32_t n_drafts) {
  SequenceChunk chunk{.tokens = std::span(tokens_).subspan(n_computed_, n_tokens),
                      .position = n_computed_,
                      .pages = pages,
                      .n_logits = n_computed_ + n_tokens == tokens_.size() ? 1U : 0U,
                      .adapter = request_.adapter};
  if (n_drafts > 0) {
    const std::span fed = std::span(fed_).first(1 + n_drafts);
    fed[0] = tokens_.back();
    lookup_.guess(tokens_, fed.subspan(1));
    chunk.tokens = fed;
    chunk.n_logits = 1 + n_drafts;
  }
  return chunk;
}

Result<SampleRequest> Sequence::sample_request(std::span<const float> logits) {
  SampleRequest request{.logits = logits,
                        .tokens = tokens_,
                        .n_prompt = n_prompt_,
                        .n_logprobs = request_.n_logprobs};
  if (matcher_) {
    JARIP_TRY(request.allowed, matcher_->mask());
  }
  if (forced_) force_token(request);
  return request;
}

void Sequence::force_token(SampleRequest& request) {
  if (*forced_ >= request.logits.size()) return;
  const std::size_t word = *forced_ / 64;
  const std::uint64_t bit = std::uint64_t{1} << (*forced_ % 64);
  if (!request.allowed.empty() && (request.allowed[word] & bit) == 0) return;
  only_forced_.assign((request.logits.size() + 63) / 64, 0);
  only_forced_[word] = bit;
  request.allowed = only_forced_;
}

bool Sequence::is_end_token(TokenId token) const {
  return std::binary_search(request_.end_tokens.begin(), request_.end_tokens.end(), token);
}

Result<std::optional<FinishReason>> Sequence::take(SampledToken sampled, Clock::time_point now) {
  if (!first_token_) first_token_ = now;
  if (is_end_token(sampled.token)) {
    end_token_ = sampled.token;
    return FinishReason::kEndToken;
  }
  if (matcher_ && !matcher_->take(sampled.token)) {
    return fail(ErrorCode::kUnsupported,
                "the grammar is too ambiguous here: its readings are too many to follow");
  }
  tokens_.push_back(sampled.token);
  if (request_.force) forced_ = request_.force(sampled.token);
  if (max_drafts_ > 0) lookup_.append(tokens_);
  const bool full = tokens_.size() == n_most_;
  sink_(TokenEvent{.token = sampled.token,
                   .index = n_new() - 1,
                   .logprob = sampled.logprob,
                   .alternatives = std::move(sampled.alternatives)});
  if (is_complete()) return FinishReason::kEndToken;
  return full ? std::optional(FinishReason::kLength) : std::nullopt;
}

void Sequence::end(FinishReason reason, std::optional<Error> error, Clock::time_point now) {
  const Clock::time_point started = started_.value_or(now);
  const Clock::time_point first_token = first_token_.value_or(now);
  sink_(EndEvent{.reason = reason,
                 .end_token = end_token_,
                 .error = std::move(error),
                 .n_prompt_tokens = n_prompt_,
                 .n_cached_tokens = n_cached_,
                 .n_new_tokens = n_new(),
                 .queue_ms = milliseconds(started - submitted_),
                 .prefill_ms = milliseconds(first_token - started),
                 .decode_ms = milliseconds(now - first_token)});
}

}  // namespace jarip
