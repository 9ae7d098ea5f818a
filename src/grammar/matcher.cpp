#include "grammar/matcher.h"

#include <algorithm>
#include <utility>

namespace jarip {
namespace {

constexpr std::size_t kFramesBeforeTidying = 4096;

}  // namespace

Matcher::Matcher(std::shared_ptr<const Grammar> grammar, std::span<const std::uint32_t> end_tokens)
    : grammar_(std::move(grammar)),
      end_tokens_(end_tokens.begin(), end_tokens.end()),
      stacks_(grammar_->automaton()),
      position_(stacks_.begin()),
      tidy_at_(kFramesBeforeTidying) {}

Result<std::span<const std::uint64_t>> Matcher::mask() {
  for (const Remembered& one : remembered_) {
    if (!one.words.empty() && one.position == position_) return std::span(one.words);
  }
  Remembered& slot = remembered_[n_remembered_ % remembered_.size()];
  MaskWords words = std::move(slot.words);
  slot.words.clear();
  words.assign(grammar_->trie().n_words(), 0);
  JARIP_CHECK(grammar_->masks().add_allowed(stacks_, position_, words));
  for (const std::uint32_t token : end_tokens_) {
    const std::uint64_t bit = std::uint64_t{1} << (token % 64);
    words[token / 64] = may_end() ? words[token / 64] | bit : words[token / 64] & ~bit;
  }
  if (std::ranges::all_of(words, [](std::uint64_t word) { return word == 0; })) {
    return fail(
        ErrorCode::kUnsupported,
        "the grammar asks for text that the model's vocabulary can't write, or has too many "
        "readings here to follow");
  }
  slot = {position_, std::move(words)};
  ++n_remembered_;
  return std::span(std::as_const(slot.words));
}

bool Matcher::take(std::uint32_t token) {
  if (std::ranges::find(end_tokens_, token) != end_tokens_.end()) return may_end();
  const std::string_view bytes = grammar_->trie().bytes_of(token);
  return !bytes.empty() && take_bytes(bytes);
}

bool Matcher::take_bytes(std::string_view bytes) {
  Position from = position_;
  Position to;
  for (const char c : bytes) {
    stacks_.advance(from, static_cast<std::uint8_t>(c), to);
    if (to.refused()) return false;
    std::swap(from, to);
  }
  position_ = std::move(from);
  tidy();
  return true;
}

// Frames that no stack needs any more would pile up over a long answer.
void Matcher::tidy() {
  if (stacks_.n_frames() < tidy_at_) return;
  stacks_.keep_only({&position_, 1});
  for (Remembered& one : remembered_) one = {};
  tidy_at_ = 2 * stacks_.n_frames() + kFramesBeforeTidying;
}

}  // namespace jarip
