// A place in the text of a grammar, by characters. Owned by one parser.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/utf8.h"

namespace jarip {

class TextCursor {
 public:
  // text is valid UTF-8 and outlives the cursor.
  explicit TextCursor(std::string_view text) : text_(text) {}

  [[nodiscard]] bool at_end() const { return place_ == text_.size(); }
  [[nodiscard]] std::size_t place() const { return place_; }
  void go_to(std::size_t place) { place_ = place; }
  [[nodiscard]] std::string_view rest() const { return text_.substr(place_); }

  // 0 at the end.
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return place_ + ahead < text_.size() ? text_[place_ + ahead] : '\0';
  }
  bool skip(std::string_view token) {
    if (!rest().starts_with(token)) return false;
    place_ += token.size();
    return true;
  }
  // A character; not at the end.
  char32_t take() {
    const Utf8Unit unit = decode_utf8(rest());
    place_ += unit.length;
    return unit.code_point;
  }
  // Exactly so many hexadecimal digits; nothing, and the place unchanged, if there aren't.
  std::optional<char32_t> take_hex(unsigned n_digits) {
    char32_t value = 0;
    for (unsigned i = 0; i < n_digits; ++i) {
      const char c = peek(i);
      const char lower = static_cast<char>(c | 0x20);
      const bool is_digit = c >= '0' && c <= '9';
      if (!is_digit && (lower < 'a' || lower > 'f')) return {};
      value = value * 16 + static_cast<char32_t>(is_digit ? c - '0' : lower - 'a' + 10);
    }
    place_ += n_digits;
    return value;
  }
  // A decimal number below ten million; larger ones come out as that.
  std::optional<std::uint32_t> take_number() {
    constexpr std::uint32_t kMany = 10'000'000;
    if (peek() < '0' || peek() > '9') return {};
    std::uint32_t value = 0;
    while (peek() >= '0' && peek() <= '9') {
      value = value * 10 + static_cast<std::uint32_t>(text_[place_++] - '0');
      value = value < kMany ? value : kMany;
    }
    return value;
  }

 private:
  std::string_view text_;
  std::size_t place_ = 0;
};

}  // namespace jarip
