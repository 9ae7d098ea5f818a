// Models worth beginning with, for `jarip pull`. A table; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/language.h"

namespace jarip {

struct CatalogueModel {
  std::string_view name;
  std::string_view repository;  // of the hub
  std::string_view file;
  std::uint64_t n_bytes = 0;     // about; the hub tells exactly
  std::uint64_t n_kv_bytes = 0;  // of a context of 4,096 tokens
  bool speaks_korean = false;
  bool is_commercial = true;  // its licence allows commercial use
  std::string_view licence;
  Words about;

  [[nodiscard]] std::uint64_t n_memory_bytes() const { return n_bytes + n_kv_bytes; }
};

// By the memory that they need, the least first.
[[nodiscard]] std::span<const CatalogueModel> model_catalogue();
[[nodiscard]] const CatalogueModel* find_in_catalogue(std::string_view name);

// The largest that fits well into a machine's memory, of those that anyone may use in their trade,
// or the smallest there is.
[[nodiscard]] const CatalogueModel& best_for_memory(std::uint64_t n_bytes, bool korean);

}  // namespace jarip
