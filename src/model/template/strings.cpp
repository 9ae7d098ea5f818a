#include "model/template/strings.h"

#include <algorithm>
#include <limits>
#include <string>

#include "base/utf8.h"
#include "model/template/text_builder.h"
#include "model/template/unicode.h"

namespace jarip::jinja {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

std::uint64_t limit_of(std::int64_t limit) {
  return limit < 0 ? std::numeric_limits<std::uint64_t>::max() : static_cast<std::uint64_t>(limit);
}

// The last character of a text that is not empty, as decode_utf8 sees it from the left.
Utf8Unit last_unit(std::string_view text) {
  const std::size_t longest = std::min<std::size_t>(4, text.size());
  for (std::size_t n = longest; n > 1; --n) {
    const Utf8Unit unit = decode_utf8(text.substr(text.size() - n));
    if (unit.length == n) return unit;
  }
  return decode_utf8(text.substr(text.size() - 1));
}

class StripSet {
 public:
  explicit StripSet(std::optional<std::string_view> chars) : chars_(chars) {}
  [[nodiscard]] bool has(const Utf8Unit& unit, std::string_view bytes) const {
    if (!chars_) return unit.kind == Utf8Kind::kCharacter && is_space(unit.code_point);
    return chars_->find(bytes) != kNone;
  }

 private:
  std::optional<std::string_view> chars_;
};

Result<void> push(Budget& budget, std::vector<Text>& parts, const Text& text, std::size_t begin,
                  std::size_t end) {
  JARIP_CHECK(budget.charge(1));
  JARIP_CHECK(budget.charge_bytes(end - begin));
  parts.push_back(text.slice(begin, end - begin));
  return {};
}

std::size_t skip_left(std::string_view bytes, std::size_t i, bool spaces) {
  while (i < bytes.size()) {
    const Utf8Unit unit = decode_utf8(bytes.substr(i));
    if (is_space(unit.code_point) != spaces) break;
    i += unit.length;
  }
  return i;
}

std::size_t skip_right(std::string_view bytes, std::size_t end, bool spaces) {
  while (end > 0) {
    const Utf8Unit unit = last_unit(bytes.substr(0, end));
    if (is_space(unit.code_point) != spaces) break;
    end -= unit.length;
  }
  return end;
}

Result<std::vector<Text>> split_spaces(Budget& budget, const Text& text, std::int64_t limit) {
  const std::string_view bytes = text.view();
  std::vector<Text> parts;
  std::uint64_t left = limit_of(limit);
  std::size_t i = skip_left(bytes, 0, true);
  for (; i < bytes.size() && left > 0; --left) {
    const std::size_t end = skip_left(bytes, i, false);
    JARIP_CHECK(push(budget, parts, text, i, end));
    i = skip_left(bytes, end, true);
  }
  if (i < bytes.size()) {
    // The rest, the spaces at its end included: Python keeps them only when the limit ended it.
    JARIP_CHECK(push(budget, parts, text, i, bytes.size()));
  }
  return parts;
}

Result<std::vector<Text>> split_spaces_right(Budget& budget, const Text& text, std::int64_t limit) {
  const std::string_view bytes = text.view();
  std::vector<Text> parts;
  std::uint64_t left = limit_of(limit);
  std::size_t end = skip_right(bytes, bytes.size(), true);
  for (; end > 0 && left > 0; --left) {
    const std::size_t begin = skip_right(bytes, end, false);
    JARIP_CHECK(push(budget, parts, text, begin, end));
    end = skip_right(bytes, begin, true);
  }
  if (end > 0) JARIP_CHECK(push(budget, parts, text, 0, end));
  std::ranges::reverse(parts);
  return parts;
}

// Whether a Greek capital sigma at this place is the last letter of a word, and so becomes "ς".
bool is_final_sigma(std::string_view bytes, std::size_t at, std::size_t length) {
  const auto cased = [](char32_t c) { return is_lower(c) || is_upper(c) || is_title(c); };
  std::size_t end = at;
  char32_t before = 0;
  while (end > 0) {
    const Utf8Unit unit = last_unit(bytes.substr(0, end));
    end -= unit.length;
    before = unit.code_point;
    if (!is_case_ignorable(before)) break;
  }
  if (at == 0 || !cased(before) || is_case_ignorable(before)) return false;
  for (std::size_t i = at + length; i < bytes.size();) {
    const Utf8Unit unit = decode_utf8(bytes.substr(i));
    if (!is_case_ignorable(unit.code_point)) return !cased(unit.code_point);
    i += unit.length;
  }
  return true;
}

Case target_case(CaseChange change, char32_t c, bool first, bool after_cased) {
  switch (change) {
    case CaseChange::kUpper:
      return Case::kUpper;
    case CaseChange::kLower:
      return Case::kLower;
    case CaseChange::kTitle:
      return after_cased ? Case::kLower : Case::kTitle;
    case CaseChange::kCapitalize:
      return first ? Case::kTitle : Case::kLower;
    case CaseChange::kSwap:
      return is_upper(c) ? Case::kLower : Case::kUpper;
  }
  return Case::kLower;
}

}  // namespace

