// A file that appears under its name only when it is whole: written under a temporary name beside
// it, then renamed. Owned by one thread; write_at() may be called by many at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "base/result.h"

namespace jarip {

// What to do with a file that has the name already.
enum class Existing : std::uint8_t { kRefuse, kReplace };

class NewFile {
 public:
  // Takes n_bytes of the disk at once where the file system can, so that a disk too small is told
  // before the work. Errors: kInvalidArgument (a file is there and is to stay), kIo.
  [[nodiscard]] static Result<NewFile> create(const std::filesystem::path& target,
                                              std::uint64_t n_bytes, Existing existing);
  ~NewFile();  // removes what was never published
  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;

  // Error: kIo.
  [[nodiscard]] Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) const;

  // Gives the file its name. It survives the process, not a loss of power in the next seconds.
  // Errors: as create().
  [[nodiscard]] Result<void> publish();

 private:
  NewFile(std::filesystem::path target, Existing existing);

  std::filesystem::path target_;
  std::filesystem::path partial_;  // empty: nothing to remove
  Existing existing_;
  int descriptor_ = -1;
};

}  // namespace jarip
