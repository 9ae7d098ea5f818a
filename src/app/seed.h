// Seeds for answers that were asked for without one. Any thread.
#pragma once

#include <cstdint>
#include <functional>

namespace jarip {

// Passed in where seeds are drawn, so that tests can replace it.
using DrawSeed = std::function<std::uint64_t()>;

// From the system's randomness; below 2^53, so that every JSON reader can hand it back unchanged.
[[nodiscard]] std::uint64_t draw_random_seed();

// The seed of one of several answers to the same prompt. The first has the seed itself; the others
// are a pure function of it and their index, below 2^53 too: asked for alone with its own seed, an
// answer is the same.
[[nodiscard]] std::uint64_t seed_of_choice(std::uint64_t seed, std::uint32_t index);

}  // namespace jarip
