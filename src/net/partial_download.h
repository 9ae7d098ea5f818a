// A file that is being fetched: the bytes that have come so far, and in a note beside it which file
// they belong to, so that a later process can go on. Locked while somebody writes it. Owned by one
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "net/sha256.h"

namespace jarip {

// What a server says of a file; what it doesn't say is empty.
struct RemoteFile {
  std::string url;
  std::string etag;
  std::string sha256;                    // hexadecimal
  std::optional<std::uint64_t> n_bytes;  // of the whole
};

class PartialDownload {
 public:
  // Makes the file, or takes up one that was left. Errors: kUnavailable (another process writes
  // it), kIo.
  [[nodiscard]] static Result<PartialDownload> open(const std::filesystem::path& path);
  ~PartialDownload();
  PartialDownload(PartialDownload&& other) noexcept;
  PartialDownload& operator=(PartialDownload&&) = delete;

  [[nodiscard]] std::uint64_t n_bytes() const { return n_bytes_; }  // that have come
  [[nodiscard]] const RemoteFile& remote() const { return remote_; }

  // Forgets the bytes: those of `remote` come. Error: kIo.
  [[nodiscard]] Result<void> restart(const RemoteFile& remote);
  // Takes room on the disk for the bytes to come. Error: kIo, telling how much is missing.
  [[nodiscard]] Result<void> reserve() const;
  [[nodiscard]] Result<void> append(std::span<const std::byte> bytes);  // error: kIo

  // Of the bytes that have come, once they are on disk. Nothing may be appended afterwards, unless
  // after restart(). Error: kIo.
  [[nodiscard]] Result<std::string> finish();

  // Once the file has its place elsewhere, or is good for nothing.
  void remove() const;

 private:
  PartialDownload(std::filesystem::path path, int descriptor);
  [[nodiscard]] Result<void> take_up();
  [[nodiscard]] std::unexpected<Error> failed(std::string_view action) const;  // by errno

  std::filesystem::path path_;
  std::filesystem::path note_;
  int descriptor_;
  std::uint64_t n_bytes_ = 0;
  RemoteFile remote_;
  Sha256 digest_;
};

}  // namespace jarip
