#include "net/partial_download.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <system_error>
#include <utility>
#include <vector>

namespace jarip {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReadBytes = 1U << 20U;
constexpr std::uint64_t kBlockBytes = 512;  // as stat(2) counts them

// A line each: the word, a space, the value. Values come from headers and hold no line end.
std::string note_of(const RemoteFile& remote) {
  return fmt::format("url {}\netag {}\nsha256 {}\nbytes {}\n", remote.url, remote.etag,
                     remote.sha256, remote.n_bytes ? std::to_string(*remote.n_bytes) : "");
}

// Nothing when the note doesn't say all.
std::optional<RemoteFile> read_note(const fs::path& path) {
  std::ifstream file(path);
  RemoteFile remote;
  std::string bytes;
  const std::pair<std::string_view, std::string*> lines[] = {{"url ", &remote.url},
                                                             {"etag ", &remote.etag},
                                                             {"sha256 ", &remote.sha256},
                                                             {"bytes ", &bytes}};
  for (const auto& [word, value] : lines) {
    std::string line;
    if (!std::getline(file, line) || file.eof() || !line.starts_with(word)) return std::nullopt;
    *value = line.substr(word.size());
  }
  if (!bytes.empty()) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(bytes.data(), bytes.data() + bytes.size(), number);
    if (error != std::errc() || end != bytes.data() + bytes.size()) return std::nullopt;
    remote.n_bytes = number;
  }
  return remote;
}

}  // namespace

PartialDownload::PartialDownload(fs::path path, int descriptor)
    : path_(std::move(path)), note_(path_), descriptor_(descriptor) {
  note_ += ".note";
}

PartialDownload::PartialDownload(PartialDownload&& other) noexcept
    : path_(std::move(other.path_)),
      note_(std::move(other.note_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      n_bytes_(other.n_bytes_),
      remote_(std::move(other.remote_)),
      digest_(std::move(other.digest_)) {}

PartialDownload::~PartialDownload() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::unexpected<Error> PartialDownload::failed(std::string_view action) const {
  return fail(ErrorCode::kIo,
              fmt::format("can't {} {}: {}", action, path_.native(),
                          std::generic_category().message(errno)),
              path_.native());
}

Result<PartialDownload> PartialDownload::open(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  PartialDownload file(path, descriptor);
  if (descriptor < 0) return file.failed("write");
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("another process is fetching {} already", path.native()),
                path.native());
  }
  JARIP_CHECK(file.take_up());
  return file;
}

Result<void> PartialDownload::take_up() {
  auto remote = read_note(note_);
  if (!remote) return restart({});
  remote_ = *std::move(remote);
  std::vector<std::byte> buffer(kReadBytes);
  while (true) {
    const ssize_t n = ::read(descriptor_, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("read");
    if (n == 0) return {};
    digest_.add(std::span(buffer).first(static_cast<std::size_t>(n)));
    n_bytes_ += static_cast<std::uint64_t>(n);
  }
}

Result<void> PartialDownload::restart(const RemoteFile& remote) {
  n_bytes_ = 0;
  digest_ = Sha256();
  remote_ = remote;
  if (::ftruncate(descriptor_, 0) != 0 || ::lseek(descriptor_, 0, SEEK_SET) != 0) {
    return failed("write");
  }
  std::ofstream note(note_, std::ios::trunc);
  note << note_of(remote);
  note.close();
  if (!note) return failed("write a note beside");
  return {};
}

Result<void> PartialDownload::reserve() const {
  if (!remote_.n_bytes || *remote_.n_bytes <= n_bytes_) return {};
  struct stat status{};
  if (::fstat(descriptor_, &status) != 0) return failed("read");
  // With what an earlier process took.
  const std::uint64_t n_taken =
      std::max(n_bytes_, static_cast<std::uint64_t>(status.st_blocks) * kBlockBytes);
  const std::uint64_t n_missing = *remote_.n_bytes - std::min(n_taken, *remote_.n_bytes);
  std::error_code error;
  const fs::space_info room = fs::space(path_.parent_path(), error);
  if (error || room.available >= n_missing) {
    // The file's length stays what has come. Where the file system can't do it, the bytes will
    // show.
    [[maybe_unused]] const int taken =
        ::fallocate(descriptor_, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(*remote_.n_bytes));
    return {};
  }
  constexpr double kMega = 1e6;
  return fail(ErrorCode::kIo,
              fmt::format("the disk of {} has {:.0f} MB left and {:.0f} MB are still to come: make "
                          "room, or set JARIP_HOME to a folder on another disk",
                          path_.parent_path().native(), static_cast<double>(room.available) / kMega,
                          static_cast<double>(n_missing) / kMega),
              path_.native());
}

Result<void> PartialDownload::append(std::span<const std::byte> bytes) {
  digest_.add(bytes);
  while (!bytes.empty()) {
    const ssize_t n = ::write(descriptor_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("write");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    n_bytes_ += static_cast<std::uint64_t>(n);
  }
  return {};
}

Result<std::string> PartialDownload::finish() {
  if (::fsync(descriptor_) != 0) return failed("write");
  return digest_.finish();
}

void PartialDownload::remove() const {
  ::unlink(path_.c_str());
  ::unlink(note_.c_str());
}

}  // namespace jarip
