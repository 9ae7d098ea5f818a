#include "model/library.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

#include "base/mapped_file.h"
#include "model/gguf.h"

namespace jarip {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExtension = ".gguf";
constexpr std::string_view kPartialPrefix = ".import-";  // no model name begins with a dot
constexpr std::string_view kFetchPrefix = ".fetch-";
constexpr std::size_t kMaxNameBytes = 128;
constexpr std::size_t kMaxModelsNamed = 12;  // in an error
constexpr int kMaxPartialAttempts = 100;
constexpr std::size_t kCopyBytes = 8U << 20U;

std::unexpected<Error> fail_io(std::string_view action, const fs::path& path, int error_number) {
  return fail(ErrorCode::kIo,
              fmt::format("can't {} {}: {}", action, path.native(),
                          std::generic_category().message(error_number)),
              path.native());
}

std::string_view without_extension(std::string_view name) {
  if (name.ends_with(kExtension)) name.remove_suffix(kExtension.size());
  return name;
}

std::optional<LibraryModel> describe(const fs::path& path, std::string_view name) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return LibraryModel{.name = std::string(name),
                      .path = path,
                      .n_bytes = static_cast<std::uint64_t>(status.st_size),
                      .modified = status.st_mtim.tv_sec};
}

// Calls body(path, name of the file) for all there is; a folder that isn't there is empty.
template <class Body>
Result<void> for_each_file(const fs::path& folder, Body body) {
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    body(entry->path(), entry->path().filename().native());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return fail_io("read the models in", folder, error.value());
  }
  return {};
}

std::string describe_models(const std::vector<LibraryModel>& models) {
  if (models.empty())
    return "no model is there yet: `jarip pull` fetches one, `jarip import FILE` adds a file";
  std::string text = "the models are ";
  for (std::size_t i = 0; i < models.size() && i < kMaxModelsNamed; ++i) {
    fmt::format_to(std::back_inserter(text), "{}{}", i == 0 ? "" : ", ", models[i].name);
  }
  if (models.size() > kMaxModelsNamed) {
    fmt::format_to(std::back_inserter(text), " and {} more", models.size() - kMaxModelsNamed);
  }
  return text + "; `jarip pull` and `jarip import FILE` add others";
}

Result<void> create_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) return {};
  return fail(
      ErrorCode::kIo,
      fmt::format("can't make the models folder {}: {}; set JARIP_HOME to a folder that you "
                  "can write to",
                  folder.native(), error.message()),
      "JARIP_HOME");
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

