#include "grammar/utf8_ranges.h"

#include <algorithm>
#include <string>

#include "base/utf8.h"

namespace jarip {
namespace {

constexpr char32_t kMaxCodePoint = 0x10FFFF;
constexpr char32_t kFirstSurrogate = 0xD800;
constexpr char32_t kLastSurrogate = 0xDFFF;

// The largest code points of one, two, three and four bytes.
constexpr char32_t kLastOfLength[] = {0x7F, 0x7FF, 0xFFFF, kMaxCodePoint};

// Both ends have UTF-8 of one length. Where only the last k bytes vary, and those fully, the bytes
// vary independently; else the range is cut there.
void add_same_length(char32_t low, char32_t high, std::vector<Utf8Sequence>& out) {
  for (unsigned k = 1; k < 4; ++k) {
    const char32_t mask = (char32_t{1} << (6 * k)) - 1;
    if ((low & ~mask) == (high & ~mask)) continue;
    if ((low & mask) != 0) {
      add_same_length(low, low | mask, out);
      add_same_length((low | mask) + 1, high, out);
      return;
    }
    if ((high & mask) != mask) {
      add_same_length(low, (high & ~mask) - 1, out);
      add_same_length(high & ~mask, high, out);
      return;
    }
  }
  std::string first;
  std::string last;
  append_utf8(first, low);
  append_utf8(last, high);
  Utf8Sequence sequence;
  sequence.length = static_cast<std::uint8_t>(first.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    sequence.bytes[i] = {static_cast<std::uint8_t>(first[i]), static_cast<std::uint8_t>(last[i])};
  }
  out.push_back(sequence);
}

void add_range(char32_t low, char32_t high, std::vector<Utf8Sequence>& out) {
  for (const char32_t end : kLastOfLength) {
    if (low > end) continue;
    if (low > high) return;
    add_same_length(low, std::min(high, end), out);
    low = end + 1;
  }
}

}  // namespace

std::vector<Utf8Sequence> utf8_sequences(std::span<const CodePointRange> ranges) {
  std::vector<Utf8Sequence> out;
  for (const auto& [low, high] : ranges) {
    if (low < kFirstSurrogate) add_range(low, std::min<char32_t>(high, kFirstSurrogate - 1), out);
    if (high > kLastSurrogate) {
      add_range(std::max<char32_t>(low, kLastSurrogate + 1), std::min(high, kMaxCodePoint), out);
    }
  }
  return out;
}

}  // namespace jarip
