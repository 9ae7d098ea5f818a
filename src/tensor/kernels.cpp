#include "tensor/kernels.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "tensor/cpu/detect.h"

namespace jarip {
std::span<const Kernels* const> available_kernels() {
  static const std::vector<const Kernels*> tables = detect_kernels();
  return tables;
}

Result<const Kernels*> select_kernels() {
  const char* wanted = std::getenv("JARIP_CPU");
  if (wanted == nullptr || *wanted == '\0') return available_kernels().front();
  std::vector<std::string_view> names;
  for (const Kernels* table : available_kernels()) {
    if (table->name == wanted) return table;
    names.push_back(table->name);
  }
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("JARIP_CPU={} is not an instruction set of this machine; it has {}",
                          wanted, fmt::join(names, ", ")),
              "JARIP_CPU");
}

}  // namespace jarip
