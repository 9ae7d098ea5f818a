// How the answers to one request are written in its dialect, whole or as a stream of events. A
// writer belongs to one request and is used on the network thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/answerer.h"
#include "app/turn.h"
#include "base/result.h"
#include "net/sse.h"

namespace jarip {

struct WholeAnswer {
  std::string text;
  std::vector<TokenDetail> details;
  TurnEnd end;
  std::string reasoning = {};
  std::vector<ToolCall> calls = {};
};

class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;

  // The answers run; before anything else.
  virtual void set_started(const StartedTurn& /*started*/) {}

  // For a stream. Each appends whole server-sent events; choices are numbered from 0.
  virtual void append_begin(std::string& /*out*/) {}
  virtual void append_ping(std::string& out) { out += kSsePing; }
  virtual void append_delta(std::string& out, std::uint32_t choice, const TextDelta& delta) = 0;
  // Of answers to messages only.
  virtual void append_reasoning(std::string& /*out*/, std::uint32_t /*choice*/,
                                const ReasoningDelta& /*delta*/) {}
  virtual void append_call(std::string& /*out*/, std::uint32_t /*choice*/,
                           const CallDelta& /*delta*/) {}
  virtual void append_end(std::string& out, std::uint32_t choice, const TurnEnd& end) = 0;
  // Every choice has ended.
  virtual void append_finish(std::string& /*out*/) {}
  // The stream ends with this; nothing else follows.
  virtual void append_error(std::string& out, const Error& error) = 0;

  // The body of an answer that isn't streamed, all choices in order.
  [[nodiscard]] virtual std::string whole(const std::vector<WholeAnswer>& answers) = 0;
};

// What a dialect makes of a request.
struct AnswerPlan {
  Turn turn;
  std::vector<TurnInput> more_prompts = {};  // after the turn's own; the rest holds for them too
  std::uint32_t n_choices = 1;               // of each prompt; numbered prompt by prompt
  bool is_stream = false;
  std::unique_ptr<AnswerWriter> writer;
};

// A dialect's way from a body to a plan. Runs on a worker.
using PlanAnswer = Result<AnswerPlan> (*)(std::string_view body, const ModelCard& card);

// An answer that ended in failure, or was cut off by the server; nullopt for every other one.
[[nodiscard]] std::optional<Error> failure_of(const TurnEnd& end);

}  // namespace jarip
