#include "app/answer_decoder.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace jarip {

StopFinder::StopFinder(std::span<const std::string> stops) {
  for (const std::string& text : stops) {
    if (text.empty()) continue;
    Pattern& pattern = patterns_.emplace_back(Pattern{.text = text, .fallback = {0, 0}});
    for (std::size_t i = 1; i < text.size(); ++i) {
      std::uint32_t border = pattern.fallback[i];
      while (border != 0 && text[i] != text[border]) border = pattern.fallback[border];
      pattern.fallback.push_back(text[i] == text[border] ? border + 1 : 0);
    }
  }
}

std::size_t StopFinder::push(char byte) {
  std::size_t longest = 0;
  for (Pattern& pattern : patterns_) {
    std::size_t& n = pattern.n_matched;
    while (n != 0 && pattern.text[n] != byte) n = pattern.fallback[n];
    if (pattern.text[n] == byte) ++n;
    if (n == pattern.text.size()) {
      longest = std::max(longest, n);
      n = pattern.fallback[n];
    }
  }
  return longest;
}

std::size_t StopFinder::n_held() const {
  std::size_t longest = 0;
  for (const Pattern& pattern : patterns_) longest = std::max(longest, pattern.n_matched);
  return longest;
}

std::size_t IndentFinder::push(char byte) {
  if (min_indent_ == 0) return 0;
  if (n_undecided_ == 0) {
    if (byte == '\n') n_undecided_ = 1;
    return 0;
  }
  ++n_undecided_;
  if (byte != ' ' && byte != '\t') return n_undecided_;
  if (n_undecided_ > min_indent_) n_undecided_ = 0;
  return 0;
}

AnswerDecoder::AnswerDecoder(std::span<const std::string> stops, std::uint32_t min_indent)
    : finder_(stops), indent_(min_indent) {}

TextDelta AnswerDecoder::push(std::string_view bytes, std::optional<TokenDetail> detail) {
  if (stopped_) return {};
  const std::size_t n_text = n_shown_ + held_.size();
  const std::size_t begin = n_text + characters_.n_pending();
  characters_.feed(bytes);
  const std::string text = characters_.take();
  if (detail) {
    // A character still incomplete will add at least one byte of text, and belongs to this token.
    const std::size_t end = n_text + text.size() + (characters_.n_pending() == 0 ? 0 : 1);
    waiting_.push_back(
        {.detail = *std::move(detail), .begin = begin, .n_bytes = bytes.size(), .end = end});
  }
  return read(text);
}

TextDelta AnswerDecoder::finish() {
  if (stopped_) return {};
  TextDelta delta = read(characters_.finish());
  if (stopped_) return delta;
  TextDelta rest = show_until(n_shown_ + held_.size());
  delta.text += rest.text;
  std::ranges::move(rest.details, std::back_inserter(delta.details));
  return delta;
}

TextDelta AnswerDecoder::read(std::string_view text) {
  for (const char byte : text) {
    held_ += byte;
    const std::size_t n_stop = finder_.push(byte);
    const std::size_t n_cut = std::max(n_stop, indent_.push(byte));
    if (n_cut == 0) continue;
    stopped_ = true;
    if (n_stop > 0) stop_ = held_.substr(held_.size() - n_stop);
    const std::size_t end = n_shown_ + held_.size() - n_cut;
    TextDelta delta = show_until(end);
    // What is left began before the stop string, or is dropped with it.
    for (Waiting& token : waiting_) {
      if (token.begin >= end) break;
      if (token.begin + token.n_bytes > end) token.detail.chosen.bytes.resize(end - token.begin);
      delta.details.push_back(std::move(token.detail));
    }
    waiting_.clear();
    return delta;
  }
  return show_until(n_shown_ + held_.size() - std::max(finder_.n_held(), indent_.n_held()));
}

TextDelta AnswerDecoder::show_until(std::size_t end) {
  TextDelta delta;
  delta.text = held_.substr(0, end - n_shown_);
  held_.erase(0, end - n_shown_);
  n_shown_ = end;
  while (!waiting_.empty() && waiting_.front().end <= end) {
    delta.details.push_back(std::move(waiting_.front().detail));
    waiting_.pop_front();
  }
  return delta;
}

}  // namespace jarip
