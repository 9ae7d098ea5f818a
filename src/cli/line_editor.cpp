#include "cli/line_editor.h"

#include <algorithm>

#include "cli/text_width.h"

namespace jarip {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n'; }

}  // namespace

EditView clip_view(EditView view, std::size_t n_rows) {
  n_rows = std::max<std::size_t>(n_rows, 1);
  if (view.rows.size() <= n_rows) return view;
  const std::size_t first =
      std::min(view.cursor_row - std::min(view.cursor_row, n_rows / 2), view.rows.size() - n_rows);
  view.rows.erase(view.rows.begin(), view.rows.begin() + static_cast<std::ptrdiff_t>(first));
  view.rows.resize(n_rows);
  view.cursor_row -= first;
  return view;
}

LineEditor::LineEditor(const std::vector<std::string>& history)
    : history_(history), shown_(history.size()) {}

EditOutcome LineEditor::press(const Key& key) {
  switch (key.kind) {
    case KeyKind::kText:
      insert(key.text);
      break;
    case KeyKind::kNewline:
      insert("\n");
      break;
    case KeyKind::kEnter:
      return enter();
    case KeyKind::kBackspace:
      erase(before(cursor_), cursor_);
      break;
    case KeyKind::kDelete:
      erase(cursor_, after(cursor_));
      break;
    case KeyKind::kLeft:
      cursor_ = before(cursor_);
      break;
    case KeyKind::kRight:
      cursor_ = after(cursor_);
      break;
    case KeyKind::kWordLeft:
      cursor_ = word_before(cursor_);
      break;
    case KeyKind::kWordRight:
      cursor_ = word_after(cursor_);
      break;
    case KeyKind::kHome:
      cursor_ = line_begin(cursor_);
      break;
    case KeyKind::kEnd:
      cursor_ = line_end(cursor_);
      break;
    case KeyKind::kUp:
      move_up();
      break;
    case KeyKind::kDown:
      move_down();
      break;
    case KeyKind::kKillToEnd:
      erase(cursor_, line_end(cursor_));
      break;
    case KeyKind::kKillToStart:
      erase(line_begin(cursor_), cursor_);
      break;
    case KeyKind::kKillWord:
      erase(word_before(cursor_), cursor_);
      break;
    case KeyKind::kClear:
      return EditOutcome::kClear;
    case KeyKind::kInterrupt:
      return EditOutcome::kInterrupted;
    case KeyKind::kSuspend:
      return EditOutcome::kSuspend;
    case KeyKind::kEndOfInput:
      if (text_.empty()) return EditOutcome::kEnded;
      erase(cursor_, after(cursor_));
      break;
    case KeyKind::kUnknown:
      break;
  }
  return EditOutcome::kEditing;
}

// A backslash at the end of the text asks for another line.
EditOutcome LineEditor::enter() {
  if (!text_.ends_with('\\')) return EditOutcome::kAccepted;
  text_.back() = '\n';
  cursor_ = text_.size();
  return EditOutcome::kEditing;
}

void LineEditor::insert(std::string_view text) {
  text_.insert(cursor_, text);
  cursor_ += text.size();
}

void LineEditor::erase(std::size_t begin, std::size_t end) {
  text_.erase(begin, end - begin);
  cursor_ = begin;
}

// Through the lines of the text first, then through history.
void LineEditor::move_up() {
  const std::size_t begin = line_begin(cursor_);
  if (begin != 0) {
    const std::size_t above = line_begin(begin - 1);
    const std::size_t column =
        display_width(std::string_view(text_).substr(begin, cursor_ - begin));
    cursor_ = above;
    while (cursor_ < begin - 1 &&
           display_width(std::string_view(text_).substr(above, cursor_ - above)) < column) {
      cursor_ = after(cursor_);
    }
  } else if (shown_ != 0) {
    show_history(shown_ - 1);
  }
}

void LineEditor::move_down() {
  const std::size_t end = line_end(cursor_);
  if (end != text_.size()) {
    const std::size_t begin = line_begin(cursor_);
    const std::size_t column =
        display_width(std::string_view(text_).substr(begin, cursor_ - begin));
    const std::size_t below = end + 1;
    const std::size_t below_end = line_end(below);
    cursor_ = below;
    while (cursor_ < below_end &&
           display_width(std::string_view(text_).substr(below, cursor_ - below)) < column) {
      cursor_ = after(cursor_);
    }
  } else if (shown_ < history_.size()) {
    show_history(shown_ + 1);
  }
}

void LineEditor::show_history(std::size_t index) {
  if (shown_ == history_.size()) draft_ = text_;
  shown_ = index;
  text_ = shown_ == history_.size() ? draft_ : history_[shown_];
  cursor_ = text_.size();
}

std::size_t LineEditor::before(std::size_t at) const {
  // Graphemes can only be told from the front; a line is short enough for that.
  std::size_t begin = line_begin(at);
  if (begin == at) return at == 0 ? 0 : at - 1;
  while (true) {
    const std::size_t next = begin + grapheme_length(std::string_view(text_).substr(begin));
    if (next >= at) return begin;
    begin = next;
  }
}

std::size_t LineEditor::after(std::size_t at) const {
  if (at == text_.size()) return at;
  return at + grapheme_length(std::string_view(text_).substr(at));
}

std::size_t LineEditor::word_before(std::size_t at) const {
  while (at > 0 && is_space(text_[at - 1])) --at;
  while (at > 0 && !is_space(text_[at - 1])) --at;
  return at;
}

std::size_t LineEditor::word_after(std::size_t at) const {
  while (at < text_.size() && is_space(text_[at])) ++at;
  while (at < text_.size() && !is_space(text_[at])) ++at;
  return at;
}

std::size_t LineEditor::line_begin(std::size_t at) const {
  const std::size_t newline = at == 0 ? std::string::npos : text_.rfind('\n', at - 1);
  return newline == std::string::npos ? 0 : newline + 1;
}

std::size_t LineEditor::line_end(std::size_t at) const {
  return std::min(text_.find('\n', at), text_.size());
}

EditView LineEditor::view(std::string_view prompt, std::size_t columns) const {
  const std::size_t indent = display_width(prompt);
  // A terminal too narrow for prompt and a wide character is treated as if it weren't.
  columns = std::max(columns, indent + 2);
  EditView view;
  view.rows.emplace_back(prompt);
  std::size_t column = indent;
  for (std::size_t at = 0; at <= text_.size();) {
    const std::size_t length =
        at == text_.size() ? 0 : grapheme_length(std::string_view(text_).substr(at));
    const std::string_view grapheme = std::string_view(text_).substr(at, length);
    const bool newline = grapheme == "\n";
    const std::string_view drawn = grapheme == "\t" ? " " : grapheme;
    const std::size_t width = at == text_.size() || newline ? 1 : grapheme_width(drawn);
    if (column + width > columns) {
      view.rows.emplace_back();
      column = 0;
    }
    if (at == cursor_) {
      view.cursor_row = view.rows.size() - 1;
      view.cursor_column = column;
    }
    if (at == text_.size()) break;
    if (newline) {
      view.rows.emplace_back(indent, ' ');
      column = indent;
    } else {
      view.rows.back() += drawn;
      column += width;
    }
    at += length;
  }
  return view;
}

}  // namespace jarip
