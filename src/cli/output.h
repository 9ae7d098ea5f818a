// Text on its way to a person: standard output, tables, sizes, and strings out of untrusted files.
// Free functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_size.h"  // IWYU pragma: export: sizes for people
#include "base/result.h"

namespace jarip {

// Everything or an error (kIo): a full disk behind a redirection must not look like success.
[[nodiscard]] Result<void> print(std::string_view text);

enum class Align : std::uint8_t { kLeft, kRight };

struct Column {
  std::string_view title;
  Align align = Align::kLeft;
};

// Rows below their titles, two spaces between columns, every line begun with `indent`; columns are
// as wide as their widest cell in characters. The last column is not padded.
[[nodiscard]] std::string format_table(const std::vector<Column>& columns,
                                       const std::vector<std::vector<std::string>>& rows,
                                       std::string_view indent = {});

// "134,515,008".
[[nodiscard]] std::string format_count(std::uint64_t count);

// What a terminal may be shown of a string from outside: valid UTF-8 on one line, without control
// characters, cut with "…" after max_characters.
[[nodiscard]] std::string excerpt(std::string_view text, std::size_t max_characters);

}  // namespace jarip
