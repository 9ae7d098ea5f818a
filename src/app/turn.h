// One neutral request and the events of its answer, whatever dialect it came in. Values, moved
// from layer to layer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "grammar/grammar.h"
#include "model/tokenizer.h"

namespace jarip {

enum class Role : std::uint8_t { kSystem, kUser, kAssistant, kTool };

// A function that the model asks the caller to run.
struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;  // a JSON object
};

struct Message {
  Role role = Role::kUser;
  std::string content;               // UTF-8
  std::string reasoning = {};        // an assistant's, before its content
  std::vector<ToolCall> calls = {};  // an assistant's, after its content
  std::string call_id = {};          // of kTool: the call that this is the result of
};

// A function that the caller offers.
struct Tool {
  std::string name;
  std::string description;
  std::string parameters;  // a JSON schema of objects
  bool is_strict = false;  // calls match the schema whatever the choice is
  std::string field;       // where the request has the schema
};

struct ToolChoice {
  enum class Kind : std::uint8_t { kNone, kAuto, kRequired, kNamed };
  Kind kind = Kind::kAuto;
  std::string name = {};                  // of kNamed
  bool is_parallel = true;                // one answer may have several calls
  std::vector<std::string> allowed = {};  // calls of these only; empty: of any

  [[nodiscard]] bool allows(const std::string& function) const {
    return allowed.empty() || std::ranges::find(allowed, function) != allowed.end();
  }
};

// How much a model that reasons may.
struct Thinking {
  std::optional<bool> wanted;               // absent: as the template does by itself
  std::optional<std::uint32_t> max_tokens;  // of reasoning, which is closed then
  std::string effort;                       // a word for the template; empty: none
  std::string field;                        // where the request says so
  std::string budget_field = {};            // where it says max_tokens
};

// A variable of the chat template that the request sets.
struct TemplateVariable {
  std::string name;
  std::string json;   // its value
  std::string field;  // where the request has it
};

// What the answer must match, and the request's field that says so.
struct AnswerForm {
  GrammarSource source;
  std::string field;
};

inline constexpr std::size_t kMaxUserBytes = 256;

// What stands before and after a gap that the answer fills.
struct Infill {
  struct File {
    std::string name;
    std::string text;
  };
  std::vector<File> files;  // other files, for context
  std::string prefix;
  std::string suffix;
  std::string begun;  // how the gap's text begins already
};

// Messages go through the chat template; text and token ids go in as they are.
using TurnInput = std::variant<std::vector<Message>, std::string, std::vector<TokenId>, Infill>;

struct Turn {
  // Who asks: answers of one owner may share what they compute, and the machine is shared between
  // owners by weight. 0: nobody, where no keys are needed.
  std::uint64_t owner = 0;
  std::uint32_t weight = 1;
  std::string model;  // as the caller named it; empty: the only one loaded
  TurnInput input;
  bool continues_last = false;  // the answer goes on where the last message, an assistant's, ends
  std::vector<Tool> tools;
  ToolChoice tool_choice;
  Thinking thinking;
  std::vector<TemplateVariable> variables;
  bool separates = false;  // of messages: reasoning and calls come apart from the text
  SamplingParams sampling;
  std::optional<std::uint64_t> seed;            // absent: one is drawn, and reported in TurnEnd
  std::optional<std::uint32_t> max_new_tokens;  // absent: whatever the context leaves
  std::vector<std::string> stop;                // the answer ends before the first of these
  std::uint32_t min_indent = 0;                 // ends before a line indented by fewer blanks
  std::optional<double> line_time_ms;           // past this, the answer ends with its line
  std::optional<std::uint32_t> n_logprobs;      // 0 to 20 alternatives beside each token
  bool echo = false;  // of text and token input: the answer begins with the prompt's text
  bool ignore_end_tokens = false;
  std::optional<AnswerForm> form = {};  // absent: any text
  // None of these changes an answer; as in GenerateRequest.
  std::string user;  // at most kMaxUserBytes; whose share of the machine it takes without an owner
  std::int32_t priority = 0;
  std::optional<std::uint32_t> max_queue_ms;
  std::optional<std::uint32_t> timeout_ms;
};

// One token's part in a delta, when logprobs were asked for.
struct TokenDetail {
  struct Choice {
    TokenId token = 0;
    std::string bytes;
    float logprob = 0;
  };
  Choice chosen;
  std::vector<Choice> alternatives;
};

// Whole UTF-8 characters, never part of a stop string; text is empty only when details are not.
struct TextDelta {
  std::string text;
  std::vector<TokenDetail> details;
};

// What a model writes before its answer proper.
struct ReasoningDelta {
  std::string text;
};

// A piece of a call. Calls come one after the other, from index 0 on.
struct CallDelta {
  std::uint32_t index = 0;
  std::string id;    // in a call's first piece, and empty in the others
  std::string name;  // as the id
  std::string arguments;
};

enum class TurnFinish : std::uint8_t { kStop, kLength, kCancelled, kFailed };

struct TurnEnd {
  TurnFinish finish = TurnFinish::kStop;
  std::optional<Error> error;       // set exactly when kFailed
  std::optional<std::string> stop;  // the stop string that ended the answer
  std::uint32_t n_prompt_tokens = 0;
  std::uint32_t n_cached_tokens = 0;
  std::uint32_t n_new_tokens = 0;        // the end token, if any, included
  std::uint32_t n_reasoning_tokens = 0;  // of these, between the marks of the reasoning
  std::uint64_t seed = 0;
  double queue_ms = 0;
  double prefill_ms = 0;
  double decode_ms = 0;
};

using TurnEvent = std::variant<TextDelta, ReasoningDelta, CallDelta, TurnEnd>;

// Called in order on the engine's thread; TurnEnd is the last and always comes. Must be quick.
using TurnSink = std::move_only_function<void(TurnEvent)>;
using TurnId = std::uint64_t;

// Answers that have been started, in the order of their sinks.
struct StartedTurn {
  std::vector<TurnId> ids;
  std::uint32_t n_prompt_tokens = 0;
  std::uint64_t seed = 0;  // of the first answer
};

}  // namespace jarip
