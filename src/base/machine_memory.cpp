#include "base/machine_memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace jarip {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxDepth = 64;  // of control groups
// A control group of version 1 without a limit has one near 2^63.
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 60U;

void take_limit(const fs::path& file, std::uint64_t& least) {
  std::ifstream in(file);
  std::uint64_t limit = 0;
  if (!(in >> limit) || limit == 0 || limit >= kNoLimit) return;  // "max" is no number
  least = least == 0 ? limit : std::min(least, limit);
}

// A group's own limit and those of the groups around it.
void take_limits(const fs::path& root, fs::path group, const char* file, std::uint64_t& least) {
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    take_limit(root / group.relative_path() / file, least);
    if (!group.has_relative_path()) return;
    group = group.parent_path();
  }
}

}  // namespace

std::uint64_t control_group_memory(const fs::path& system) {
  std::uint64_t least = 0;
  const fs::path root = system / "sys/fs/cgroup";
  std::ifstream groups(system / "proc/self/cgroup");
  std::string line;  // "0::/user.slice/…" or "9:memory:/…"
  while (std::getline(groups, line)) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const fs::path group = line.substr(second + 1);
    if (controllers.empty()) take_limits(root, group, "memory.max", least);
    if (controllers == "memory") {
      take_limits(root / "memory", group, "memory.limit_in_bytes", least);
    }
  }
  return least;
}

std::uint64_t machine_memory() {
  const long n_pages = ::sysconf(_SC_PHYS_PAGES);
  const long n_page_bytes = ::sysconf(_SC_PAGE_SIZE);
  const std::uint64_t physical =
      n_pages < 0 || n_page_bytes < 0
          ? 0
          : static_cast<std::uint64_t>(n_pages) * static_cast<std::uint64_t>(n_page_bytes);
  const std::uint64_t limit = control_group_memory();
  if (physical == 0 || limit == 0) return std::max(physical, limit);
  return std::min(physical, limit);
}

std::uint64_t safe_model_memory() { return machine_memory() / 5 * 4; }

}  // namespace jarip
