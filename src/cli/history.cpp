#include "cli/history.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>

#include "base/utf8.h"

namespace jarip {
namespace {

constexpr mode_t kOwnerOnly = 0600;
constexpr std::size_t kMaxFileBytes = 4U << 20U;  // what is older than the last of these is dropped

// One entry a line: newlines and backslashes within are escaped.
std::string escape(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (c == '\n') {
      line += "\\n";
    } else {
      if (c == '\\') line += '\\';
      line += c;
    }
  }
  return line;
}

std::string unescape(std::string_view line) {
  std::string text;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size()) {
      ++i;
      text += line[i] == 'n' ? '\n' : line[i];
    } else {
      text += line[i];
    }
  }
  return replace_invalid(text);
}

Result<void> write_file(const std::filesystem::path& path, int flags, std::string_view bytes) {
  std::error_code ignored;  // open() then says what is wrong
  std::filesystem::create_directories(path.parent_path(), ignored);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, kOwnerOnly);
  const bool written =
      fd >= 0 && write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  const int error = errno;
  if (fd >= 0) close(fd);
  if (written) return {};
  return fail(ErrorCode::kIo,
              fmt::format("can't write {}: {}", path.string(), std::strerror(error)));
}

}  // namespace

Result<History> History::open(const std::filesystem::path& path) {
  History history;
  history.path_ = path;
  std::error_code error;
  const auto n_bytes = std::filesystem::file_size(path, error);
  if (error == std::errc::no_such_file_or_directory) return history;
  std::ifstream file(path, std::ios::binary);
  if (error || !file) {
    return fail(ErrorCode::kIo, fmt::format("can't read {}", path.string()));
  }
  std::string line;
  if (n_bytes > kMaxFileBytes) {
    file.seekg(static_cast<std::streamoff>(n_bytes - kMaxFileBytes));
    std::getline(file, line);  // begins somewhere inside
  }
  while (std::getline(file, line)) {
    if (!line.empty()) history.entries_.push_back(unescape(line));
  }
  if (history.entries_.size() > kMaxEntries) {
    history.entries_.erase(history.entries_.begin(),
                           history.entries_.end() - static_cast<std::ptrdiff_t>(kMaxEntries));
    std::string kept;
    for (const std::string& entry : history.entries_) kept += escape(entry) + '\n';
    JARIP_CHECK(write_file(path, O_TRUNC, kept));
  }
  return history;
}

Result<void> History::add(std::string_view text) {
  if (text.empty() || (!entries_.empty() && entries_.back() == text)) return {};
  entries_.emplace_back(text);
  if (path_.empty()) return {};
  return write_file(path_, O_APPEND, escape(text) + '\n');
}

}  // namespace jarip
