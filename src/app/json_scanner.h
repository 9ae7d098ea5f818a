// One JSON value byte by byte, as it comes out of a model: whether it can still become valid, and
// when it has. What it lets through every strict parser reads: halves of surrogate pairs and
// exponents of more than kMaxExponentDigits are wrong. Keeps nothing of the text. Owned by whoever
// reads an answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace jarip {

class JsonScanner {
 public:
  static constexpr std::size_t kMaxDepth = 1000;  // more than a grammar lets through
  static constexpr int kMaxExponentDigits = 4;    // likewise

  enum class Step : std::uint8_t {
    kMore,    // the byte belongs to the value, which goes on
    kLast,    // the byte ends the value
    kBehind,  // the value had ended before the byte; only of numbers
    kWrong,   // no value goes on like this, or it is nested too deep
  };
  // Nothing may come after any but kMore.
  [[nodiscard]] Step push(char byte);
  [[nodiscard]] bool is_inside_string() const { return state_ == State::kString; }

 private:
  enum class State : std::uint8_t {
    kValue,       // white space, or a value begins
    kFirstItem,   // behind [
    kFirstKey,    // behind {
    kKey,         // behind , of an object
    kColon,       // behind a key
    kNext,        // behind a value inside another
    kString,      // inside one
    kEscape,      // behind its backslash
    kHex,         // in its \u
    kPair,        // behind the first half of a surrogate pair: \ comes
    kPairEscape,  // and u
    kLiteral,     // in true, false or null
    kMinus,       // numbers
    kZero,
    kWhole,
    kPoint,
    kFraction,
    kExponent,
    kExponentSign,
    kExponentDigit,
  };

  [[nodiscard]] Step begin_value(char byte);
  [[nodiscard]] Step end_value();
  [[nodiscard]] Step close(char byte);
  [[nodiscard]] Step push_in_string(char byte);
  [[nodiscard]] Step push_escape(char byte);
  [[nodiscard]] Step push_hex(char byte);
  [[nodiscard]] Step push_in_number(char byte);
  [[nodiscard]] Step end_number(char byte);
  [[nodiscard]] Step push_between(char byte);

  State state_ = State::kValue;
  std::vector<char> open_;  // the closing bytes to come
  bool is_key_ = false;     // of the string
  int n_hex_ = 0;           // to come
  std::uint32_t code_ = 0;  // of the hex digits
  bool is_second_ = false;  // half of a surrogate pair
  int n_exponent_ = 0;      // digits
  const char* rest_ = "";   // of the literal
};

}  // namespace jarip
