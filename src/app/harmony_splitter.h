// An answer in the harmony format taken apart: messages, each with a header that says where it
// goes.
//   <|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…
// Its marks are control tokens, which come as text here. Belongs to an AnswerSplitter.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/answer_part.h"
#include "app/call_reader.h"
#include "app/json_scanner.h"

namespace jarip {

namespace harmony {
inline constexpr std::string_view kThink = "<|channel|>analysis<|message|>";
inline constexpr std::string_view kEnd = "<|end|>";
inline constexpr std::string_view kNext = "<|start|>assistant";  // another message of the answer
inline constexpr std::string_view kSay = "<|channel|>final<|message|>";
inline constexpr std::string_view kCall = "<|channel|>commentary to=functions.";
inline constexpr std::string_view kArguments = " <|constrain|>json<|message|>";
inline constexpr std::string_view kMarks =
    "<|start|>\n<|end|>\n<|message|>\n<|channel|>\n<|constrain|>\n";
}  // namespace harmony

class HarmonySplitter {
 public:
  // functions: calls of others are text. is_constrained: as in SplitOptions.
  HarmonySplitter(const std::vector<CallableFunction>& functions, bool is_constrained)
      : functions_(functions), is_constrained_(is_constrained) {}

  void push(std::string_view text, std::vector<AnswerPart>& parts);
  void finish(std::vector<AnswerPart>& parts);

 private:
  enum class State : std::uint8_t { kHeader, kContent, kReasoning, kCall };

  void read(char byte);
  void read_header(char byte);
  void read_body(char byte);
  void begin_message();
  void begin_text(State state);
  void end_message();
  void add(std::string_view text);
  [[nodiscard]] bool add_to_call(char byte);
  void leave_call();
  void give_arguments();
  void say(std::string_view text);

  const std::vector<CallableFunction>& functions_;
  bool is_constrained_;
  State state_ = State::kHeader;
  std::string held_;       // a header, or what may become a mark
  std::string call_text_;  // header and body of a call that isn't certain yet
  std::string name_;
  std::string arguments_;
  JsonScanner scanner_;
  JsonScanner::Step scanned_ = JsonScanner::Step::kMore;
  bool has_begun_ = false;  // the call was given out in part
  bool has_content_ = false;
  bool has_thought_ = false;
  bool needs_break_ = false;  // before the next text: a message of its kind came before
  std::uint32_t n_calls_ = 0;
  std::vector<AnswerPart>* parts_ = nullptr;  // of the push under way
};

}  // namespace jarip
