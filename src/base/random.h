// Counter-based random numbers: each is a pure function of a seed and a position, so that nothing
// that happened before can change it (law L1). No state; any thread.
#pragma once

#include <array>
#include <cstdint>

namespace jarip {

// Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011): four 32-bit words from a 128-bit counter and a 64-bit key.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

// 64 uniform bits for `position` under `seed`; the first two words of
// philox4x32({position, stream}, seed), low words first. stream tells apart independent uses.
std::uint64_t random_bits(std::uint64_t seed, std::uint64_t position, std::uint64_t stream = 0);

}  // namespace jarip
