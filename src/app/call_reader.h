// Reads calls from where their mark has ended, byte by byte. Owned by an AnswerSplitter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/call_shape.h"
#include "app/json_scanner.h"
#include "app/tagged_reader.h"
#include "grammar/schema_text.h"

namespace jarip {

// A function that may be called.
struct CallableFunction {
  std::string name;
  ArgumentTypes arguments = {};  // of calls that write arguments one by one
};

class CallReader {
 public:
  static constexpr std::size_t kMaxNameBytes = 128;

  enum class Step : std::uint8_t {
    kMore,
    kCall,   // the byte makes a call whole
    kEnd,    // the calls have ended with the byte
    kLeave,  // the calls have ended before unread()
    kWrong,  // what came since the last call, the byte included, is no call
  };

  // Both outlive the reader.
  CallReader(const CallShape& shape, const std::vector<CallableFunction>& functions);

  [[nodiscard]] Step push(char byte);

  // Of the call being read: the name once it is known and the arguments have begun, and the
  // arguments so far. Taken, not looked at.
  [[nodiscard]] bool has_arguments() const { return !name_.empty() && !arguments_.empty(); }
  [[nodiscard]] std::string take_arguments() { return std::exchange(arguments_, {}); }
  [[nodiscard]] const std::string& name() const { return name_; }

  // What was read behind the last call and belongs to none, the last byte included.
  [[nodiscard]] const std::string& unread() const { return tail_; }
  // Between calls, or behind the last one: nothing is missing if the answer ends here.
  [[nodiscard]] bool is_between() const { return state_ == State::kTail; }

 private:
  enum class State : std::uint8_t {
    kObject,     // white space, [ or ,, and { of an object
    kKey,        // " of a key, or } at the beginning
    kInKey,      // inside a key
    kColon,      // behind it
    kMember,     // inside a member's value
    kNext,       // behind it
    kPrefix,     // calls that are no objects: between their mark and the name
    kName,       // the name and what comes behind it
    kArguments,  // their arguments, as JSON
    kTagged,     // or one by one
    kTail,       // behind a call
  };

  [[nodiscard]] Step push_object(char byte);
  [[nodiscard]] Step push_key(char byte);
  [[nodiscard]] Step push_member(char byte);
  [[nodiscard]] Step end_member();
  [[nodiscard]] Step end_object();
  [[nodiscard]] Step push_prefix(char byte);
  [[nodiscard]] Step push_name(char byte);
  [[nodiscard]] Step begin_arguments(std::string_view name);
  [[nodiscard]] Step push_arguments(char byte);
  [[nodiscard]] Step push_tagged(char byte);
  [[nodiscard]] Step push_tail(char byte);
  [[nodiscard]] Step push_tagged_tail(char byte);
  [[nodiscard]] const CallableFunction* find(std::string_view name) const;
  void begin_call(State state);

  const CallShape& shape_;
  const std::vector<CallableFunction>& functions_;
  State state_;
  bool list_is_open_ = false;
  bool at_first_key_ = true;
  bool has_arguments_member_ = false;
  std::string key_;
  std::string value_;  // of the name's member, or the name and what is around it
  std::string name_;
  std::string arguments_;
  std::string tail_;
  std::size_t n_tail_space_ = 0;  // bytes of white space that it begins with
  std::size_t n_ended_ = 0;       // bytes of it after which the calls may have ended
  JsonScanner scanner_;
  std::optional<TaggedReader> tagged_;
  std::string end_;   // of tagged calls: what ends them behind a call, without gaps
  std::string next_;  // what another one begins with; empty: its mark
};

}  // namespace jarip
