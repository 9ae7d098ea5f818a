// Keys out of the bytes that a terminal sends. Belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace jarip {

enum class KeyKind : std::uint8_t {
  kText,  // one character, or the text of a paste
  kEnter,
  kNewline,  // Alt-Enter, Ctrl-J
  kBackspace,
  kDelete,
  kLeft,
  kRight,
  kWordLeft,
  kWordRight,
  kHome,
  kEnd,
  kUp,
  kDown,
  kKillToEnd,    // Ctrl-K
  kKillToStart,  // Ctrl-U
  kKillWord,     // Ctrl-W
  kClear,        // Ctrl-L
  kInterrupt,    // Ctrl-C
  kEndOfInput,   // Ctrl-D
  kSuspend,      // Ctrl-Z
  kUnknown,      // to be ignored
};

struct Key {
  KeyKind kind = KeyKind::kUnknown;
  std::string text;
};

class KeyReader {
 public:
  void feed(std::string_view bytes) { bytes_ += bytes; }

  // The next key; null until more bytes come.
  [[nodiscard]] std::optional<Key> next();

  // An Escape, alone: the sequence that it seemed to begin didn't go on in time.
  void give_up_sequence();

  // Bytes that wait for more; a lone Escape among them is told by giving up after a while.
  [[nodiscard]] bool waiting() const { return !bytes_.empty() && !in_paste_; }

 private:
  std::optional<Key> take_paste();
  std::optional<Key> take_escape();
  std::optional<Key> take_character();

  std::string bytes_;
  std::string paste_;
  bool in_paste_ = false;
};

}  // namespace jarip
