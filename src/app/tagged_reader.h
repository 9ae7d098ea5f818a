// Reads arguments that a model writes one by one between marks, byte by byte, and gives them out as
// a JSON object. Owned by a CallReader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/call_shape.h"
#include "app/json_scanner.h"
#include "grammar/schema_text.h"

namespace jarip {

class TaggedReader {
 public:
  static constexpr std::size_t kMaxKeyBytes = 256;

  enum class Step : std::uint8_t {
    kMore,
    kEnd,    // the byte ends the call
    kWrong,  // no arguments go on like this
  };

  // Both outlive the reader.
  TaggedReader(const CallShape::Tagged& form, const ArgumentTypes& types);

  [[nodiscard]] Step push(char byte);

  // What of the object is certain. Taken, not looked at.
  [[nodiscard]] std::string take() { return std::exchange(json_, {}); }

 private:
  enum class State : std::uint8_t { kBetween, kKey, kLead, kValue };

  [[nodiscard]] Step push_between(char byte);
  [[nodiscard]] Step push_key(char byte);
  [[nodiscard]] Step begin_value(std::string_view key, std::string_view space);
  void push_lead(char byte);
  void push_value(char byte);
  void add_to_value(std::string_view text);
  void end_value();
  [[nodiscard]] bool is_streamed() const;

  const CallShape::Tagged& form_;
  const ArgumentTypes& types_;
  std::string key_mark_;   // before a key, without white space around it
  std::string text_mark_;  // behind it, without gaps
  std::string json_mark_;
  std::string close_;         // behind a value
  std::string spaced_close_;  // the same with the white space that is no part of the value
  State state_ = State::kBetween;
  std::string held_;  // what may become a mark
  std::string key_;
  std::vector<std::string> keys_;
  std::uint8_t value_types_ = 0;
  std::string_view lead_;  // white space before a value that is no part of it
  std::string value_;      // of what isn't a string for sure
  JsonScanner scanner_;
  JsonScanner::Step scanned_ = JsonScanner::Step::kMore;
  std::string json_;
};

// Without the white space around the text, and between one mark's > and the next one's <.
[[nodiscard]] std::string without_gaps(std::string_view text);

}  // namespace jarip
