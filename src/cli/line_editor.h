// The text that a person is typing, as keys change it, and how it looks on a terminal. Knows no
// terminal itself. Belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/keyboard.h"

namespace jarip {

// What a key led to.
enum class EditOutcome : std::uint8_t {
  kEditing,
  kAccepted,     // Enter: text() is what was typed
  kInterrupted,  // Ctrl-C
  kEnded,        // Ctrl-D on an empty text
  kClear,        // the screen is to be cleared
  kSuspend,      // the process is to be stopped
};

// A picture of the text: lines of the screen and where the cursor stands in them.
struct EditView {
  std::vector<std::string> rows;  // the prompt included
  std::size_t cursor_row = 0;
  std::size_t cursor_column = 0;
};

// The rows around the cursor, at most n_rows: a text taller than the screen is shown in part.
[[nodiscard]] EditView clip_view(EditView view, std::size_t n_rows);

class LineEditor {
 public:
  // history: oldest first; it outlives the editor.
  explicit LineEditor(const std::vector<std::string>& history);

  EditOutcome press(const Key& key);

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] std::size_t cursor() const { return cursor_; }

  // A terminal `columns` wide; the prompt stands before the first line of the text, as many spaces
  // before the others.
  [[nodiscard]] EditView view(std::string_view prompt, std::size_t columns) const;

 private:
  void insert(std::string_view text);
  void erase(std::size_t begin, std::size_t end);
  EditOutcome enter();
  void move_up();
  void move_down();
  void show_history(std::size_t index);
  [[nodiscard]] std::size_t before(std::size_t at) const;  // the grapheme before, its beginning
  [[nodiscard]] std::size_t after(std::size_t at) const;
  [[nodiscard]] std::size_t word_before(std::size_t at) const;
  [[nodiscard]] std::size_t word_after(std::size_t at) const;
  [[nodiscard]] std::size_t line_begin(std::size_t at) const;
  [[nodiscard]] std::size_t line_end(std::size_t at) const;

  std::string text_;  // valid UTF-8; lines end in '\n'
  std::size_t cursor_ = 0;
  const std::vector<std::string>& history_;
  std::size_t shown_;  // index in history_; its size is the new text
  std::string draft_;  // the new text, while an old one is shown
};

}  // namespace jarip
