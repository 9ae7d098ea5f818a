#include "app/call_reader.h"

#include <algorithm>

namespace jarip {
namespace {

constexpr std::string_view kSpace = " \n\r\t";

bool is_space(char c) { return kSpace.contains(c); }

std::string_view trim(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

}  // namespace

CallReader::CallReader(const CallShape& shape, const std::vector<CallableFunction>& functions)
    : shape_(shape),
      functions_(functions),
      state_(shape.object                  ? State::kObject
             : shape.behind_marker.empty() ? State::kName
                                           : State::kPrefix) {
  if (!shape.tagged) return;
  const auto behind_call = [&](std::string_view text) {
    const std::string marks = without_gaps(text);
    return marks.starts_with(shape.tagged->call_end)
               ? without_gaps(std::string_view(marks).substr(shape.tagged->call_end.size()))
               : std::string();
  };
  end_ = behind_call(shape.after);
  next_ = behind_call(shape.between);
  if (next_.starts_with(end_) && !end_.empty()) next_.clear();  // the mark of a call comes again
}

const CallableFunction* CallReader::find(std::string_view name) const {
  const auto found = std::ranges::find(functions_, name, &CallableFunction::name);
  return found == functions_.end() ? nullptr : &*found;
}

void CallReader::begin_call(State state) {
  state_ = state;
  at_first_key_ = true;
  has_arguments_member_ = false;
  value_.clear();
  name_.clear();
  arguments_.clear();
  tail_.clear();
  n_tail_space_ = 0;
  n_ended_ = 0;
}

CallReader::Step CallReader::push(char byte) {
  switch (state_) {
    case State::kObject:
      return push_object(byte);
    case State::kKey:
    case State::kInKey:
    case State::kColon:
      return push_key(byte);
    case State::kMember:
    case State::kNext:
      return push_member(byte);
    case State::kPrefix:
      return push_prefix(byte);
    case State::kName:
      return push_name(byte);
    case State::kArguments:
      return push_arguments(byte);
    case State::kTagged:
      return push_tagged(byte);
    case State::kTail:
      return shape_.tagged ? push_tagged_tail(byte) : push_tail(byte);
  }
  return Step::kWrong;
}

CallReader::Step CallReader::push_object(char byte) {
  if (is_space(byte)) return Step::kMore;
  if (byte == '[' && shape_.object->in_list && !list_is_open_) {
    list_is_open_ = true;
    return Step::kMore;
  }
  if (byte != '{' || list_is_open_ != shape_.object->in_list) return Step::kWrong;
  state_ = State::kKey;
  return Step::kMore;
}

CallReader::Step CallReader::push_key(char byte) {
  if (state_ == State::kInKey) {
    if (byte == '\\' || static_cast<unsigned char>(byte) < 0x20) return Step::kWrong;
    if (byte == '"') {
      state_ = State::kColon;
    } else {
      key_ += byte;
    }
    return key_.size() > kMaxNameBytes ? Step::kWrong : Step::kMore;
  }
  if (is_space(byte)) return Step::kMore;
  if (state_ == State::kKey) {
    if (byte == '}' && at_first_key_) return end_object();
    if (byte != '"') return Step::kWrong;
    key_.clear();
    state_ = State::kInKey;
    return Step::kMore;
  }
  const bool is_second = (key_ == shape_.object->name_key && !name_.empty()) ||
                         (key_ == shape_.object->arguments_key && has_arguments_member_);
  if (byte != ':' || is_second) return Step::kWrong;
  value_.clear();
  scanner_ = {};
  state_ = State::kMember;
  return Step::kMore;
}

CallReader::Step CallReader::push_member(char byte) {
  if (state_ == State::kNext) {
    if (is_space(byte)) return Step::kMore;
    if (byte == '}') return end_object();
    if (byte != ',') return Step::kWrong;
    at_first_key_ = false;
    state_ = State::kKey;
    return Step::kMore;
  }
  const JsonScanner::Step step = scanner_.push(byte);
  if (step == JsonScanner::Step::kWrong) return Step::kWrong;
  if (key_ == shape_.object->name_key) {
    value_ += byte;
    if (value_.size() > 2 * kMaxNameBytes) return Step::kWrong;
  } else if (key_ == shape_.object->arguments_key) {
    if (!has_arguments_member_ && is_space(byte)) return Step::kMore;
    if (!has_arguments_member_ && byte != '{') return Step::kWrong;
    has_arguments_member_ = true;
    arguments_ += byte;
  }
  if (step == JsonScanner::Step::kMore) return Step::kMore;
  const Step ended = end_member();
  if (ended != Step::kMore || step == JsonScanner::Step::kLast) return ended;
  return push_member(byte);
}

CallReader::Step CallReader::end_member() {
  state_ = State::kNext;
  if (key_ != shape_.object->name_key) return Step::kMore;
  const std::string_view value = trim(value_);
  if (value.size() < 2 || !value.starts_with('"') ||
      find(value.substr(1, value.size() - 2)) == nullptr) {
    return Step::kWrong;
  }
  name_ = value.substr(1, value.size() - 2);
  return Step::kMore;
}

// A call without arguments is one of a function that takes none.
CallReader::Step CallReader::end_object() {
  if (name_.empty()) return Step::kWrong;
  if (!has_arguments_member_) arguments_ = "{}";
  state_ = State::kTail;
  return Step::kCall;
}

CallReader::Step CallReader::push_prefix(char byte) {
  value_ += byte;
  const std::string text = without_gaps(value_);
  if (text == without_gaps(shape_.behind_marker)) {
    value_.clear();
    state_ = State::kName;
    return Step::kMore;
  }
  return without_gaps(shape_.behind_marker).starts_with(text) ? Step::kMore : Step::kWrong;
}

CallReader::Step CallReader::push_name(char byte) {
  const std::string_view behind = trim(shape_.before_arguments);
  const char first = shape_.tagged ? shape_.tagged->before_key[0] : '{';  // of the arguments
  value_ += byte;
  std::string_view name = value_;
  if (behind.empty() ? byte == first : name.ends_with(behind)) {
    name.remove_suffix(behind.empty() ? 1 : behind.size());
    const Step begun = begin_arguments(trim(name));
    return behind.empty() && begun == Step::kMore ? push(byte) : begun;
  }
  return value_.size() > 2 * kMaxNameBytes + behind.size() ? Step::kWrong : Step::kMore;
}

CallReader::Step CallReader::begin_arguments(std::string_view name) {
  const CallableFunction* const function = find(name);
  if (function == nullptr) return Step::kWrong;
  name_ = name;
  scanner_ = {};
  state_ = State::kArguments;
  if (shape_.tagged) {
    tagged_.emplace(*shape_.tagged, function->arguments);
    state_ = State::kTagged;
  }
  return Step::kMore;
}

CallReader::Step CallReader::push_arguments(char byte) {
  if (!has_arguments_member_ && is_space(byte)) return Step::kMore;
  if (!has_arguments_member_ && byte != '{') return Step::kWrong;
  const JsonScanner::Step step = scanner_.push(byte);
  if (step == JsonScanner::Step::kWrong) return Step::kWrong;
  has_arguments_member_ = true;
  arguments_ += byte;
  if (step == JsonScanner::Step::kMore) return Step::kMore;
  state_ = State::kTail;
  return Step::kCall;
}

CallReader::Step CallReader::push_tagged(char byte) {
  const TaggedReader::Step step = tagged_->push(byte);
  if (step == TaggedReader::Step::kWrong) return Step::kWrong;
  arguments_ += tagged_->take();
  if (step == TaggedReader::Step::kMore) return Step::kMore;
  state_ = State::kTail;
  return Step::kCall;
}

CallReader::Step CallReader::push_tagged_tail(char byte) {
  tail_ += byte;
  const std::string text = without_gaps(tail_);
  if (text.empty()) return Step::kMore;
  if (text == next_) {
    begin_call(State::kName);
    return Step::kMore;
  }
  if (text == end_) return Step::kEnd;
  return end_.starts_with(text) || next_.starts_with(text) ? Step::kMore : Step::kLeave;
}

CallReader::Step CallReader::push_tail(char byte) {
  tail_ += byte;
  if (is_space(byte) && n_tail_space_ + 1 == tail_.size()) {
    ++n_tail_space_;
    return Step::kMore;
  }
  const std::string_view text = std::string_view(tail_).substr(n_tail_space_);
  if (list_is_open_) {
    if (byte == ',') {
      begin_call(State::kObject);
      return Step::kMore;
    }
    if (byte != ']') return Step::kLeave;
    list_is_open_ = false;
    tail_.clear();
    n_tail_space_ = 0;
    return shape_.object->end_marker.empty() ? Step::kEnd : Step::kMore;
  }
  // Several objects between one pair of marks.
  const bool one_pair = shape_.object && !shape_.between.empty() &&
                        !shape_.between.contains(shape_.object->end_marker);
  if (one_pair && text == "{") {
    begin_call(State::kObject);
    return push_object(byte);
  }
  const std::string_view end = shape_.object ? shape_.object->end_marker : trim(shape_.after);
  if (shape_.object && end.empty()) {
    if (byte != '{' || shape_.between.empty()) return Step::kLeave;
    begin_call(State::kObject);
    return push_object(byte);
  }
  std::string_view next = shape_.object ? std::string_view() : trim(shape_.between);
  const bool has_both = !end.empty() && next.starts_with(end);
  if (has_both && trim(next.substr(end.size())).starts_with(shape_.marker)) {
    next = {};  // the mark of a call comes again
  }
  if (!next.empty() && text == next) {
    begin_call(State::kName);
    return Step::kMore;
  }
  if (!end.empty() && text == end) {
    if (next.empty() || !has_both) return Step::kEnd;
    n_ended_ = tail_.size();
    return Step::kMore;
  }
  if (end.starts_with(text) || next.starts_with(text)) return Step::kMore;
  tail_.erase(0, n_ended_);
  return Step::kLeave;
}

}  // namespace jarip