Result<Text> strip(Budget& budget, const Text& text, Side side,
                   std::optional<std::string_view> chars) {
  const StripSet set(chars);
  const std::string_view bytes = text.view();
  std::size_t begin = 0;
  std::size_t end = bytes.size();
  while (side != Side::kRight && begin < end) {
    const Utf8Unit unit = decode_utf8(bytes.substr(begin));
    if (!set.has(unit, bytes.substr(begin, unit.length))) break;
    begin += unit.length;
  }
  while (side != Side::kLeft && end > begin) {
    const Utf8Unit unit = last_unit(bytes.substr(begin, end - begin));
    if (!set.has(unit, bytes.substr(end - unit.length, unit.length))) break;
    end -= unit.length;
  }
  JARIP_CHECK(budget.charge_bytes(bytes.size()));
  return text.slice(begin, end - begin);
}

Result<std::vector<Text>> split(Budget& budget, const Text& text,
                                std::optional<std::string_view> separator, std::int64_t limit) {
  if (!separator) return split_spaces(budget, text, limit);
  const std::string_view bytes = text.view();
  std::vector<Text> parts;
  std::uint64_t left = limit_of(limit);
  std::size_t begin = 0;
  for (std::size_t at = bytes.find(*separator); at != kNone && left > 0;
       at = bytes.find(*separator, begin), --left) {
    JARIP_CHECK(push(budget, parts, text, begin, at));
    begin = at + separator->size();
  }
  JARIP_CHECK(push(budget, parts, text, begin, bytes.size()));
  return parts;
}

Result<std::vector<Text>> split_right(Budget& budget, const Text& text,
                                      std::optional<std::string_view> separator,
                                      std::int64_t limit) {
  if (!separator) return split_spaces_right(budget, text, limit);
  const std::string_view bytes = text.view();
  std::vector<Text> parts;
  std::uint64_t left = limit_of(limit);
  std::size_t end = bytes.size();
  for (; left > 0; --left) {
    const std::size_t at = bytes.substr(0, end).rfind(*separator);
    if (at == kNone) break;
    JARIP_CHECK(push(budget, parts, text, at + separator->size(), end));
    end = at;
  }
  JARIP_CHECK(push(budget, parts, text, 0, end));
  std::ranges::reverse(parts);
  return parts;
}

Result<std::vector<Text>> split_lines(Budget& budget, const Text& text, bool keep_ends) {
  const std::string_view bytes = text.view();
  std::vector<Text> lines;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < bytes.size();) {
    const Utf8Unit unit = decode_utf8(bytes.substr(i));
    std::size_t end = i + unit.length;
    if (!is_line_break(unit.code_point)) {
      i = end;
      continue;
    }
    if (bytes.substr(i).starts_with("\r\n")) ++end;
    JARIP_CHECK(push(budget, lines, text, begin, keep_ends ? end : i));
    begin = i = end;
  }
  if (begin < bytes.size()) JARIP_CHECK(push(budget, lines, text, begin, bytes.size()));
  return lines;
}

