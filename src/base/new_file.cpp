#include "base/new_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

namespace jarip {
namespace {

std::unexpected<Error> refuse_write(const std::filesystem::path& path, int error_number) {
  return fail(ErrorCode::kIo,
              fmt::format("can't write {}: {}", path.native(),
                          std::generic_category().message(error_number)),
              path.native());
}

std::unexpected<Error> refuse_existing(const std::filesystem::path& path) {
  return fail(ErrorCode::kInvalidArgument, fmt::format("there is a file {} already", path.native()),
              path.native());
}

bool cannot_reserve(int error_number) {
  return error_number == EOPNOTSUPP || error_number == ENOSYS;
}

}  // namespace

NewFile::NewFile(std::filesystem::path target, Existing existing)
    : target_(std::move(target)), existing_(existing) {}

NewFile::NewFile(NewFile&& other) noexcept
    : target_(std::move(other.target_)),
      partial_(std::exchange(other.partial_, {})),
      existing_(other.existing_),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

NewFile::~NewFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!partial_.empty()) ::unlink(partial_.c_str());
}

Result<NewFile> NewFile::create(const std::filesystem::path& target, std::uint64_t n_bytes,
                                Existing existing) {
  if (existing == Existing::kRefuse && ::access(target.c_str(), F_OK) == 0) {
    return refuse_existing(target);
  }
  NewFile file(target, existing);
  std::filesystem::path partial = target;
  partial.replace_filename(fmt::format(".{}.{}.partial", target.filename().native(), ::getpid()));
  file.descriptor_ = ::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file.descriptor_ < 0) return refuse_write(target, errno);
  file.partial_ = std::move(partial);
  if (n_bytes != 0 && ::fallocate(file.descriptor_, 0, 0, static_cast<off_t>(n_bytes)) != 0 &&
      !cannot_reserve(errno)) {
    return refuse_write(target, errno);
  }
  return file;
}

Result<void> NewFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return refuse_write(target_, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

Result<void> NewFile::publish() {
  // A close can be the first to tell that the disk is full.
  if (::close(std::exchange(descriptor_, -1)) != 0) return refuse_write(target_, errno);
  int failed = 0;
  if (existing_ == Existing::kRefuse) {
    failed = ::renameat2(AT_FDCWD, partial_.c_str(), AT_FDCWD, target_.c_str(), RENAME_NOREPLACE);
  }
  // Some file systems can't promise not to replace; create() has looked.
  if (existing_ == Existing::kReplace || (failed != 0 && errno == EINVAL)) {
    failed = ::rename(partial_.c_str(), target_.c_str());
  }
  if (failed != 0) {
    const int error_number = errno;
    if (error_number == EEXIST) return refuse_existing(target_);
    return refuse_write(target_, error_number);
  }
  partial_.clear();
  return {};
}

}  // namespace jarip
