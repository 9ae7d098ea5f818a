#include "app/tagged_reader.h"

#include <algorithm>

#include "grammar/characters.h"

namespace jarip {
namespace {

constexpr std::string_view kSpace = " \n\r\t";
constexpr std::string_view kCdataBegin = "<![CDATA[";
constexpr std::string_view kCdataEnd = "]]>";

std::string_view trim(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

std::string_view space_behind(std::string_view text) {
  return text.substr(text.find_last_not_of(kSpace) + 1);
}

bool is_json(std::string_view text) {
  JsonScanner scanner;
  JsonScanner::Step step = JsonScanner::Step::kMore;
  for (const char byte : text) {
    if (step != JsonScanner::Step::kMore) return false;
    step = scanner.push(byte);
  }
  if (step == JsonScanner::Step::kLast) return true;
  // Only what comes behind a number ends it.
  return step == JsonScanner::Step::kMore && scanner.push(' ') == JsonScanner::Step::kBehind;
}

// As templates that print values in Python's way have taught models.
std::string_view json_of_python(std::string_view text, std::uint8_t types) {
  if ((types & json_type::kBoolean) != 0 && text == "True") return "true";
  if ((types & json_type::kBoolean) != 0 && text == "False") return "false";
  if ((types & json_type::kNull) != 0 && text == "None") return "null";
  return {};
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  out += escape_json(text);
  out += '"';
  return out;
}

}  // namespace

std::string without_gaps(std::string_view text) {
  text = trim(text);
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t next = std::min(text.find_first_not_of(kSpace, i), text.size());
    const bool is_gap = next > i && out.ends_with('>') && text[next] == '<';
    if (is_gap) i = next;
    out += text[i];
  }
  return out;
}

TaggedReader::TaggedReader(const CallShape::Tagged& form, const ArgumentTypes& types)
    : form_(form),
      types_(types),
      key_mark_(trim(form.before_key)),
      text_mark_(without_gaps(form.before_text)),
      json_mark_(without_gaps(form.before_json)),
      close_(trim(form.after_value)) {
  const std::string_view after = form.after_value;
  spaced_close_ = std::string(after.substr(0, std::min(after.find(close_), after.size()))) + close_;
}

TaggedReader::Step TaggedReader::push(char byte) {
  switch (state_) {
    case State::kBetween:
      return push_between(byte);
    case State::kKey:
      return push_key(byte);
    case State::kLead:
      push_lead(byte);
      return Step::kMore;
    case State::kValue:
      push_value(byte);
      return Step::kMore;
  }
  return Step::kWrong;
}

TaggedReader::Step TaggedReader::push_between(char byte) {
  if (held_.empty() && kSpace.contains(byte)) return Step::kMore;
  held_ += byte;
  if (held_ == form_.call_end) {
    json_ += keys_.empty() ? "{}" : "}";
    return Step::kEnd;
  }
  if (held_ == key_mark_) {
    held_.clear();
    state_ = State::kKey;
    return Step::kMore;
  }
  const bool may_be_mark = key_mark_.starts_with(held_) || form_.call_end.starts_with(held_);
  return may_be_mark ? Step::kMore : Step::kWrong;
}

TaggedReader::Step TaggedReader::push_key(char byte) {
  held_ += byte;
  const std::string text = without_gaps(held_);
  for (const std::string_view mark : {std::string_view(text_mark_), std::string_view(json_mark_)}) {
    if (!text.ends_with(mark)) continue;
    const std::string_view key = trim(std::string_view(text).substr(0, text.size() - mark.size()));
    const bool is_text = mark == text_mark_;
    const bool is_told = text_mark_ != json_mark_;
    value_types_ = types_.of(key);
    if (is_told && is_text) value_types_ = json_type::kString;
    if (is_told && !is_text) value_types_ = json_type::kAll & ~json_type::kString;
    return begin_value(key, space_behind(is_text ? form_.before_text : form_.before_json));
  }
  return held_.size() > 2 * kMaxKeyBytes ? Step::kWrong : Step::kMore;
}

TaggedReader::Step TaggedReader::begin_value(std::string_view key, std::string_view space) {
  if (key.empty() || key.size() > kMaxKeyBytes || std::ranges::find(keys_, key) != keys_.end()) {
    return Step::kWrong;
  }
  json_ += keys_.empty() ? "{" : ", ";
  json_ += quoted(key) + ": ";
  if (is_streamed()) json_ += '"';
  keys_.emplace_back(key);
  lead_ = space;
  held_.clear();
  value_.clear();
  scanner_ = {};
  scanned_ = JsonScanner::Step::kMore;
  state_ = space.empty() ? State::kValue : State::kLead;
  return Step::kMore;
}

// A part of the white space alone is part of the value.
void TaggedReader::push_lead(char byte) {
  held_ += byte;
  if (held_ == lead_) {
    held_.clear();
    state_ = State::kValue;
  } else if (!lead_.starts_with(held_)) {
    state_ = State::kValue;
    for (const char again : std::exchange(held_, {})) push_value(again);
  }
}

void TaggedReader::push_value(char byte) {
  held_ += byte;
  std::size_t n = 0;
  const auto may_end = [&] {
    const std::string_view rest = std::string_view(held_).substr(n);
    return spaced_close_.starts_with(rest) || close_.starts_with(rest);
  };
  while (!may_end()) ++n;
  add_to_value(std::string_view(held_).substr(0, n));
  held_.erase(0, n);
  if (held_ != close_ && held_ != spaced_close_) return;
  // JSON can have the mark inside its strings; what may be text can't.
  const bool is_inside = (value_types_ & json_type::kString) == 0 &&
                         scanned_ == JsonScanner::Step::kMore && scanner_.is_inside_string();
  if (is_inside) return add_to_value(std::exchange(held_, {}));
  held_.clear();
  end_value();
  state_ = State::kBetween;
}

bool TaggedReader::is_streamed() const {
  return value_types_ == json_type::kString && !form_.has_cdata;
}

void TaggedReader::add_to_value(std::string_view text) {
  if (is_streamed()) {
    json_ += escape_json(text);
    return;
  }
  value_ += text;
  for (const char byte : text) {
    if (scanned_ == JsonScanner::Step::kMore) scanned_ = scanner_.push(byte);
  }
}

void TaggedReader::end_value() {
  if (is_streamed()) {
    json_ += '"';
    return;
  }
  const bool is_cdata = form_.has_cdata && value_.starts_with(kCdataBegin) &&
                        value_.ends_with(kCdataEnd) &&
                        value_.size() >= kCdataBegin.size() + kCdataEnd.size();
  if (is_cdata || value_types_ == json_type::kString) {
    const std::string_view inside =
        is_cdata ? std::string_view(value_).substr(
                       kCdataBegin.size(), value_.size() - kCdataBegin.size() - kCdataEnd.size())
                 : std::string_view(value_);
    json_ += quoted(inside);
    return;
  }
  const std::string_view text = trim(value_);
  const bool is_value = is_json(text) && !reads_as_string(text, value_types_);
  const std::string_view python =
      (value_types_ & json_type::kString) == 0 ? json_of_python(text, value_types_) : "";
  if (is_value) {
    json_ += text;
  } else if (!python.empty()) {
    json_ += python;
  } else {
    json_ += quoted(value_);
  }
}

}  // namespace jarip
