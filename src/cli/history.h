// What a person typed in earlier conversations: a file in the owner's folder, readable by the owner
// alone. Used by one thread.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace jarip {

class History {
 public:
  static constexpr std::size_t kMaxEntries = 1000;

  // Nothing is read or written without a path.
  History() = default;
  // A file that isn't there is an empty history; one that can't be read is kIo.
  [[nodiscard]] static Result<History> open(const std::filesystem::path& path);

  // Appends to the file too. What repeats the last entry is left out. Error: kIo; the entry is
  // then kept for this run.
  [[nodiscard]] Result<void> add(std::string_view text);

  [[nodiscard]] const std::vector<std::string>& entries() const { return entries_; }

 private:
  std::filesystem::path path_;
  std::vector<std::string> entries_;  // oldest first
};

}  // namespace jarip
