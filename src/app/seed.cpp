#include "app/seed.h"

#include <random>

#include "base/random.h"

namespace jarip {
namespace {

constexpr unsigned kUnusedBits = 11;             // of 64: what is left fits a double
constexpr std::uint64_t kChoiceStream = 0x5eed;  // apart from what draws tokens

}  // namespace

std::uint64_t draw_random_seed() {
  std::random_device device;
  const std::uint64_t high = device();
  return ((high << 32U) | device()) >> kUnusedBits;
}

std::uint64_t seed_of_choice(std::uint64_t seed, std::uint32_t index) {
  return index == 0 ? seed : random_bits(seed, index, kChoiceStream) >> kUnusedBits;
}

}  // namespace jarip
