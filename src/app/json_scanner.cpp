#include "app/json_scanner.h"

#include <string_view>

namespace jarip {
namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
// -1: no hex digit.
int hex_value(char c) {
  const char lower = static_cast<char>(c | 0x20);
  if (is_digit(c)) return c - '0';
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

JsonScanner::Step JsonScanner::push(char byte) {
  switch (state_) {
    case State::kString:
      return push_in_string(byte);
    case State::kEscape:
    case State::kPair:
    case State::kPairEscape:
      return push_escape(byte);
    case State::kHex:
      return push_hex(byte);
    case State::kLiteral:
      if (byte != *rest_) return Step::kWrong;
      return *++rest_ == '\0' ? end_value() : Step::kMore;
    case State::kMinus:
    case State::kZero:
    case State::kWhole:
    case State::kPoint:
    case State::kFraction:
    case State::kExponent:
    case State::kExponentSign:
    case State::kExponentDigit:
      return push_in_number(byte);
    default:
      return is_space(byte) ? Step::kMore : push_between(byte);
  }
}

JsonScanner::Step JsonScanner::push_between(char byte) {
  switch (state_) {
    case State::kFirstItem:
      return byte == ']' ? close(byte) : begin_value(byte);
    case State::kFirstKey:
    case State::kKey:
      if (byte == '}' && state_ == State::kFirstKey) return close(byte);
      if (byte != '"') return Step::kWrong;
      is_key_ = true;
      state_ = State::kString;
      return Step::kMore;
    case State::kColon:
      if (byte != ':') return Step::kWrong;
      state_ = State::kValue;
      return Step::kMore;
    case State::kNext:
      if (byte != ',') return close(byte);
      state_ = open_.back() == '}' ? State::kKey : State::kValue;
      return Step::kMore;
    default:
      return begin_value(byte);
  }
}

JsonScanner::Step JsonScanner::begin_value(char byte) {
  if (byte == '{' || byte == '[') {
    if (open_.size() == kMaxDepth) return Step::kWrong;
    open_.push_back(byte == '{' ? '}' : ']');
    state_ = byte == '{' ? State::kFirstKey : State::kFirstItem;
    return Step::kMore;
  }
  if (byte == '"') {
    is_key_ = false;
    state_ = State::kString;
    return Step::kMore;
  }
  if (byte == '-' || is_digit(byte)) {
    state_ = byte == '-' ? State::kMinus : byte == '0' ? State::kZero : State::kWhole;
    return Step::kMore;
  }
  if (byte != 't' && byte != 'f' && byte != 'n') return Step::kWrong;
  rest_ = byte == 't' ? "rue" : byte == 'f' ? "alse" : "ull";
  state_ = State::kLiteral;
  return Step::kMore;
}

JsonScanner::Step JsonScanner::end_value() {
  state_ = State::kNext;
  return open_.empty() ? Step::kLast : Step::kMore;
}

JsonScanner::Step JsonScanner::close(char byte) {
  if (open_.empty() || open_.back() != byte) return Step::kWrong;
  open_.pop_back();
  return end_value();
}

JsonScanner::Step JsonScanner::push_in_string(char byte) {
  if (static_cast<unsigned char>(byte) < 0x20) return Step::kWrong;
  if (byte == '\\') state_ = State::kEscape;
  if (byte != '"') return Step::kMore;
  if (!is_key_) return end_value();
  state_ = State::kColon;
  return Step::kMore;
}

JsonScanner::Step JsonScanner::push_escape(char byte) {
  if (state_ == State::kPair) {
    state_ = State::kPairEscape;
    return byte == '\\' ? Step::kMore : Step::kWrong;
  }
  if (byte == 'u') {
    is_second_ = state_ == State::kPairEscape;
    n_hex_ = 4;
    code_ = 0;
    state_ = State::kHex;
    return Step::kMore;
  }
  if (state_ == State::kPairEscape || !std::string_view("\"\\/bfnrt").contains(byte)) {
    return Step::kWrong;
  }
  state_ = State::kString;
  return Step::kMore;
}

JsonScanner::Step JsonScanner::push_hex(char byte) {
  const int value = hex_value(byte);
  if (value < 0) return Step::kWrong;
  code_ = (code_ << 4U) | static_cast<std::uint32_t>(value);
  if (--n_hex_ > 0) return Step::kMore;
  const bool is_low = code_ >= 0xDC00 && code_ <= 0xDFFF;
  if (is_low != is_second_) return Step::kWrong;
  state_ = code_ >= 0xD800 && code_ < 0xDC00 ? State::kPair : State::kString;
  return Step::kMore;
}

JsonScanner::Step JsonScanner::push_in_number(char byte) {
  const bool may_go_on = state_ == State::kZero || state_ == State::kWhole ||
                         state_ == State::kFraction || state_ == State::kExponentDigit;
  if (is_digit(byte)) {
    if (state_ == State::kZero) return Step::kWrong;
    if (state_ == State::kMinus) {
      state_ = byte == '0' ? State::kZero : State::kWhole;
    } else if (state_ == State::kPoint) {
      state_ = State::kFraction;
    } else if (state_ == State::kExponent || state_ == State::kExponentSign) {
      state_ = State::kExponentDigit;
      n_exponent_ = 0;
    }
    if (state_ == State::kExponentDigit && ++n_exponent_ > kMaxExponentDigits) return Step::kWrong;
    return Step::kMore;
  }
  if (byte == '.' && (state_ == State::kZero || state_ == State::kWhole)) {
    state_ = State::kPoint;
    return Step::kMore;
  }
  if ((byte | 0x20) == 'e' && may_go_on && state_ != State::kExponentDigit) {
    state_ = State::kExponent;
    return Step::kMore;
  }
  if ((byte == '+' || byte == '-') && state_ == State::kExponent) {
    state_ = State::kExponentSign;
    return Step::kMore;
  }
  return may_go_on ? end_number(byte) : Step::kWrong;
}

// Only what comes behind a number tells that it has ended.
JsonScanner::Step JsonScanner::end_number(char byte) {
  state_ = State::kNext;
  if (open_.empty()) return Step::kBehind;
  return is_space(byte) ? Step::kMore : push_between(byte);
}

}  // namespace jarip
