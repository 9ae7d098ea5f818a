// Counts the tokens of an answer's reasoning as they come: those with text between the marks, which
// count themselves only where a token has both. A function of the tokens' texts alone. Belongs to
// one answer; on the engine's thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/call_shape.h"

namespace jarip {

class ReasoningMeter {
 public:
  // begun: the prompt has opened the reasoning.
  ReasoningMeter(const ReasoningShape& shape, bool begun);

  // The text of the next token; empty for a control token.
  void take(std::string_view bytes);

  // What may be the beginning of the closing mark counts until it has turned out to be one.
  [[nodiscard]] std::uint32_t n_tokens() const;
  [[nodiscard]] bool is_open() const { return state_ == State::kInside; }
  // Whether the reasoning can be closed here: a character isn't cut in two.
  [[nodiscard]] bool is_between_characters() const;
  // What is missing of the closing mark.
  [[nodiscard]] std::string_view rest_of_close() const { return shape_.close.substr(held_.size()); }

 private:
  enum class State : std::uint8_t { kBefore, kInside, kBehind };

  void read_before(char byte);
  void read_inside(char byte);
  void read_behind(char byte);
  void count(std::uint32_t token);

  ReasoningShape shape_;
  State state_;
  std::string held_;                  // what may become a mark
  std::vector<std::uint32_t> token_;  // of each byte that is held: the token that has it
  std::uint32_t n_taken_ = 0;
  std::uint32_t n_counted_ = 0;
  std::uint32_t last_counted_ = 0;  // n_taken_ of it
  std::string tail_;                // the last bytes, for where characters end
};

}  // namespace jarip
