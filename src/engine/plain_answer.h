// For tests: the answer to a request as the simplest loop computes it, without the engine: the
// whole prompt in one piece, then token after token, alone. What the engine must reproduce.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "base/aligned_buffer.h"
#include "engine/engine.h"
#include "engine/kv_pages.h"
#include "engine/sampler.h"
#include "grammar/matcher.h"

namespace jarip {

struct PlainAnswer {
  std::vector<TokenId> tokens;
  std::vector<float> logprobs;
  FinishReason reason = FinishReason::kLength;
};

// Every token that the matcher takes, tried one by one.
inline std::vector<std::uint64_t> try_all_tokens(const Matcher& matcher, std::uint32_t n_vocab) {
  std::vector<std::uint64_t> allowed((n_vocab + 63) / 64, 0);
  for (TokenId token = 0; token < n_vocab; ++token) {
    Matcher tried = matcher;
    if (tried.take(token)) allowed[token / 64] |= std::uint64_t{1} << (token % 64);
  }
  return allowed;
}

inline PlainAnswer answer_plainly(Model& model, const GenerateRequest& request,
                                  std::uint32_t n_ctx) {
  PlainAnswer answer;
  Sampler sampler(model.config().n_vocab);
  auto pages = KvPages::create(model.kv_page_bytes(), pages_for(n_ctx));
  const auto state = AlignedBuffer::allocate(model.state_bytes());
  KvMemory memory = pages->memory();
  memory.states = state->data();
  memory.state_bytes = model.state_bytes();
  PageTable table;
  std::vector<TokenId> tokens = request.prompt;
  std::vector<float> logits(model.config().n_vocab);
  std::uint32_t n_computed = 0;
  std::optional<Matcher> matcher;
  std::vector<std::uint64_t> allowed;
  if (request.grammar) {
    matcher.emplace(request.grammar, request.ignore_end_tokens ? std::span<const TokenId>()
                                                               : std::span(request.end_tokens));
  }
  ForceToken force = request.force;
  std::optional<TokenId> forced = force ? force({}) : std::nullopt;
  while (tokens.size() < n_ctx && answer.tokens.size() < request.max_new_tokens) {
    if (matcher && matcher->must_end()) {
      answer.reason = FinishReason::kEndToken;
      return answer;
    }
    allowed.clear();
    if (matcher) allowed = try_all_tokens(*matcher, model.config().n_vocab);
    const auto is_allowed = [&](TokenId token) {
      return allowed.empty() || (allowed[token / 64] >> (token % 64) & 1U) != 0;
    };
    if (forced && is_allowed(*forced)) {
      allowed.assign((model.config().n_vocab + 63) / 64, 0);
      allowed[*forced / 64] = std::uint64_t{1} << (*forced % 64);
    }
    if (!pages->grow(table, static_cast<std::uint32_t>(tokens.size()))) break;
    const SequenceChunk chunk = {.tokens = std::span(tokens).subspan(n_computed),
                                 .position = n_computed,
                                 .pages = table,
                                 .n_logits = 1,
                                 .adapter = request.adapter};
    model.step({&chunk, 1}, memory, logits);
    n_computed = static_cast<std::uint32_t>(tokens.size());
    const auto sampled =
        sampler.sample({.logits = logits,
                        .tokens = tokens,
                        .n_prompt = static_cast<std::uint32_t>(request.prompt.size()),
                        .n_logprobs = request.n_logprobs,
                        .allowed = allowed},
                       request.sampling);
    if (!sampled) {
      answer.reason = FinishReason::kFailed;
      break;
    }
    if (!request.ignore_end_tokens &&
        std::ranges::find(request.end_tokens, sampled->token) != request.end_tokens.end()) {
      answer.reason = FinishReason::kEndToken;
      break;
    }
    if (matcher && !matcher->take(sampled->token)) break;
    tokens.push_back(sampled->token);
    answer.tokens.push_back(sampled->token);
    if (force) forced = force(sampled->token);
    if (const auto& logprob = sampled->logprob) answer.logprobs.push_back(*logprob);
  }
  if (matcher && matcher->must_end()) answer.reason = FinishReason::kEndToken;
  return answer;
}

// Gathers one request's events and lets a test wait for the last. Outlives the engine.
class EventLog {
 public:
  EventSink sink(std::function<void(const Event&)> also = {}) {
    return [this, also = std::move(also)](const Event& event) {
      if (also) also(event);
      const std::lock_guard lock(mutex_);
      if (end_) ++n_late_;
      if (const auto* token = std::get_if<TokenEvent>(&event)) {
        if (token->index != tokens_.size()) ++n_late_;
        tokens_.push_back(token->token);
        if (token->logprob) logprobs_.push_back(*token->logprob);
      } else {
        end_ = std::get<EndEvent>(event);
        ended_.notify_all();
      }
    };
  }

  const EndEvent& wait() {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return end_.has_value(); });
    return end_.value();  // NOLINT(bugprone-unchecked-optional-access): waited for
  }

  [[nodiscard]] bool ended() const {
    const std::lock_guard lock(mutex_);
    return end_.has_value();
  }
  // To be read after wait().
  [[nodiscard]] const std::vector<TokenId>& tokens() const { return tokens_; }
  [[nodiscard]] const std::vector<float>& logprobs() const { return logprobs_; }
  [[nodiscard]] int n_misplaced() const { return n_late_; }  // out of order, or after the end

 private:
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::vector<TokenId> tokens_;
  std::vector<float> logprobs_;
  std::optional<EndEvent> end_;
  int n_late_ = 0;
};

}  // namespace jarip
