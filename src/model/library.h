// The models folder: one `NAME.gguf` file a model, below the owner's folder. Holds only a path;
// usable from any thread, and by several processes at once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace jarip {

struct LibraryModel {
  std::string name;
  std::filesystem::path path;
  std::uint64_t n_bytes = 0;
  std::int64_t modified = 0;  // Unix seconds
};

// The pattern that every name of a model matches; nothing that does can leave its folder.
inline constexpr std::string_view kModelNamePattern = "[A-Za-z0-9][A-Za-z0-9._-]{0,127}";
[[nodiscard]] bool is_model_name(std::string_view name);

struct ImportRequest {
  std::filesystem::path file;
  std::string name = {};  // empty: the file's name without .gguf
  // Called as bytes are copied, at least once unless nothing had to be; may be empty.
  std::function<void(std::uint64_t n_done, std::uint64_t n_bytes)> on_progress = {};
};

struct ImportedModel {
  LibraryModel model;
  bool was_there = false;  // the same bytes under the same name; nothing was copied
};

class ModelLibrary {
 public:
  // home: the owner's folder; models lie in home/models. It need not exist before an import.
  explicit ModelLibrary(const std::filesystem::path& home) : folder_(home / "models") {}

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

  // Sorted by name. Files whose names are no model names are left out. Error: kIo.
  [[nodiscard]] Result<std::vector<LibraryModel>> list() const;

  // The file of a model, by its name here or else by a path, for whoever may name any file (the
  // command line, never a request). Errors: kNotFound naming the models there are, kIo.
  [[nodiscard]] Result<std::filesystem::path> resolve(std::string_view name_or_path) const;

  // Validates a model file and copies it in. A reader never sees it before it is whole and on disk,
  // and no failure leaves anything listed. Errors: those of GgufFile::open; kInvalidArgument (a
  // name off the pattern, or taken by another file); kUnsupported (one part of a split model); kIo
  // (no room, no permission).
  [[nodiscard]] Result<ImportedModel> import_file(const ImportRequest& request) const;

  // Where a model of that name will be fetched to: a file in the folder that is never listed. Makes
  // the folder. Errors: kInvalidArgument (a name off the pattern), kIo.
  [[nodiscard]] Result<std::filesystem::path> place_for_fetching(std::string_view name) const;
  // Gives such a file its name, once it is whole and valid. Errors: as import_file().
  [[nodiscard]] Result<ImportedModel> adopt_file(const std::filesystem::path& file,
                                                 std::string_view name) const;
  [[nodiscard]] std::optional<LibraryModel> find(std::string_view name) const;

  // Programs that have the model loaded keep it. Errors: kNotFound naming the models there are,
  // kIo.
  [[nodiscard]] Result<void> remove(std::string_view name) const;

 private:
  [[nodiscard]] std::filesystem::path path_of(std::string_view name) const;
  [[nodiscard]] std::unexpected<Error> fail_to_find(std::string_view what,
                                                    std::string_view name) const;
  [[nodiscard]] Result<ImportedModel> publish(
      std::string_view name, const std::filesystem::path& source,
      const std::function<int(const std::filesystem::path& target)>& rename) const;

  std::filesystem::path folder_;
};

}  // namespace jarip
