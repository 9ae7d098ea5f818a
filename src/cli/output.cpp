#include "cli/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "base/log.h"
#include "base/utf8.h"

namespace jarip {
namespace {

void append_cell(std::string& line, std::string_view cell, std::size_t width, Align align,
                 bool is_last) {
  const std::string padding(width - std::min(width, count_characters(cell)), ' ');
  if (align == Align::kRight) line += padding;
  line += cell;
  if (align == Align::kLeft && !is_last) line += padding;
  if (!is_last) line += "  ";
}

}  // namespace

Result<void> print(std::string_view text) {
  const bool is_written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (is_written && std::fflush(stdout) == 0) return {};
  return fail(ErrorCode::kIo, fmt::format("can't write to standard output: {}",
                                          std::generic_category().message(errno)));
}

std::string format_table(const std::vector<Column>& columns,
                         const std::vector<std::vector<std::string>>& rows,
                         std::string_view indent) {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    widths.push_back(count_characters(columns[i].title));
    for (const auto& row : rows) widths[i] = std::max(widths[i], count_characters(row[i]));
  }
  std::string text;
  const auto append_row = [&](const auto& cell_of) {
    text += indent;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      append_cell(text, cell_of(i), widths[i], columns[i].align, i + 1 == columns.size());
    }
    text += '\n';
  };
  append_row([&](std::size_t i) { return columns[i].title; });
  for (const auto& row : rows) {
    append_row([&](std::size_t i) { return std::string_view(row[i]); });
  }
  return text;
}

std::string format_count(std::uint64_t count) {
  std::string text = std::to_string(count);
  for (std::size_t left = text.size(); left > 3;) {
    left -= 3;
    text.insert(left, ",");
  }
  return text;
}

std::string excerpt(std::string_view text, std::size_t max_characters) {
  constexpr std::size_t kMaxCharacterBytes = 4;
  const bool is_long = text.size() / kMaxCharacterBytes > max_characters;
  if (is_long) text = text.substr(0, (max_characters + 1) * kMaxCharacterBytes);
  const std::string valid = replace_invalid(text);
  std::string_view rest = valid;
  std::string shown;
  for (std::size_t n = 0; n < max_characters && !rest.empty(); ++n) {
    const std::string_view character = rest.substr(0, decode_utf8(rest).length);
    rest.remove_prefix(character.size());
    if (character == "\n") {
      shown += "\\n";
    } else if (character == "\t") {
      shown += "\\t";
    } else {
      shown += printable(character);
    }
  }
  return rest.empty() ? shown : shown + "…";
}

}  // namespace jarip
