#include "base/byte_size.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

namespace jarip {

std::string format_bytes(std::uint64_t n_bytes) {
  if (n_bytes < 1024) return fmt::format("{} B", n_bytes);
  constexpr std::string_view kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(n_bytes) / 1024;
  std::size_t unit = 0;
  // 1023.95 would print as "1024.0" of the smaller unit.
  for (; value >= 1023.95 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

}  // namespace jarip
