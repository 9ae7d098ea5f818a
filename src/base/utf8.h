// UTF-8: validation, decoding, repair, and whole characters out of bytes that arrive in pieces.
// Invalid bytes are treated as Unicode recommends (chapter 3.9, "maximal subparts") and as Python's
// errors="replace" does. Free functions run on any thread; a Utf8Stream belongs to one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace jarip {

inline constexpr char32_t kReplacementCharacter = 0xFFFD;
inline constexpr std::string_view kReplacementUtf8 = "\xEF\xBF\xBD";

enum class Utf8Kind : std::uint8_t {
  kCharacter,   // a whole, valid character
  kInvalid,     // bytes that can never become part of a character
  kIncomplete,  // the text ends inside what may still become a character
};

struct Utf8Unit {
  Utf8Kind kind = Utf8Kind::kInvalid;
  std::uint8_t length = 0;  // bytes, 1 to 4
  char32_t code_point = kReplacementCharacter;
};

// The first unit of a text that is not empty.
[[nodiscard]] Utf8Unit decode_utf8(std::string_view text);

// Bytes of the longest prefix that is valid UTF-8; text.size() if all of it is.
[[nodiscard]] std::size_t valid_utf8_prefix(std::string_view text);
[[nodiscard]] bool is_valid_utf8(std::string_view text);

// Characters of valid UTF-8; of other bytes, those that begin one.
[[nodiscard]] std::size_t count_characters(std::string_view text);

// Bytes of the longest prefix that does not end inside a character: everything but an incomplete
// character at the very end. Invalid bytes elsewhere don't matter.
[[nodiscard]] std::size_t whole_utf8_prefix(std::string_view text);

// U+FFFD in place of each invalid or incomplete unit.
[[nodiscard]] std::string replace_invalid(std::string_view text);

void append_utf8(std::string& out, char32_t code_point);

// Bytes in, whole valid characters out: however the bytes were cut, what was taken so far is the
// beginning of replace_invalid(all bytes), and with finish() the whole of it.
class Utf8Stream {
 public:
  void feed(std::string_view bytes);
  // The characters that are complete since the last call; may be empty.
  [[nodiscard]] std::string take();
  // take(), and U+FFFD for an incomplete character at the end. The stream is then as new.
  [[nodiscard]] std::string finish();
  // Bytes that wait for the rest of their character, 0 to 3.
  [[nodiscard]] std::size_t n_pending() const { return pending_.size(); }

 private:
  std::string ready_;
  std::string pending_;  // an incomplete character; short enough to never allocate
};

}  // namespace jarip
