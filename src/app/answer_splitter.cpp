#include "app/answer_splitter.h"

#include <utility>

namespace jarip {
namespace {

constexpr std::string_view kSpace = " \n\r\t";

// How many of the first bytes can't be the beginning of the mark: all that follow are.
std::size_t n_before_mark(std::string_view text, std::string_view mark) {
  std::size_t n = 0;
  while (!mark.starts_with(text.substr(n))) ++n;
  return n;
}

}  // namespace

AnswerSplitter::AnswerSplitter(SplitOptions options) : options_(std::move(options)) {
  if (options_.is_harmony) harmony_.emplace(options_.functions, options_.is_constrained);
  if (options_.reasoning) {
    state_ = options_.begins_in_reasoning ? State::kReasoning : State::kStart;
  }
}

std::vector<AnswerPart> AnswerSplitter::push(std::string_view text) {
  if (harmony_) {
    harmony_->push(text, parts_);
    return std::exchange(parts_, {});
  }
  if (!options_.reasoning && options_.shape == nullptr) {
    add_content(text);
  } else {
    for (const char byte : text) read(byte);
  }
  return std::exchange(parts_, {});
}

std::vector<AnswerPart> AnswerSplitter::finish() {
  if (harmony_) {
    harmony_->finish(parts_);
    return std::exchange(parts_, {});
  }
  const std::string held = std::exchange(held_, {});
  switch (state_) {
    case State::kReasoning:
      think(held);
      break;
    case State::kStart:
    case State::kContent:
      say(held);
      break;
    case State::kCalls:
      if (!calls_->is_between() && !has_begun_) say(held);
      break;
  }
  if (state_ != State::kReasoning && n_calls_ == 0) add_content(space_);
  space_.clear();
  return std::exchange(parts_, {});
}

void AnswerSplitter::read(char byte) {
  switch (state_) {
    case State::kStart:
      return read_start(byte);
    case State::kReasoning:
      return read_reasoning(byte);
    case State::kContent:
      return read_content(byte);
    case State::kCalls:
      return read_calls(byte);
  }
}

void AnswerSplitter::read_start(char byte) {
  if (held_.empty() && kSpace.contains(byte)) {
    space_ += byte;
    return;
  }
  held_ += byte;
  if (held_ == options_.reasoning->open) {
    held_.clear();
    space_.clear();
    state_ = State::kReasoning;
  } else if (!options_.reasoning->open.starts_with(held_)) {
    state_ = State::kContent;
    for (const char again : std::exchange(held_, {})) read(again);
  }
}

void AnswerSplitter::read_reasoning(char byte) {
  held_ += byte;
  const std::size_t n = n_before_mark(held_, options_.reasoning->close);
  think(std::string_view(held_).substr(0, n));
  held_.erase(0, n);
  if (held_ != options_.reasoning->close) return;
  held_.clear();
  space_.clear();
  drops_space_ = true;
  state_ = State::kContent;
}

void AnswerSplitter::read_content(char byte) {
  if (options_.shape == nullptr) return say({&byte, 1});
  const std::string& mark = options_.shape->marker;
  if (mark.empty()) {
    if (!at_start_ || byte != (options_.shape->object->in_list ? '[' : '{')) {
      return say({&byte, 1});
    }
    begin_calls();
    return read_calls(byte);
  }
  held_ += byte;
  const std::size_t n = n_before_mark(held_, mark);
  say(std::string_view(held_).substr(0, n));
  held_.erase(0, n);
  if (held_ == mark) begin_calls();
}

// What was held is the mark; it stays until the call is one.
void AnswerSplitter::begin_calls() {
  calls_.emplace(*options_.shape, options_.functions);
  state_ = State::kCalls;
}

void AnswerSplitter::read_calls(char byte) {
  held_ += byte;
  const CallReader::Step step = calls_->push(byte);
  if (step == CallReader::Step::kCall || (options_.is_constrained && calls_->has_arguments())) {
    add_call();
  }
  switch (step) {
    case CallReader::Step::kMore:
      break;
    case CallReader::Step::kCall:
      end_call();
      break;
    case CallReader::Step::kEnd:
      leave_calls({});
      break;
    case CallReader::Step::kLeave:
      leave_calls(std::string(calls_->unread()));
      break;
    case CallReader::Step::kWrong:
      if (has_begun_) {
        end_call();
      } else {
        held_.pop_back();
        say(held_);
      }
      leave_calls({&byte, 1});
      break;
  }
}

void AnswerSplitter::add_call() {
  std::string arguments = calls_->take_arguments();
  const bool is_first = !std::exchange(has_begun_, true);
  auto* last = parts_.empty() ? nullptr : std::get_if<CallPart>(&parts_.back());
  if (!is_first && last != nullptr && last->index == n_calls_) {
    last->arguments += arguments;
  } else if (is_first || !arguments.empty()) {
    parts_.emplace_back(
        CallPart{n_calls_, is_first ? calls_->name() : std::string(), std::move(arguments)});
  }
}

void AnswerSplitter::end_call() {
  ++n_calls_;
  has_begun_ = false;
  at_start_ = false;
  held_.clear();
  space_.clear();
}

void AnswerSplitter::leave_calls(const std::string& unread) {
  calls_.reset();
  held_.clear();
  state_ = State::kContent;
  for (const char byte : unread) read(byte);
}

void AnswerSplitter::add_content(std::string_view text) {
  if (text.empty()) return;
  if (auto* last = parts_.empty() ? nullptr : std::get_if<ContentPart>(&parts_.back())) {
    last->text += text;
  } else {
    parts_.emplace_back(ContentPart{std::string(text)});
  }
}

void AnswerSplitter::say(std::string_view text) {
  const std::size_t n = text.find_last_not_of(kSpace) + 1;
  if (n > 0) {
    const std::size_t n_dropped = drops_space_ ? text.find_first_not_of(kSpace) : 0;
    add_content(space_);
    add_content(text.substr(n_dropped, n - n_dropped));
    space_.clear();
    drops_space_ = false;
    at_start_ = false;
  }
  if (drops_space_) return;
  if (options_.shape == nullptr) {
    add_content(text.substr(n));
  } else {
    space_ += text.substr(n);
  }
}

void AnswerSplitter::think(std::string_view text) {
  const std::size_t n = text.find_last_not_of(kSpace) + 1;
  if (n > 0) {
    const std::size_t n_dropped = has_thought_ ? 0 : text.find_first_not_of(kSpace);
    const std::string piece = space_ + std::string(text.substr(n_dropped, n - n_dropped));
    if (auto* last = parts_.empty() ? nullptr : std::get_if<ReasoningPart>(&parts_.back())) {
      last->text += piece;
    } else {
      parts_.emplace_back(ReasoningPart{piece});
    }
    space_.clear();
    has_thought_ = true;
  }
  if (has_thought_) space_ += text.substr(n);
}

}  // namespace jarip
