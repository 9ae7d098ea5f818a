#include "app/answer.h"

#include <utility>

namespace jarip {
namespace {

TurnFinish finish_of(FinishReason reason, bool stopped) {
  if (stopped) return TurnFinish::kStop;
  switch (reason) {
    case FinishReason::kEndToken:
      return TurnFinish::kStop;
    case FinishReason::kLength:
      return TurnFinish::kLength;
    case FinishReason::kCancelled:
      return TurnFinish::kCancelled;
    case FinishReason::kFailed:
      return TurnFinish::kFailed;
  }
  return TurnFinish::kFailed;
}

}  // namespace

TokenText text_of(TokenId id, const Tokenizer& tokenizer) {
  if (id >= tokenizer.n_vocab()) return {.bytes = {}, .is_control = true};
  return {.bytes = tokenizer.token_bytes(id), .is_control = tokenizer.is_control(id)};
}

Answer::Answer(AnswerRequest request) : request_(std::move(request)), decoder_(request_.stop) {}

void Answer::take(Event event) {
  if (!request_.echo.empty()) {
    emit({.text = std::exchange(request_.echo, {}), .details = {}});
  }
  if (auto* token = std::get_if<TokenEvent>(&event)) {
    take_token(std::move(*token));
  } else {
    take_end(std::get<EndEvent>(std::move(event)));
  }
}

void Answer::take_token(TokenEvent event) {
  if (decoder_.stopped()) return;
  const TokenText text = request_.text_of(event.token);
  std::optional<TokenDetail> detail;
  if (event.logprob) detail = detail_of(event);
  emit(decoder_.push(text.is_control ? std::string_view() : text.bytes, std::move(detail)));
  if (decoder_.stopped()) cancel_rest();
}

void Answer::take_end(EndEvent event) {
  emit(decoder_.finish());
  TurnEnd end{.finish = finish_of(event.reason, decoder_.stopped()),
              .error = {},
              .n_prompt_tokens = event.n_prompt_tokens,
              .n_cached_tokens = event.n_cached_tokens,
              .n_new_tokens = event.n_new_tokens + (event.end_token ? 1 : 0),
              .seed = request_.seed,
              .queue_ms = event.queue_ms,
              .prefill_ms = event.prefill_ms,
              .decode_ms = event.decode_ms};
  if (end.finish == TurnFinish::kFailed) {
    end.error =
        std::move(event.error)
            .value_or(Error{ErrorCode::kInternal, "the engine failed without saying why", {}});
  }
  request_.sink(std::move(end));
}

void Answer::emit(TextDelta delta) {
  if (delta.text.empty() && delta.details.empty()) return;
  request_.sink(std::move(delta));
}

void Answer::started(SequenceId id) {
  const std::lock_guard lock(mutex_);
  id_ = id;
  if (stopped_) request_.cancel(id);
}

void Answer::cancel_rest() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  if (id_) request_.cancel(*id_);
}

TokenDetail Answer::detail_of(const TokenEvent& event) const {
  const auto choice = [&](TokenId token, float logprob) {
    return TokenDetail::Choice{
        .token = token, .bytes = std::string(request_.text_of(token).bytes), .logprob = logprob};
  };
  TokenDetail detail{.chosen = choice(event.token, *event.logprob), .alternatives = {}};
  for (const TokenLogprob& other : event.alternatives) {
    detail.alternatives.push_back(choice(other.token, other.logprob));
  }
  return detail;
}

}  // namespace jarip
