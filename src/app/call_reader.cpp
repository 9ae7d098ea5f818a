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

CallReader::CallReader(const CallShape& shape, const std::vector<std::string>& names)
    : shape_(shape), names_(names), state_(shape.object ? State::kObject : State::kName) {}

bool CallReader::is_known(std::string_view name) const {
  return std::ranges::find(names_, name) != names_.end();
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
    case State::kName:
      return push_name(byte);
    case State::kArguments:
      return push_arguments(byte);
    case State::kTail:
      return push_tail(byte);
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
  if (value.size() < 2 || !value.starts_with('"') || !is_known(value.substr(1, value.size() - 2))) {
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

CallReader::Step CallReader::push_name(char byte) {
  const std::string_view behind = trim(shape_.before_arguments);
  value_ += byte;
  std::string_view name = value_;
  if (behind.empty() ? byte == '{' : name.ends_with(behind)) {
    name.remove_suffix(behind.empty() ? 1 : behind.size());
    name = trim(name);
    if (!is_known(name)) return Step::kWrong;
    name_ = name;
    scanner_ = {};
    state_ = State::kArguments;
    return behind.empty() ? push_arguments(byte) : Step::kMore;
  }
  return value_.size() > 2 * kMaxNameBytes + behind.size() ? Step::kWrong : Step::kMore;
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
  const std::string_view end = shape_.object ? shape_.object->end_marker : trim(shape_.after);
  if (shape_.object && end.empty()) {
    if (byte != '{' || shape_.between.empty()) return Step::kLeave;
    begin_call(State::kObject);
    return push_object(byte);
  }
  std::string_view next = shape_.object ? std::string_view() : trim(shape_.between);
  if (next.starts_with(end) && !end.empty()) next = {};  // the mark of a call comes again
  if (!next.empty() && text == next) {
    begin_call(State::kName);
    return Step::kMore;
  }
  if (!end.empty() && text == end) return Step::kEnd;
  return end.starts_with(text) || next.starts_with(text) ? Step::kMore : Step::kLeave;
}

}  // namespace jarip
