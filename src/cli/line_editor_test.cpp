#include "cli/line_editor.h"

#include <gtest/gtest.h>

namespace jarip {
namespace {

// Types bytes as a terminal would send them; the last key's outcome.
EditOutcome type(LineEditor& editor, std::string_view bytes) {
  KeyReader reader;
  EditOutcome outcome = EditOutcome::kEditing;
  for (const char byte : bytes) {  // one at a time: keys must not depend on how they are cut
    reader.feed({&byte, 1});
    while (const auto key = reader.next()) outcome = editor.press(*key);
  }
  return outcome;
}

std::string typed(std::string_view bytes, const std::vector<std::string>& history = {}) {
  LineEditor editor(history);
  type(editor, bytes);
  return editor.text();
}

TEST(LineEditorTest, HangulIsTypedAndDeletedBySyllable) {
  EXPECT_EQ(typed("안녕하세요"), "안녕하세요");
  EXPECT_EQ(typed("안녕\x7f"), "안");
  EXPECT_EQ(typed("안녕\x7f\x7f\x7f"), "");
  // ᄒ ᅡ ᆫ, three code points and one syllable.
  EXPECT_EQ(typed("a\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB\x7f"), "a");
  EXPECT_EQ(typed("a👨‍👩‍👧\x7f"), "a");
}

TEST(LineEditorTest, TheCursorMovesByCharacterWordAndLine) {
  EXPECT_EQ(typed("한글\x1b[D\x1b[D말"), "말한글");
  EXPECT_EQ(typed("bc\x01"
                  "a\x05"
                  "d"),
            "abcd");
  EXPECT_EQ(typed("one two\x1b[1;5Dx"), "one xtwo");
  EXPECT_EQ(typed("one two\x1b"
                  "b\x1b"
                  "b\x1b"
                  "fx"),
            "onex two");
  EXPECT_EQ(typed("abc\x02\x02\x1b[3~"), "ac");
  EXPECT_EQ(typed("abc\x1bOH\x04"), "bc");
}

TEST(LineEditorTest, KillsReachToTheEndsOfTheirLine) {
  EXPECT_EQ(typed("one two\x17"), "one ");
  EXPECT_EQ(typed("one two\x15"), "");
  EXPECT_EQ(typed("one two\x01\x1b[C\x0b"), "o");
  EXPECT_EQ(typed("first\x0asecond\x15"), "first\n");
}

TEST(LineEditorTest, EnterAcceptsAndABackslashAsksForAnotherLine) {
  const std::vector<std::string> none;
  LineEditor editor(none);
  EXPECT_EQ(type(editor, "one\\\r"), EditOutcome::kEditing);
  EXPECT_EQ(type(editor, "two\r"), EditOutcome::kAccepted);
  EXPECT_EQ(editor.text(), "one\ntwo");
  EXPECT_EQ(typed("a\x1b\rb"), "a\nb");
}

TEST(LineEditorTest, APasteIsTakenAsTextWhateverItHolds) {
  const std::vector<std::string> none;
  LineEditor editor(none);
  EXPECT_EQ(type(editor, "x\x1b[200~one\r\ntwo\rthree\x03\x1b[A\\\r\x1b[201~y"),
            EditOutcome::kEditing);
  EXPECT_EQ(editor.text(), "xone\ntwo\nthree[A\\\ny");
}

TEST(LineEditorTest, ControlKeysLeaveAsTheyShould) {
  const std::vector<std::string> none;
  LineEditor editor(none);
  EXPECT_EQ(type(editor, "\x04"), EditOutcome::kEnded);
  EXPECT_EQ(type(editor, "a\x03"), EditOutcome::kInterrupted);
  EXPECT_EQ(type(editor, "\x0c"), EditOutcome::kClear);
  EXPECT_EQ(type(editor, "\x1a"), EditOutcome::kSuspend);
  EXPECT_EQ(type(editor, "\x04"), EditOutcome::kEditing);
  EXPECT_EQ(type(editor, "\x1b[99~\x1b[5;9R\x07"), EditOutcome::kEditing);
  EXPECT_EQ(editor.text(), "a");
}

TEST(LineEditorTest, HistoryComesAndTheDraftIsKept) {
  const std::vector<std::string> history = {"oldest", "newest"};
  EXPECT_EQ(typed("draft\x1b[A", history), "newest");
  EXPECT_EQ(typed("draft\x1b[A\x1b[A\x1b[A", history), "oldest");
  EXPECT_EQ(typed("draft\x1b[A\x1b[A\x1b[B\x1b[B\x1b[B", history), "draft");
}

TEST(LineEditorTest, UpAndDownMoveWithinSeveralLinesFirst) {
  const std::vector<std::string> history = {"old"};
  EXPECT_EQ(typed("한글a\x0a"
                  "bcd\x1b[Ax",
                  history),
            "한글xa\nbcd");
  EXPECT_EQ(typed("ab\x0a"
                  "c\x1b[A\x1b[B!",
                  history),
            "ab\nc!");
  EXPECT_EQ(typed("ab\x0a"
                  "c\x1b[A\x1b[A",
                  history),
            "old");
}

TEST(LineEditorTest, TheViewWrapsByWidthAndNeverSplitsACharacter) {
  const std::vector<std::string> none;
  LineEditor editor(none);
  type(editor, "한글말");
  const EditView view = editor.view("> ", 7);
  EXPECT_EQ(view.rows, (std::vector<std::string>{"> 한글", "말"}));
  EXPECT_EQ(view.cursor_row, 1U);
  EXPECT_EQ(view.cursor_column, 2U);
}

TEST(LineEditorTest, TheCursorAfterAFullRowStandsOnTheNext) {
  const std::vector<std::string> none;
  LineEditor editor(none);
  type(editor, "abcd");
  const EditView view = editor.view("> ", 6);
  EXPECT_EQ(view.rows, (std::vector<std::string>{"> abcd", ""}));
  EXPECT_EQ(view.cursor_row, 1U);
  EXPECT_EQ(view.cursor_column, 0U);
}

TEST(LineEditorTest, TheViewIndentsFurtherLines) {
  const std::vector<std::string> none;
  LineEditor editor(none);
  type(editor,
       "a\x0a"
       "b\x1b[D");
  const EditView view = editor.view("> ", 20);
  EXPECT_EQ(view.rows, (std::vector<std::string>{"> a", "  b"}));
  EXPECT_EQ(view.cursor_row, 1U);
  EXPECT_EQ(view.cursor_column, 2U);
}

TEST(LineEditorTest, ATallTextIsShownAroundTheCursor) {
  const EditView view = {
      .rows = {"0", "1", "2", "3", "4", "5"}, .cursor_row = 4, .cursor_column = 1};
  const EditView clipped = clip_view(view, 3);
  EXPECT_EQ(clipped.rows, (std::vector<std::string>{"3", "4", "5"}));
  EXPECT_EQ(clipped.cursor_row, 1U);
  EXPECT_EQ(clipped.cursor_column, 1U);
  EXPECT_EQ(clip_view(view, 6).rows.size(), 6U);
  const EditView top = clip_view({.rows = {"0", "1", "2"}, .cursor_row = 0, .cursor_column = 0}, 2);
  EXPECT_EQ(top.rows, (std::vector<std::string>{"0", "1"}));
  EXPECT_EQ(top.cursor_row, 0U);
}

TEST(LineEditorTest, ANarrowTerminalStillEnds) {
  const std::vector<std::string> none;
  LineEditor editor(none);
  type(editor, "한글");
  EXPECT_EQ(editor.view("> ", 1).rows, (std::vector<std::string>{"> 한", "글"}));
}

}  // namespace
}  // namespace jarip