// What imports that were killed left behind: nobody holds its lock any more.
Result<void> remove_dead_partials(const fs::path& folder) {
  return for_each_file(folder, [](const fs::path& path, std::string_view name) {
    if (!name.starts_with(kPartialPrefix)) return;
    const Descriptor partial(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (partial.number() < 0 || ::flock(partial.number(), LOCK_EX | LOCK_NB) != 0) return;
    ::unlink(path.c_str());
  });
}

// Takes the lock that says that an import lives. False when another import has cleared the file
// away before the lock was held.
bool lock_partial(const Descriptor& partial) {
  if (::flock(partial.number(), LOCK_EX) != 0) return true;  // no locks here: nobody clears either
  struct stat status{};
  return ::fstat(partial.number(), &status) == 0 && status.st_nlink > 0;
}

// 0 or an error number; EEXIST when the target is there already.
int rename_anew(const fs::path& file, const fs::path& target) {
  int failed = ::renameat2(AT_FDCWD, file.c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE);
  // Some file systems can't promise not to replace; the caller has looked just before.
  if (failed != 0 && errno == EINVAL) failed = ::rename(file.c_str(), target.c_str());
  return failed != 0 ? errno : 0;
}

// A file on its way into the folder, under a name that is never listed. Removed unless published.
class PartialFile {
 public:
  [[nodiscard]] static Result<PartialFile> create(const fs::path& folder, std::string_view name);
  ~PartialFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  PartialFile(PartialFile&& other) noexcept
      : path_(std::exchange(other.path_, {})), descriptor_(std::move(other.descriptor_)) {}
  PartialFile& operator=(PartialFile&&) = delete;

  [[nodiscard]] const fs::path& path() const { return path_; }
  [[nodiscard]] int descriptor() const { return descriptor_.number(); }

  // 0 or an error number; EEXIST when the target is there already.
  int publish(const fs::path& target) {
    const int error_number = rename_anew(path_, target);
    if (error_number == 0) path_.clear();
    return error_number;
  }

 private:
  PartialFile(fs::path path, Descriptor descriptor)
      : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

  fs::path path_;
  Descriptor descriptor_;
};

Result<PartialFile> PartialFile::create(const fs::path& folder, std::string_view name) {
  int error_number = 0;
  for (int attempt = 0; attempt < kMaxPartialAttempts; ++attempt) {
    fs::path path = folder / fmt::format("{}{}.{}.{}", kPartialPrefix, name, ::getpid(), attempt);
    Descriptor to(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    error_number = errno;
    if (to.number() < 0 && error_number != EEXIST) break;
    if (to.number() >= 0 && lock_partial(to)) return PartialFile(std::move(path), std::move(to));
  }
  return fail(
      ErrorCode::kIo,
      fmt::format("can't write to the models folder {}: {}; set JARIP_HOME to a folder that "
                  "you can write to",
                  folder.native(), std::generic_category().message(error_number)),
      "JARIP_HOME");
}

bool kernel_copy_unavailable(int error_number) {
  return error_number == EXDEV || error_number == EINVAL || error_number == ENOSYS ||
         error_number == EOPNOTSUPP;
}

// One chunk through memory, for file systems whose kernel can't copy. As ::copy_file_range.
ssize_t copy_through_memory(int from, int to, std::vector<std::byte>& buffer) {
  buffer.resize(kCopyBytes);
  const ssize_t n_read = ::read(from, buffer.data(), buffer.size());
  for (ssize_t n_written = 0; n_written < n_read;) {
    const ssize_t n =
        ::write(to, buffer.data() + n_written, static_cast<size_t>(n_read - n_written));
    if (n < 0 && errno != EINTR) return -1;
    n_written += std::max<ssize_t>(n, 0);
  }
  return n_read;
}

// Returns 0 or an error number; ENODATA when the source became shorter.
int copy_bytes(int from, int to, std::uint64_t n_bytes, const ImportRequest& request) {
  bool use_kernel = true;  // shares blocks where the file system can, and never copies twice
  std::vector<std::byte> buffer;
  for (std::uint64_t n_done = 0; n_done < n_bytes;) {
    const ssize_t n =
        use_kernel ? ::copy_file_range(from, nullptr, to, nullptr,
                                       std::min<std::uint64_t>(kCopyBytes, n_bytes - n_done), 0)
                   : copy_through_memory(from, to, buffer);
    if (n < 0 && use_kernel && kernel_copy_unavailable(errno)) {
      use_kernel = false;
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) return ENODATA;
    n_done += static_cast<std::uint64_t>(n);
    if (request.on_progress) request.on_progress(std::min(n_done, n_bytes), n_bytes);
  }
  return ::fsync(to) == 0 ? 0 : errno;
}

Result<void> copy_into(const PartialFile& partial, const ImportRequest& request,
                       std::uint64_t n_bytes) {
  const Descriptor from(::open(request.file.c_str(), O_RDONLY | O_CLOEXEC));
  if (from.number() < 0) return fail_io("read", request.file, errno);
  const int error_number = copy_bytes(from.number(), partial.descriptor(), n_bytes, request);
  if (error_number == 0) return {};
  if (error_number == ENODATA) {
    return fail(ErrorCode::kIo, fmt::format("{} changed during the import", request.file.native()),
                request.file.native());
  }
  return fail_io(fmt::format("copy {} bytes of the model into", n_bytes),
                 partial.path().parent_path(), error_number);
}

bool same_bytes(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

// The model in place already, if its bytes are the source's. Error: kInvalidArgument if they are
// not.
Result<ImportedModel> accept_existing(const fs::path& source, const LibraryModel& existing) {
  JARIP_TRY(const auto wanted, MappedFile::open(source));
  JARIP_TRY(const auto present, MappedFile::open(existing.path));
  if (same_bytes(wanted.bytes(), present.bytes())) {
    return ImportedModel{.model = existing, .was_there = true};
  }
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("another model has the name {} already: give a different --name, or "
                          "remove {} first",
                          existing.name, existing.path.native()),
              "name");
}

Result<void> check_name(std::string_view name) {
  if (is_model_name(name)) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("\"{}\" can't name a model: a name matches {}; choose one with --name",
                          name, kModelNamePattern),
              "name");
}

// Errors: those of GgufFile::open and kUnsupported.
Result<std::uint64_t> validate(const fs::path& path) {
  JARIP_TRY(const GgufFile file, GgufFile::open(path));
  if (file.find_value("split.count") != nullptr) {
    JARIP_TRY(const std::uint64_t n_parts, file.read_uint("split.count"));
    if (n_parts > 1) {
      return fail(
          ErrorCode::kUnsupported,
          fmt::format("{} is one of the {} parts of a split model: merge them into one file "
                      "first",
                      path.native(), n_parts),
          "key split.count");
    }
  }
  return file.n_bytes();
}

// A rename is on disk once its folder is.
Result<void> sync_folder(const fs::path& folder) {
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.number() < 0 || ::fsync(descriptor.number()) != 0) {
    return fail_io("write the models folder", folder, errno);
  }
  return {};
}

}  // namespace

