// One answer on its way up: the engine's events in, the turn's events out. Shared by the engine's
// thread, which brings events, and the thread that submitted, which learns the sequence's id late.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/answer_decoder.h"
#include "app/answer_splitter.h"
#include "app/reasoning_meter.h"
#include "app/turn.h"
#include "engine/engine.h"

namespace jarip {

struct TokenText {
  std::string_view bytes;
  bool is_control = false;  // bytes are then its name, and no text of the answer
};

// A model may have more rows than its tokenizer has names; such a token is no text.
[[nodiscard]] TokenText text_of(TokenId id, const Tokenizer& tokenizer);

[[nodiscard]] double steady_ms();

struct AnswerRequest {
  std::vector<std::string> stop;
  std::uint32_t min_indent = 0;
  std::optional<double> line_time_ms = {};
  std::string echo;                        // comes first, as it is
  std::optional<SplitOptions> split = {};  // absent: all is text
  std::uint64_t call_id_key = 0;           // what the ids of calls are made of
  std::uint64_t seed = 0;
  std::function<TokenText(TokenId)> text_of;
  std::function<void(SequenceId)> cancel;  // called once, when the answer ends by its text
  TurnSink sink;
  std::function<double()> now_ms = steady_ms;  // of a clock that only goes forward
};

class Answer {
 public:
  explicit Answer(AnswerRequest request);

  // On the engine's thread, in order.
  void take(Event event);

  // On any thread, once: the id under which the sequence can be cancelled. The first events may
  // already have come.
  void started(SequenceId id);

 private:
  void take_token(TokenEvent event);
  void take_end(EndEvent event);
  void emit(TextDelta delta);
  void emit(std::vector<AnswerPart> parts, std::vector<TokenDetail> details);
  void cancel_rest();
  [[nodiscard]] bool is_late(std::string_view text);
  [[nodiscard]] TokenDetail detail_of(const TokenEvent& event) const;

  AnswerRequest request_;
  AnswerDecoder decoder_;
  std::optional<AnswerSplitter> splitter_;
  std::optional<ReasoningMeter> meter_;
  std::optional<double> first_token_ms_;
  bool cut_by_time_ = false;

  std::mutex mutex_;  // guards the two below
  std::optional<SequenceId> id_;
  bool stopped_ = false;
};

}  // namespace jarip
