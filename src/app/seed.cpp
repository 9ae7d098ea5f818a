#include "app/seed.h"

#include <random>

namespace jarip {

std::uint64_t draw_random_seed() {
  std::random_device device;
  const std::uint64_t high = device();
  return ((high << 32U) | device()) >> 11U;
}

}  // namespace jarip