bool is_model_name(std::string_view name) {
  const auto is_alphanumeric = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && name.size() <= kMaxNameBytes && is_alphanumeric(name[0]) &&
         std::ranges::all_of(
             name, [&](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

Result<std::vector<LibraryModel>> ModelLibrary::list() const {
  std::vector<LibraryModel> models;
  JARIP_CHECK(for_each_file(folder_, [&](const fs::path& path, std::string_view file_name) {
    const std::string_view name = without_extension(file_name);
    if (name.size() == file_name.size() || !is_model_name(name)) return;
    if (auto model = describe(path, name)) models.push_back(*std::move(model));
  }));
  std::ranges::sort(models, {}, &LibraryModel::name);
  return models;
}

Result<fs::path> ModelLibrary::resolve(std::string_view name_or_path) const {
  const std::string_view name = without_extension(name_or_path);
  if (const auto model = find(name)) return model->path;
  fs::path path(name_or_path);
  if (describe(path, {})) return path;

  const bool is_path = !is_model_name(name_or_path) || name_or_path.ends_with(kExtension);
  return fail_to_find(is_path ? "model file" : "model", name_or_path);
}

std::unexpected<Error> ModelLibrary::fail_to_find(std::string_view what,
                                                  std::string_view name) const {
  auto models = list();
  if (!models) return std::unexpected(std::move(models).error());
  return fail(ErrorCode::kNotFound,
              fmt::format("there is no {} \"{}\": {}", what, name, describe_models(*models)),
              "model");
}

std::optional<LibraryModel> ModelLibrary::find(std::string_view name) const {
  if (!is_model_name(name)) return std::nullopt;
  return describe(path_of(name), name);
}

fs::path ModelLibrary::path_of(std::string_view name) const {
  return folder_ / fmt::format("{}{}", name, kExtension);
}

Result<ImportedModel> ModelLibrary::import_file(const ImportRequest& request) const {
  JARIP_TRY(const std::uint64_t n_bytes, validate(request.file));
  const std::string wanted = request.name.empty() ? request.file.filename().string() : request.name;
  const std::string name(without_extension(wanted));
  JARIP_CHECK(check_name(name));
  if (const auto existing = find(name)) return accept_existing(request.file, *existing);

  JARIP_CHECK(create_folder(folder_));
  JARIP_CHECK(remove_dead_partials(folder_));
  JARIP_TRY(PartialFile partial, PartialFile::create(folder_, name));
  JARIP_CHECK(copy_into(partial, request, n_bytes));
  // The source may have changed since it was validated; what is listed never does.
  JARIP_CHECK(validate(partial.path()));
  return publish(name, request.file,
                 [&](const fs::path& target) { return partial.publish(target); });
}

Result<fs::path> ModelLibrary::place_for_fetching(std::string_view name) const {
  JARIP_CHECK(check_name(name));
  JARIP_CHECK(create_folder(folder_));
  return folder_ / fmt::format("{}{}", kFetchPrefix, name);
}

Result<void> ModelLibrary::remove(std::string_view name) const {
  const auto model = find(name);
  if (!model) return fail_to_find("model", name);
  if (::unlink(model->path.c_str()) != 0) return fail_io("remove", model->path, errno);
  return sync_folder(folder_);
}

Result<ImportedModel> ModelLibrary::adopt_file(const fs::path& file, std::string_view name) const {
  JARIP_CHECK(check_name(name));
  JARIP_CHECK(validate(file));
  return publish(name, file, [&](const fs::path& target) { return rename_anew(file, target); });
}

// rename gives a file its name; source has the same bytes.
Result<ImportedModel> ModelLibrary::publish(
    std::string_view name, const fs::path& source,
    const std::function<int(const fs::path& target)>& rename) const {
  const fs::path target = path_of(name);
  const int error_number = rename(target);
  if (error_number == EEXIST) {
    if (const auto existing = find(name)) return accept_existing(source, *existing);
  }
  if (error_number != 0) return fail_io("write", target, error_number);
  JARIP_CHECK(sync_folder(folder_));
  if (auto model = find(name)) return ImportedModel{.model = *std::move(model)};
  return fail_io("read", target, ENOENT);
}

}  // namespace jarip
