// A file mapped read-only into memory. Owned by whoever opened it; readable from any thread. The
// file must not shrink while it is mapped: reading past its new end would end the process.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "base/result.h"

namespace jarip {

class MappedFile {
 public:
  MappedFile() = default;
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  // Errors: kNotFound, kIo (a folder, no permission, …), naming the path. An empty file maps to an
  // empty span.
  [[nodiscard]] static Result<MappedFile> open(const std::filesystem::path& path);

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

  // Gives back the memory that whole pages of a part of bytes() take. They can still be read, and
  // are then fetched again. From any thread.
  void release(std::span<const std::byte> part) const;

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace jarip
