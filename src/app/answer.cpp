#include "app/answer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "app/call_ids.h"

namespace jarip {
namespace {

TurnFinish finish_of(FinishReason reason) {
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

double steady_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(now).count();
}

Answer::Answer(AnswerRequest request)
    : request_(std::move(request)), decoder_(request_.stop, request_.min_indent) {
  if (!request_.split) return;
  if (request_.split->reasoning) {
    meter_.emplace(*request_.split->reasoning, request_.split->begins_in_reasoning);
  }
  splitter_.emplace(*std::move(request_.split));
}

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
  if (decoder_.stopped() || cut_by_time_) return;
  const TokenText text = request_.text_of(event.token);
  const std::string_view bytes = text.is_control ? std::string_view() : text.bytes;
  if (meter_) meter_->take(bytes);
  std::optional<TokenDetail> detail;
  if (event.logprob) detail = detail_of(event);
  TextDelta delta = decoder_.push(bytes, std::move(detail));
  cut_by_time_ = is_late(delta.text);
  emit(std::move(delta));
  if (decoder_.stopped() || cut_by_time_) cancel_rest();
}

bool Answer::is_late(std::string_view text) {
  if (!request_.line_time_ms) return false;
  const double now = request_.now_ms();
  if (!first_token_ms_) first_token_ms_ = now;
  return text.contains('\n') && now - *first_token_ms_ > *request_.line_time_ms;
}

void Answer::take_end(EndEvent event) {
  emit(decoder_.finish());
  if (splitter_) emit(splitter_->finish(), {});
  // What ended the answer by its text is why, whatever the engine says of its being cancelled.
  const TurnFinish finish = decoder_.stop()                      ? TurnFinish::kStop
                            : decoder_.stopped() || cut_by_time_ ? TurnFinish::kLength
                                                                 : finish_of(event.reason);
  TurnEnd end{.finish = finish,
              .error = {},
              .stop = decoder_.stop(),
              .n_prompt_tokens = event.n_prompt_tokens,
              .n_cached_tokens = event.n_cached_tokens,
              .n_new_tokens = event.n_new_tokens + (event.end_token ? 1 : 0),
              .n_reasoning_tokens = meter_ ? meter_->n_tokens() : 0,
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
  if (splitter_) {
    emit(splitter_->push(delta.text), std::move(delta.details));
  } else if (!delta.text.empty() || !delta.details.empty()) {
    request_.sink(std::move(delta));
  }
}

// Details go with the text, or ahead of what isn't text.
void Answer::emit(std::vector<AnswerPart> parts, std::vector<TokenDetail> details) {
  const bool has_text = std::ranges::any_of(
      parts, [](const AnswerPart& part) { return std::holds_alternative<ContentPart>(part); });
  if (!has_text && !details.empty()) request_.sink(TextDelta{{}, std::exchange(details, {})});
  for (AnswerPart& part : parts) {
    if (auto* content = std::get_if<ContentPart>(&part)) {
      request_.sink(TextDelta{std::move(content->text), std::exchange(details, {})});
    } else if (auto* thought = std::get_if<ReasoningPart>(&part)) {
      request_.sink(ReasoningDelta{std::move(thought->text)});
    } else {
      auto& call = std::get<CallPart>(part);
      std::string id = call.name.empty() ? "" : call_id(request_.call_id_key, call.index);
      request_.sink(
          CallDelta{call.index, std::move(id), std::move(call.name), std::move(call.arguments)});
    }
  }
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
