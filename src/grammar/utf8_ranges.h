// Ranges of code points as the byte ranges of their UTF-8. A pure function.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "grammar/expression.h"

namespace jarip {

struct ByteRange {
  std::uint8_t low = 0;
  std::uint8_t high = 0;  // inclusive
};

struct Utf8Sequence {
  std::array<ByteRange, 4> bytes = {};
  std::uint8_t length = 0;
};

// Every text of these code points, surrogates left out, is matched by exactly one of the sequences
// where the ranges don't overlap.
[[nodiscard]] std::vector<Utf8Sequence> utf8_sequences(std::span<const CodePointRange> ranges);

}  // namespace jarip
