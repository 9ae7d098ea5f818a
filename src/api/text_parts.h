// A message's content where it is a list of typed parts: of these, text is what a model here reads.
// Pure functions.
#pragma once

#include <boost/json/value.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/field_table.h"
#include "base/result.h"

namespace jarip {

struct TextPart {
  std::string type;
  std::string text;
};

// What parts are called in a dialect, and what else they may hold.
struct TextPartRules {
  std::span<const std::string_view> types;
  FieldTable<TextPart> more = {};
};

// The rows that the parts of every dialect have.
[[nodiscard]] FieldTable<TextPart> text_part_fields();

// The texts of a string (one) or of a list of parts, in order. A part of another type is refused
// by the path of its type.
[[nodiscard]] Result<std::vector<std::string>> read_text_parts(const boost::json::value& content,
                                                               std::string_view path,
                                                               const TextPartRules& rules);
// The same, as one text.
[[nodiscard]] Result<std::string> read_joined_parts(const boost::json::value& content,
                                                    std::string_view path,
                                                    const TextPartRules& rules);

}  // namespace jarip
