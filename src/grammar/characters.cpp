#include "grammar/characters.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace jarip {
namespace {

bool is_escaped(char32_t c) { return c < 0x20 || c == '"' || c == '\\'; }

std::string escape(char32_t c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c));
  }
}

CharacterSet intersect(const CharacterSet& a, const CharacterSet& b) {
  CharacterSet both;
  for (const auto& [low, high] : a) {
    for (const auto& other : b) {
      const CodePointRange range = {std::max(low, other.low), std::min(high, other.high)};
      if (range.low <= range.high) both.push_back(range);
    }
  }
  return both;
}

}  // namespace

// ECMA-262 has the last alone, Python all but the last.
const CharacterSet& disputed_characters() {
  static const CharacterSet kDisputed = {{0x1C, 0x1F}, {0x85, 0x85}, {0xFEFF, 0xFEFF}};
  return kDisputed;
}

CharacterSet normalize(CharacterSet set) {
  std::ranges::sort(set, {}, &CodePointRange::low);
  CharacterSet out;
  for (const CodePointRange& range : set) {
    if (!out.empty() && range.low <= out.back().high + 1) {
      out.back().high = std::max(out.back().high, range.high);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

CharacterSet complement(CharacterSet set) {
  CharacterSet out;
  char32_t next = 0;
  for (const auto& [low, high] : normalize(std::move(set))) {
    if (low > next) out.push_back({next, low - 1});
    next = high + 1;
  }
  if (next <= kLastCodePoint) out.push_back({next, kLastCodePoint});
  return out;
}

ExprId add_characters(GrammarBuilder& builder, const CharacterSet& set, TextForm form) {
  const CharacterSet ranges = normalize(set);
  if (form == TextForm::kPlain) return builder.code_points(ranges);
  static const CharacterSet kUnescaped = {{0x20, '!'}, {'#', '['}, {']', kLastCodePoint}};
  std::vector<ExprId> parts = {builder.code_points(intersect(ranges, kUnescaped))};
  for (char32_t c = 0; c < 0x80; ++c) {
    const bool is_there = std::ranges::any_of(
        ranges, [c](const CodePointRange& range) { return range.low <= c && c <= range.high; });
    if (is_there && is_escaped(c)) parts.push_back(builder.literal(escape(c)));
  }
  return builder.choice(parts);
}

std::string escape_json(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_escaped(byte)) {
      out += escape(byte);
    } else {
      out += c;
    }
  }
  return out;
}

ExprId add_text(GrammarBuilder& builder, std::string_view text, TextForm form) {
  return builder.literal(form == TextForm::kPlain ? std::string(text) : escape_json(text));
}

}  // namespace jarip
