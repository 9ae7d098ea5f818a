#include "base/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

namespace jarip {
namespace {

std::unexpected<Error> refuse(const std::filesystem::path& path, int error_number) {
  if (error_number == ENOENT || error_number == ENOTDIR) {
    return fail(ErrorCode::kNotFound, fmt::format("there is no file {}", path.native()),
                path.native());
  }
  return fail(ErrorCode::kIo,
              fmt::format("can't read {}: {}", path.native(),
                          std::generic_category().message(error_number)),
              path.native());
}

std::string_view describe_kind(mode_t mode) {
  return S_ISDIR(mode) ? "it is a folder" : "it is not a regular file";
}

// The mapping outlives the descriptor, so the caller closes it either way.
Result<std::span<const std::byte>> map_whole(int descriptor, const std::filesystem::path& path) {
  struct stat status{};
  if (::fstat(descriptor, &status) != 0) return refuse(path, errno);
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::kIo,
                fmt::format("can't read {}: {}", path.native(), describe_kind(status.st_mode)),
                path.native());
  }
  const auto n_bytes = static_cast<std::size_t>(status.st_size);
  if (n_bytes == 0) return std::span<const std::byte>{};
  void* base = ::mmap(nullptr, n_bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (base == MAP_FAILED) return refuse(path, errno);
  return std::span(static_cast<const std::byte*>(base), n_bytes);
}

void unmap(std::span<const std::byte> bytes) {
  if (!bytes.empty()) ::munmap(const_cast<std::byte*>(bytes.data()), bytes.size());
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  // O_NONBLOCK: a path that names a pipe must be refused, not waited for.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return refuse(path, errno);
  auto bytes = map_whole(descriptor, path);
  ::close(descriptor);
  if (!bytes) return std::unexpected(std::move(bytes).error());
  MappedFile file;
  file.bytes_ = *bytes;
  return file;
}

void MappedFile::release(std::span<const std::byte> part) const {
  constexpr std::uintptr_t kPage = 4096;  // or a multiple; then the call below only fails
  const auto begin = (reinterpret_cast<std::uintptr_t>(part.data()) + kPage - 1) / kPage * kPage;
  const auto end = reinterpret_cast<std::uintptr_t>(part.data() + part.size()) / kPage * kPage;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

MappedFile::~MappedFile() { unmap(bytes_); }

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace jarip
