#include "app/call_ids.h"

#include <algorithm>

#include "base/random.h"

namespace jarip {
namespace {

constexpr std::string_view kDigits =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::uint64_t kStream = 0x63616C6C;  // tells these bits from the sampler's
constexpr std::uint32_t kWords = 4;
constexpr std::size_t kDigitsOfWord = 6;
constexpr std::size_t kShortLength = 9;

void append_digits(std::string& out, std::uint64_t bits, std::size_t n) {
  for (; n > 0; --n, bits /= kDigits.size()) out += kDigits[bits % kDigits.size()];
}

}  // namespace

std::string call_id(std::uint64_t key, std::uint32_t index) {
  std::string id;
  for (std::uint32_t word = 0; word < kWords; ++word) {
    append_digits(id, random_bits(key, std::uint64_t{index} * kWords + word, kStream),
                  kDigitsOfWord);
  }
  return id;
}

// FNV-1a, 64 bits: tells ids apart, protects nothing.
std::string short_call_id(std::string_view id) {
  const bool is_plain = std::ranges::all_of(id, [](char c) { return kDigits.contains(c); });
  if (id.size() == kShortLength && is_plain) return std::string(id);
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  std::string out;
  append_digits(out, hash, kShortLength);
  return out;
}

}  // namespace jarip
