// A safetensors file, memory-mapped and validated whole before use, or the shards of one model.
// Immutable after open(); readable from any thread. Format: huggingface/safetensors, README.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "base/result.h"
#include "tensor/format.h"

namespace jarip {

// What a file may hold at most; real models stay far below.
struct SafetensorsLimits {
  static constexpr std::uint64_t kMaxHeadBytes = 1U << 26U;
  static constexpr std::size_t kMaxTensors = 1U << 18U;
  static constexpr std::size_t kMaxDims = 8;
  static constexpr std::size_t kMaxNameBytes = 512;
  static constexpr std::size_t kMaxFiles = 1024;
};

struct SafeTensor {
  std::string name;
  std::string type;                  // as the file writes it: "BF16"
  std::optional<Format> format;      // of F32, F16 and BF16
  std::vector<std::uint64_t> shape;  // the last dimension is contiguous; none is 0
  std::uint64_t n_elements = 0;
  std::span<const std::byte> data;  // exactly n_elements; not aligned
};

class SafetensorsFile {
 public:
  // Errors: kNotFound, kIo, kCorrupt (what is wrong, in which tensor), kTooLarge (past the limits),
  // kUnsupported (a type of elements whose size isn't known, by name).
  [[nodiscard]] static Result<SafetensorsFile> open(const std::filesystem::path& path);
  // The same over bytes that outlive the result (tests, fuzzing).
  [[nodiscard]] static Result<SafetensorsFile> parse(std::span<const std::byte> bytes);

  [[nodiscard]] std::span<const SafeTensor> tensors() const { return tensors_; }  // by place
  // Gives back the memory that a part of a tensor's data takes.
  void release(std::span<const std::byte> part) const {
    if (!file_.bytes().empty()) file_.release(part);
  }

 private:
  MappedFile file_;
  std::vector<SafeTensor> tensors_;
};

// All tensors of one model, whichever of its files they are in.
class SafetensorsModel {
 public:
  // One file that holds all.
  [[nodiscard]] static Result<SafetensorsModel> open_file(const std::filesystem::path& path);
  // A folder's model.safetensors, or the shards that its model.safetensors.index.json names.
  // Errors: those of SafetensorsFile::open, kNotFound (a folder with neither), kCorrupt (an index
  // that doesn't say what the shards hold).
  [[nodiscard]] static Result<SafetensorsModel> open_folder(const std::filesystem::path& folder);

  // By name, sorted.
  [[nodiscard]] const std::map<std::string_view, const SafeTensor*>& tensors() const {
    return tensors_;
  }
  [[nodiscard]] const SafeTensor* find(std::string_view name) const;
  [[nodiscard]] std::uint64_t n_bytes() const { return n_bytes_; }
  // Gives back the memory that a part of a tensor's data takes.
  void release(std::span<const std::byte> part) const;

 private:
  Result<void> add(SafetensorsFile file, std::string_view file_name);

  std::vector<SafetensorsFile> files_;
  std::map<std::string_view, const SafeTensor*> tensors_;
  std::uint64_t n_bytes_ = 0;
};

// The names of the shards in a model.safetensors.index.json, and which tensors each holds. Errors:
// kCorrupt (no such JSON, or a name that is no plain file name), kTooLarge.
[[nodiscard]] Result<std::map<std::string, std::vector<std::string>>> read_shard_index(
    std::string_view json);

}  // namespace jarip
