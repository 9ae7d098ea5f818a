// Sizes as people read them. Free functions; any thread.
#pragma once

#include <cstdint>
#include <string>

namespace jarip {

// "512 B", "97.4 MiB".
[[nodiscard]] std::string format_bytes(std::uint64_t n_bytes);

}  // namespace jarip
