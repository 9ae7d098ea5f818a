// The text of an answer taken apart: what the model says, its reasoning, and the calls it writes.
// What looked like a call and isn't one comes out as the text it was. The outcome depends on the
// text alone, never on the pieces in which it came. Belongs to one answer; called by the engine's
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "app/answer_part.h"
#include "app/call_reader.h"
#include "app/call_shape.h"
#include "app/harmony_splitter.h"

namespace jarip {

struct SplitOptions {
  std::optional<ReasoningShape> reasoning;
  bool begins_in_reasoning = false;         // the prompt has opened it
  const CallShape* shape = nullptr;         // null: no call is looked for. Outlives the splitter
  std::vector<CallableFunction> functions;  // calls of others are text
  // Pieces of a call are given out as they come, because a grammar sees to it that it will be
  // whole. Otherwise a call is given out when it is whole, as one piece.
  bool is_constrained = false;
  bool is_harmony = false;  // messages with headers say what is reasoning and what is a call
};

class AnswerSplitter {
 public:
  explicit AnswerSplitter(SplitOptions options);

  // Whole characters in, whole characters out.
  [[nodiscard]] std::vector<AnswerPart> push(std::string_view text);
  // What was held back: the answer has ended.
  [[nodiscard]] std::vector<AnswerPart> finish();

 private:
  enum class State : std::uint8_t { kStart, kReasoning, kContent, kCalls };

  void read(char byte);
  void read_start(char byte);
  void read_reasoning(char byte);
  void read_content(char byte);
  void read_calls(char byte);
  void begin_calls();
  void leave_calls(const std::string& unread);
  void add_call();
  void end_call();
  void add_content(std::string_view text);
  void say(std::string_view text);    // content, but white space waits for what comes behind it
  void think(std::string_view text);  // the same for reasoning

  SplitOptions options_;
  State state_ = State::kContent;
  std::string held_;          // what may become a mark, or a call
  std::string space_;         // white space that is dropped where a call or the answer follows
  bool at_start_ = true;      // nothing but white space has been said
  bool has_thought_ = false;  // reasoning, other than white space
  bool drops_space_ = false;  // up to the first words behind the reasoning
  std::optional<CallReader> calls_;
  std::optional<HarmonySplitter> harmony_;
  std::uint32_t n_calls_ = 0;  // given out
  bool has_begun_ = false;     // the call being read was given out in part
  std::vector<AnswerPart> parts_;
};

}  // namespace jarip
