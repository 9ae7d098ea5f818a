#include "app/harmony_splitter.h"

#include <algorithm>
#include <array>
#include <utility>

namespace jarip {
namespace {

constexpr std::string_view kSpace = " \n\r\t";
constexpr std::string_view kMessage = "<|message|>";
constexpr std::string_view kChannel = "<|channel|>";
constexpr std::string_view kStart = "<|start|>";
constexpr std::string_view kRecipient = "to=";
constexpr std::string_view kFunctions = "functions.";
constexpr std::array<std::string_view, 5> kHeaderBegins = {kChannel, kStart, kRecipient, kMessage,
                                                           "<|constrain|>"};
constexpr std::array<std::string_view, 4> kEnds = {"<|end|>", kStart, "<|call|>", "<|return|>"};
constexpr std::size_t kMaxHeaderBytes = 300;

bool may_be_header(std::string_view text) {
  if (text.size() > kMaxHeaderBytes) return false;
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  return std::ranges::any_of(kHeaderBegins, [&](std::string_view begin) {
    return begin.starts_with(text) || text.starts_with(begin);
  });
}

// The word behind the mark; empty without it.
std::string_view word_behind(std::string_view header, std::string_view mark) {
  const std::size_t place = header.find(mark);
  if (place == std::string_view::npos) return {};
  header.remove_prefix(place + mark.size());
  return header.substr(0, header.find_first_of("< \n\r\t"));
}

}  // namespace

void HarmonySplitter::push(std::string_view text, std::vector<AnswerPart>& parts) {
  parts_ = &parts;
  for (const char byte : text) read(byte);
}

void HarmonySplitter::finish(std::vector<AnswerPart>& parts) {
  parts_ = &parts;
  const std::string held = std::exchange(held_, {});
  if (state_ != State::kHeader) {
    add(held);
    end_message();
  } else if (!std::ranges::any_of(kHeaderBegins, [&](std::string_view begin) {
               return std::string_view(held).contains(begin);
             })) {
    say(held);  // nothing that is only half a header
  }
}

void HarmonySplitter::read(char byte) {
  if (state_ == State::kHeader) {
    read_header(byte);
  } else {
    read_body(byte);
  }
}

void HarmonySplitter::read_header(char byte) {
  held_ += byte;
  if (held_.ends_with(kMessage)) return begin_message();
  if (may_be_header(held_)) return;
  begin_text(State::kContent);
  for (const char again : std::exchange(held_, {})) read_body(again);
}

void HarmonySplitter::begin_message() {
  const std::string header = std::exchange(held_, {});
  std::string_view name = word_behind(header, kRecipient);
  if (name.empty()) {
    const bool thinks = word_behind(header, kChannel) == "analysis";
    return begin_text(thinks ? State::kReasoning : State::kContent);
  }
  if (name.starts_with(kFunctions)) name.remove_prefix(kFunctions.size());
  if (std::ranges::find(functions_, name, &CallableFunction::name) == functions_.end()) {
    begin_text(State::kContent);
    return add(header);
  }
  state_ = State::kCall;
  name_ = name;
  call_text_ = header;
  arguments_.clear();
  scanner_ = {};
  scanned_ = JsonScanner::Step::kMore;
  has_begun_ = false;
}

// A blank line between messages that go to the same place.
void HarmonySplitter::begin_text(State state) {
  state_ = state;
  needs_break_ = state == State::kContent ? has_content_ : has_thought_;
}

void HarmonySplitter::read_body(char byte) {
  held_ += byte;
  std::size_t n = 0;
  const auto may_end = [&] {
    const std::string_view rest = std::string_view(held_).substr(n);
    return std::ranges::any_of(kEnds, [&](std::string_view end) { return end.starts_with(rest); });
  };
  while (!may_end()) ++n;
  add(held_.substr(0, n));
  held_.erase(0, n);
  if (std::ranges::find(kEnds, std::string_view(held_)) == kEnds.end()) return;
  if (held_ != kStart) held_.clear();  // begins the next header
  end_message();
  state_ = State::kHeader;
}

void HarmonySplitter::end_message() {
  if (state_ != State::kCall) return;
  if (scanned_ == JsonScanner::Step::kLast) {
    give_arguments();
    ++n_calls_;
  } else if (!has_begun_) {
    leave_call();
  }
}

void HarmonySplitter::add(std::string_view text) {
  if (text.empty()) return;
  if (state_ == State::kContent) return say(text);
  if (state_ == State::kReasoning) {
    std::string piece = (std::exchange(needs_break_, false) ? "\n\n" : "") + std::string(text);
    auto* last = parts_->empty() ? nullptr : std::get_if<ReasoningPart>(&parts_->back());
    has_thought_ = true;
    if (last != nullptr) {
      last->text += piece;
    } else {
      parts_->emplace_back(ReasoningPart{std::move(piece)});
    }
    return;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!add_to_call(text[i])) {
      leave_call();
      return say(text.substr(i + 1));
    }
  }
}

// False: this is no call.
bool HarmonySplitter::add_to_call(char byte) {
  call_text_ += byte;
  if (kSpace.contains(byte) && (arguments_.empty() || scanned_ == JsonScanner::Step::kLast) &&
      !has_begun_) {
    return true;
  }
  if (scanned_ == JsonScanner::Step::kLast) return kSpace.contains(byte);
  const bool is_first = arguments_.empty() && !has_begun_;
  if (is_first && byte != '{') return false;
  scanned_ = scanner_.push(byte);
  if (scanned_ == JsonScanner::Step::kWrong) return false;
  arguments_ += byte;
  if (is_constrained_) give_arguments();
  return true;
}

// What was given out stays, and the rest is text.
void HarmonySplitter::leave_call() {
  if (has_begun_) ++n_calls_;
  begin_text(State::kContent);
  if (has_begun_) {
    say(call_text_.substr(call_text_.size() - 1));
  } else {
    say(call_text_);
  }
}

void HarmonySplitter::give_arguments() {
  if (arguments_.empty()) return;
  auto* last = parts_->empty() ? nullptr : std::get_if<CallPart>(&parts_->back());
  const bool goes_on = std::exchange(has_begun_, true);
  if (goes_on && last != nullptr && last->index == n_calls_) {
    last->arguments += std::exchange(arguments_, {});
  } else {
    parts_->emplace_back(
        CallPart{n_calls_, goes_on ? std::string() : name_, std::exchange(arguments_, {})});
  }
}

void HarmonySplitter::say(std::string_view text) {
  if (text.empty()) return;
  std::string piece = (std::exchange(needs_break_, false) ? "\n\n" : "") + std::string(text);
  has_content_ = true;
  if (auto* last = parts_->empty() ? nullptr : std::get_if<ContentPart>(&parts_->back())) {
    last->text += piece;
  } else {
    parts_->emplace_back(ContentPart{std::move(piece)});
  }
}

}  // namespace jarip
