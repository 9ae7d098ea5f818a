// Seeds for answers that were asked for without one. Any thread.
#pragma once

#include <cstdint>
#include <functional>

namespace jarip {

// Passed in where seeds are drawn, so that tests can replace it.
using DrawSeed = std::function<std::uint64_t()>;

// From the system's randomness; below 2^53, so that every JSON reader can hand it back unchanged.
[[nodiscard]] std::uint64_t draw_random_seed();

}  // namespace jarip
