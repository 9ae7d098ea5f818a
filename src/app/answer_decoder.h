// An answer's tokens to the text that may be shown: whole characters, never part of a stop string.
// Belongs to one answer; called by the engine's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/turn.h"
#include "base/utf8.h"

namespace jarip {

// Finds the first stop string to be completed: of those completed by the same byte the longest.
// That choice depends on the text alone and never on how the text was cut (law L1), and it is the
// earliest moment at which generation can end.
class StopFinder {
 public:
  explicit StopFinder(std::span<const std::string> stops);

  // Reads the next byte of text; the length of the stop string that it completes, or 0.
  std::size_t push(char byte);

  // How many of the last bytes may still become a stop string.
  [[nodiscard]] std::size_t n_held() const;

 private:
  // Knuth, Morris and Pratt: fallback[i] is the longest proper border of the first i bytes.
  struct Pattern {
    std::string text;
    std::vector<std::uint32_t> fallback;
    std::size_t n_matched = 0;
  };
  std::vector<Pattern> patterns_;
};

// Finds the first line that is indented by fewer spaces and tabs than wanted; the answer's first
// line isn't looked at.
class IndentFinder {
 public:
  explicit IndentFinder(std::uint32_t min_indent) : min_indent_(min_indent) {}

  // Reads the next byte; how many of the last bytes, the line end included, are of such a line.
  std::size_t push(char byte);
  [[nodiscard]] std::size_t n_held() const { return n_undecided_; }

 private:
  std::uint32_t min_indent_;
  std::size_t n_undecided_ = 0;  // bytes since and with the line end; 0: the line is fine
};

class AnswerDecoder {
 public:
  explicit AnswerDecoder(std::span<const std::string> stops, std::uint32_t min_indent = 0);

  // The text that the next token makes safe to show, and the details of the tokens it belongs to:
  // the bytes of all details together are the text (what isn't valid UTF-8 apart). Empty after
  // stopped().
  [[nodiscard]] TextDelta push(std::string_view bytes, std::optional<TokenDetail> detail);

  // What was held back: the answer ended without a stop string. U+FFFD stands for a character
  // that never became whole.
  [[nodiscard]] TextDelta finish();

  [[nodiscard]] bool stopped() const { return stopped_; }
  // The stop string that was met.
  [[nodiscard]] const std::optional<std::string>& stop() const { return stop_; }

 private:
  // A token whose detail waits for its text. Offsets are in the answer's text.
  struct Waiting {
    TokenDetail detail;
    std::size_t begin = 0;
    std::size_t n_bytes = 0;  // of its text; 0 for a control token
    std::size_t end = 0;      // the detail may be shown when the text before this is
  };

  TextDelta read(std::string_view text);
  TextDelta show_until(std::size_t end);

  StopFinder finder_;
  IndentFinder indent_;
  Utf8Stream characters_;
  std::string held_;
  std::size_t n_shown_ = 0;  // bytes of text already given out; held_ begins here
  std::deque<Waiting> waiting_;
  bool stopped_ = false;
  std::optional<std::string> stop_;
};

}  // namespace jarip