Result<Text> replace(Budget& budget, const Text& text, std::string_view old,
                     const Text& replacement, std::int64_t limit) {
  const std::string_view bytes = text.view();
  JARIP_CHECK(budget.charge_bytes(bytes.size()));
  TextBuilder out(budget);
  std::uint64_t left = limit_of(limit);
  std::size_t begin = 0;
  if (old.empty()) {
    // Between all characters, and at both ends.
    while (left > 0) {
      JARIP_CHECK(out.add(replacement));
      --left;
      if (begin == bytes.size()) break;
      const std::size_t n = decode_utf8(bytes.substr(begin)).length;
      JARIP_CHECK(out.add(text, begin, n));
      begin += n;
    }
  } else {
    for (std::size_t at = bytes.find(old); at != kNone && left > 0;
         at = bytes.find(old, begin), --left) {
      JARIP_CHECK(out.add(text, begin, at - begin));
      JARIP_CHECK(out.add(replacement));
      begin = at + old.size();
    }
  }
  JARIP_CHECK(out.add(text, begin, bytes.size() - begin));
  return out.take();
}

Result<Text> change_case(Budget& budget, const Text& text, CaseChange change) {
  const std::string_view bytes = text.view();
  TextBuilder out(budget);
  std::string mapped;
  bool after_cased = false;
  for (std::size_t i = 0; i < bytes.size();) {
    const Utf8Unit unit = decode_utf8(bytes.substr(i));
    if (unit.kind != Utf8Kind::kCharacter) {
      JARIP_CHECK(out.add(text, i, unit.length));
      i += unit.length;
      continue;
    }
    const char32_t c = unit.code_point;
    const Case to = target_case(change, c, i == 0, after_cased);
    mapped.clear();
    constexpr char32_t kCapitalSigma = 0x3A3;
    constexpr char32_t kFinalSigma = 0x3C2;
    if (c == kCapitalSigma && to == Case::kLower && is_final_sigma(bytes, i, unit.length)) {
      append_utf8(mapped, kFinalSigma);
    } else if (change == CaseChange::kSwap && !is_upper(c) && !is_lower(c)) {
      append_utf8(mapped, c);
    } else {
      append_case(mapped, c, to);
    }
    JARIP_CHECK(out.add(mapped, text.from_input(i)));
    after_cased = is_lower(c) || is_upper(c) || is_title(c);
    i += unit.length;
  }
  return out.take();
}

Result<Text> repeat(Budget& budget, const Text& text, std::int64_t count) {
  TextBuilder out(budget);
  if (count > 0) JARIP_CHECK(out.add_repeated(text, static_cast<std::uint64_t>(count)));
  return out.take();
}

Result<Text> justify(Budget& budget, const Text& text, Side text_side, std::int64_t width,
                     const Text& fill) {
  JARIP_CHECK(budget.charge_bytes(text.size()));
  const auto length = static_cast<std::int64_t>(count_characters(text.view()));
  if (width <= length) return text;
  const std::int64_t padding = width - length;
  std::int64_t left = 0;
  if (text_side == Side::kRight) left = padding;
  // Python's center() puts the odd one on the left only when the width is odd too.
  if (text_side == Side::kBoth) left = padding / 2 + (padding & width & 1);
  TextBuilder out(budget);
  JARIP_CHECK(out.add_repeated(fill, static_cast<std::uint64_t>(left)));
  JARIP_CHECK(out.add(text));
  JARIP_CHECK(out.add_repeated(fill, static_cast<std::uint64_t>(padding - left)));
  return out.take();
}

Result<Text> escape_html(Budget& budget, const Text& text) {
  const std::string_view bytes = text.view();
  TextBuilder out(budget);
  std::size_t plain = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    constexpr std::string_view kSpecial = "&<>\"'";
    constexpr std::string_view kEntities[] = {"&amp;", "&lt;", "&gt;", "&#34;", "&#39;"};
    const std::size_t which = kSpecial.find(bytes[i]);
    if (which == kNone) continue;
    JARIP_CHECK(out.add(text, plain, i - plain));
    JARIP_CHECK(out.add(kEntities[which], text.from_input(i)));
    plain = i + 1;
  }
  JARIP_CHECK(out.add(text, plain, bytes.size() - plain));
  return out.take();
}

Result<std::vector<Text>> characters(Budget& budget, const Text& text) {
  const std::string_view bytes = text.view();
  std::vector<Text> out;
  for (std::size_t i = 0; i < bytes.size();) {
    const std::size_t n = decode_utf8(bytes.substr(i)).length;
    JARIP_CHECK(push(budget, out, text, i, i + n));
    i += n;
  }
  return out;
}

}  // namespace jarip::jinja
