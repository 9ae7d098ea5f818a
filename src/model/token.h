// The number of a token in its model's vocabulary.
#pragma once

#include <cstdint>

namespace jarip {

using TokenId = std::uint32_t;

}  // namespace jarip
