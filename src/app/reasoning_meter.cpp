#include "app/reasoning_meter.h"

#include <algorithm>
#include <cstddef>

#include "base/utf8.h"

namespace jarip {
namespace {

constexpr std::string_view kSpace = " \n\r\t";
constexpr std::size_t kMostOfCharacter = 3;  // bytes of one that isn't whole

}  // namespace

ReasoningMeter::ReasoningMeter(const ReasoningShape& shape, bool begun)
    : shape_(shape), state_(begun ? State::kInside : State::kBefore) {}

void ReasoningMeter::take(std::string_view bytes) {
  if (state_ == State::kBehind && !shape_.repeats) return;
  ++n_taken_;
  if (bytes.empty() && state_ == State::kInside) count(n_taken_);
  for (const char byte : bytes) {
    if (state_ == State::kBefore) {
      read_before(byte);
    } else if (state_ == State::kInside) {
      read_inside(byte);
    } else if (shape_.repeats) {
      read_behind(byte);
    }
  }
  tail_ += bytes;
  tail_.erase(0, tail_.size() - std::min(tail_.size(), kMostOfCharacter));
}

void ReasoningMeter::read_before(char byte) {
  if (held_.empty() && kSpace.contains(byte)) return;
  held_ += byte;
  if (held_ == shape_.open) {
    held_.clear();
    state_ = State::kInside;
  } else if (!shape_.open.starts_with(held_)) {
    held_.clear();
    state_ = State::kBehind;
  }
}

void ReasoningMeter::read_behind(char byte) {
  held_ += byte;
  std::size_t n = 0;
  while (!shape_.open.starts_with(std::string_view(held_).substr(n))) ++n;
  held_.erase(0, n);
  if (held_ != shape_.open) return;
  held_.clear();
  state_ = State::kInside;
}

void ReasoningMeter::read_inside(char byte) {
  held_ += byte;
  token_.push_back(n_taken_);
  std::size_t n = 0;
  while (!shape_.close.starts_with(std::string_view(held_).substr(n))) count(token_[n++]);
  held_.erase(0, n);
  token_.erase(token_.begin(), token_.begin() + static_cast<std::ptrdiff_t>(n));
  if (held_ != shape_.close) return;
  held_.clear();
  token_.clear();
  state_ = State::kBehind;
}

void ReasoningMeter::count(std::uint32_t token) {
  if (token == last_counted_) return;
  last_counted_ = token;
  ++n_counted_;
}

std::uint32_t ReasoningMeter::n_tokens() const {
  std::uint32_t n = n_counted_;
  std::uint32_t last = last_counted_;
  for (const std::uint32_t token : token_) {
    if (token != last) ++n;
    last = token;
  }
  return n;
}

bool ReasoningMeter::is_between_characters() const {
  // A tail that begins inside a character has only bytes before its first whole one that can't be
  // the beginning of another.
  return whole_utf8_prefix(tail_) == tail_.size();
}

}  // namespace jarip
