// How much each column of each matrix of a model matters: the mean square of what it is multiplied
// with on real text. Kept in files as llama.cpp's `imatrix` writes them since 2025. A value of its
// user; readable from any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace jarip {

class Importance {
 public:
  // Of one tensor: [n_matrices, n_cols] sums of squares, and how many rows went into each matrix's.
  struct Entry {
    std::vector<float> sums;
    std::vector<float> counts;
  };

  // Errors: those of GgufFile::open; kCorrupt where sums and counts don't fit, or aren't finite.
  [[nodiscard]] static Result<Importance> load(const std::filesystem::path& path);
  // Error: kIo.
  [[nodiscard]] Result<void> save(const std::filesystem::path& path) const;

  // Makes the entry where there is none.
  Entry& entry(std::string_view tensor, std::uint64_t n_cols, std::uint64_t n_matrices);
  [[nodiscard]] const std::map<std::string, Entry, std::less<>>& entries() const {
    return entries_;
  }

  // Mean squares of [n_matrices, n_cols], each made positive: columns that no text has reached
  // matter little, not nothing. Empty: nothing is known of such a tensor.
  [[nodiscard]] std::vector<float> means(std::string_view tensor, std::uint64_t n_cols,
                                         std::uint64_t n_matrices) const;

  std::vector<std::string> datasets;
  std::uint32_t n_chunks = 0;
  std::uint32_t chunk_size = 0;  // tokens

 private:
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace jarip
