#include "engine/prompt_lookup.h"

#include <algorithm>
#include <bit>

namespace jarip {
namespace {

constexpr float kMemory = 16.0F;  // judgements after which a rate has mostly forgotten

// Tokens before place that equal the last ones of text, at most `most`.
std::uint32_t count_agreeing(std::span<const TokenId> text, std::uint32_t place,
                             std::uint32_t most) {
  const std::uint32_t end = std::min(most, place);
  std::uint32_t n = 0;
  while (n < end && text[place - 1 - n] == text[text.size() - 1 - n]) ++n;
  return n;
}

}  // namespace

void PromptLookup::Index::resize(std::uint32_t n_most) {
  const std::uint64_t n_places = std::bit_ceil(2 * std::uint64_t{n_most});
  shift = 64U - static_cast<unsigned>(std::bit_width(n_places) - 1);
  places.assign(n_places, 0);
}

// Multiplicative hashing: the high bits of the product are the place. They are folded back between
// tokens, without which products of several small numbers lie in few places.
std::uint32_t& PromptLookup::Index::place_after(std::span<const TokenId> text) {
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15U;  // 2^64 divided by the golden ratio
  std::uint64_t hash = 0;
  for (const TokenId token : text.last(n)) {
    hash ^= hash >> 32U;
    hash = (hash + token + 1) * kOdd;
  }
  return places[hash >> shift];
}

void PromptLookup::begin(std::span<const TokenId> prompt, std::uint32_t n_most) {
  threes_.resize(n_most);
  twos_.resize(n_most);
  for (std::size_t n = 1; n <= prompt.size(); ++n) add(prompt.first(n));
  find(prompt);
}

void PromptLookup::append(std::span<const TokenId> text) {
  if (place_ != 0) judge(text[place_] == text.back());
  add(text);
  if (place_ == 0) find(text);
}

// The last token of text is what follows the ones before it.
void PromptLookup::add(std::span<const TokenId> text) {
  const auto place = static_cast<std::uint32_t>(text.size() - 1);
  const std::span<const TokenId> before = text.first(place);
  for (Index* index : {&threes_, &twos_}) {
    if (before.size() >= index->n) index->place_after(before) = place;
  }
}

void PromptLookup::find(std::span<const TokenId> text) {
  for (Index* index : {&threes_, &twos_}) {
    if (text.size() < index->n) continue;
    place_ = index->place_after(text);
    n_agreeing_ = count_agreeing(text, place_, kLongest);
    if (n_agreeing_ >= index->n) return;
  }
  place_ = 0;
}

void PromptLookup::judge(bool right) {
  float& rate = rates_[class_of(n_agreeing_)];
  rate += ((right ? 1.0F : 0.0F) - rate) / kMemory;
  place_ = right ? place_ + 1 : 0;
  n_agreeing_ = std::min(n_agreeing_ + 1, kLongest);
}

std::size_t PromptLookup::class_of(std::uint32_t n_agreeing) {
  return n_agreeing < 4 ? n_agreeing - 2 : std::bit_width(n_agreeing) - 1U;
}

std::span<const float> PromptLookup::chances(std::uint32_t n_most) {
  if (place_ == 0) return {};
  float chance = 1;
  for (std::uint32_t i = 0; i < n_most; ++i) {
    chance *= rates_[class_of(std::min(n_agreeing_ + i, kLongest))];
    chances_[i] = chance;
  }
  return std::span(chances_).first(n_most);
}

// Past the text's end go the guesses themselves: a text that repeats itself goes on doing so.
void PromptLookup::guess(std::span<const TokenId> text, std::span<TokenId> guesses) const {
  for (std::size_t i = 0; i < guesses.size(); ++i) {
    const std::size_t place = place_ + i;
    guesses[i] = place < text.size() ? text[place] : guesses[place - text.size()];
  }
}

}  // namespace jarip
