#include "grammar/regex.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "grammar/text_cursor.h"

namespace jarip {
namespace {

// \d, \w, \s and . of ECMA-262, 22.2.2.9 and 12.2.
const CharacterSet kDigits = {{'0', '9'}};
const CharacterSet kWord = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const CharacterSet kSpace = {{'\t', '\r'},     {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680},
                             {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F},
                             {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
const CharacterSet kLineEnds = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

using Bounds = std::pair<std::uint32_t, std::uint32_t>;

CharacterSet undisputed(const CharacterSet& set) {
  CharacterSet others = complement(set);
  const CharacterSet& disputed = disputed_characters();
  others.insert(others.end(), disputed.begin(), disputed.end());
  return complement(std::move(others));
}

class RegexParser {
 public:
  RegexParser(std::string_view pattern, const RegexOptions& options, GrammarBuilder& builder)
      : cursor_(pattern), options_(options), builder_(builder) {}

  std::optional<CharacterCount> parse_character_count() {
    if (!cursor_.skip("^")) return {};
    const char first = cursor_.peek();
    if (first != '[' && first != '\\') return {};
    const Result<CharacterSet> set = first == '[' ? parse_class() : parse_escape(false);
    const std::optional<Bounds> bounds = take_repeat();
    if (!set || !bounds || !cursor_.skip("$") || !cursor_.at_end()) return {};
    const auto [min, max] = *bounds;
    if (min > max || min > kMaxRepeats || (max != kUnbounded && max > kMaxRepeats)) return {};
    return CharacterCount{undisputed(*set), min, max};
  }

  Result<ExprId> parse() {
    JARIP_TRY(const ExprId expr, parse_choice(0));
    if (!cursor_.at_end()) return mistake("a \")\" has no \"(\"");
    if (builder_.failed()) return std::unexpected(*builder_.error());
    return expr;
  }

 private:
  std::unexpected<Error> refuse(ErrorCode code, std::string_view message) const {
    return fail(code,
                fmt::format("the regular expression's byte {}: {}", cursor_.place() + 1, message));
  }
  std::unexpected<Error> mistake(std::string_view message) const {
    return refuse(ErrorCode::kInvalidArgument, message);
  }
  std::unexpected<Error> unsupported(std::string_view what) const {
    return refuse(ErrorCode::kUnsupported, fmt::format("{} can't be enforced", what));
  }

  ExprId characters(const CharacterSet& set) {
    return add_characters(builder_, undisputed(set), options_.form);
  }
  ExprId anything() { return builder_.repeat(characters(complement({})), 0, kUnbounded); }

  Result<ExprId> parse_choice(unsigned depth) {
    std::vector<ExprId> parts;
    do {
      JARIP_TRY(const ExprId part, parse_sequence(depth));
      parts.push_back(part);
    } while (cursor_.skip("|"));
    return builder_.choice(parts);
  }

  bool at_end_of_sequence() const {
    return cursor_.at_end() || cursor_.peek() == '|' || cursor_.peek() == ')';
  }

  Result<ExprId> parse_sequence(unsigned depth) {
    const bool is_open = depth == 0 && options_.reach == RegexReach::kAnywhere;
    std::vector<ExprId> parts;
    if (depth == 0 && cursor_.skip("^")) {
    } else if (is_open) {
      parts.push_back(anything());
    }
    bool is_anchored = false;
    while (!at_end_of_sequence()) {
      if (depth == 0 && cursor_.skip("$")) {
        if (!at_end_of_sequence()) return unsupported("$ before the end");
        is_anchored = true;
        break;
      }
      JARIP_TRY(const ExprId atom, parse_atom(depth));
      JARIP_TRY(const ExprId repeated, parse_repeat(atom));
      parts.push_back(repeated);
    }
    if (is_open && !is_anchored) parts.push_back(anything());
    return builder_.sequence(parts);
  }

  std::optional<Bounds> take_repeat() {
    if (cursor_.skip("*")) return Bounds{0, kUnbounded};
    if (cursor_.skip("+")) return Bounds{1, kUnbounded};
    if (cursor_.skip("?")) return Bounds{0, 1};
    return take_bounds();
  }

  Result<ExprId> parse_repeat(ExprId atom) {
    const std::optional<Bounds> bounds = take_repeat();
    if (!bounds) return atom;
    const auto [min, max] = *bounds;
    if (min > max || min > kMaxRepeats || (max != kUnbounded && max > kMaxRepeats)) {
      return mistake(
          fmt::format("a repetition's bounds must be in order and at most {}", kMaxRepeats));
    }
    cursor_.skip("?");  // as few as possible: which texts match is the same
    const char c = cursor_.peek();
    if (c == '*' || c == '+' || c == '?') return mistake("a repetition is repeated");
    return builder_.repeat(atom, min, max);
  }

  // {m}, {m,} and {m,n}; a { that begins none of these is a character.
  std::optional<Bounds> take_bounds() {
    const std::size_t place = cursor_.place();
    if (!cursor_.skip("{")) return {};
    const std::optional<std::uint32_t> min = cursor_.take_number();
    std::optional<std::uint32_t> max = min;
    if (cursor_.skip(",")) {
      max = cursor_.take_number();
      if (!max) max = kUnbounded;
    }
    if (min && cursor_.skip("}")) return Bounds{*min, *max};
    cursor_.go_to(place);
    return {};
  }

  Result<ExprId> parse_atom(unsigned depth) {
    switch (cursor_.peek()) {
      case '(':
        return parse_group(depth);
      case '[': {
        JARIP_TRY(const CharacterSet set, parse_class());
        return characters(set);
      }
      case '\\': {
        JARIP_TRY(const CharacterSet set, parse_escape(false));
        return characters(set);
      }
      case '.':
        cursor_.take();
        return characters(complement(kLineEnds));
      case '^':
        return unsupported("^ behind the beginning");
      case '$':
        return unsupported("$ before the end");
      case '*':
      case '+':
      case '?':
        return mistake("there is nothing to repeat");
      default: {
        const char32_t c = cursor_.take();
        return characters({{c, c}});
      }
    }
  }

  Result<ExprId> parse_group(unsigned depth) {
    if (depth >= kMaxGrammarNesting) {
      return mistake(fmt::format("groups are nested deeper than {}", kMaxGrammarNesting));
    }
    const std::string_view rest = cursor_.rest();
    if (rest.starts_with("(?=") || rest.starts_with("(?!")) return unsupported("look-ahead");
    if (rest.starts_with("(?<=") || rest.starts_with("(?<!")) return unsupported("look-behind");
    if (rest.starts_with("(?<") || rest.starts_with("(?P<")) {
      const std::size_t end = rest.find('>');
      if (end == std::string_view::npos) return mistake("a group's name has no end");
      cursor_.go_to(cursor_.place() + end + 1);
    } else if (rest.starts_with("(?") && !rest.starts_with("(?:")) {
      return unsupported("this kind of group");
    } else if (!cursor_.skip("(?:")) {
      cursor_.skip("(");
    }
    JARIP_TRY(const ExprId group, parse_choice(depth + 1));
    if (!cursor_.skip(")")) return mistake("a \")\" is missing");
    return group;
  }

  Result<CharacterSet> parse_class() {
    cursor_.skip("[");
    const bool negated = cursor_.skip("^");
    CharacterSet set;
    while (!cursor_.skip("]")) {
      if (cursor_.at_end()) return mistake("a \"]\" is missing");
      JARIP_TRY(const CharacterSet low, parse_class_part());
      if (cursor_.peek() == '-' && cursor_.peek(1) != ']' && cursor_.peek(1) != '\0') {
        cursor_.skip("-");
        JARIP_TRY(const CharacterSet high, parse_class_part());
        const auto is_one = [](const CharacterSet& part) {
          return part.size() == 1 && part[0].low == part[0].high;
        };
        if (!is_one(low) || !is_one(high)) return mistake("a range's ends must be characters");
        if (high[0].low < low[0].low) return mistake("a range ends before it begins");
        set.push_back({low[0].low, high[0].low});
      } else {
        set.insert(set.end(), low.begin(), low.end());
      }
    }
    return negated ? complement(set) : normalize(set);
  }

  Result<CharacterSet> parse_class_part() {
    if (cursor_.at_end()) return mistake("a \"]\" is missing");
    if (cursor_.peek() == '\\') return parse_escape(true);
    const char32_t c = cursor_.take();
    return CharacterSet{{c, c}};
  }

  Result<CharacterSet> parse_escape(bool in_class) {
    cursor_.skip("\\");
    if (cursor_.at_end()) return mistake("an escape is cut off");
    const char32_t c = cursor_.take();
    const auto one = [](char32_t value) { return CharacterSet{{value, value}}; };
    switch (c) {
      case 'd':
        return kDigits;
      case 'D':
        return complement(kDigits);
      case 'w':
        return kWord;
      case 'W':
        return complement(kWord);
      case 's':
        return kSpace;
      case 'S':
        return complement(kSpace);
      case 't':
        return one('\t');
      case 'n':
        return one('\n');
      case 'v':
        return one('\v');
      case 'f':
        return one('\f');
      case 'r':
        return one('\r');
      case 'x':
        return parse_code(2);
      case 'u':
        return parse_unicode();
      case 'b':
        if (in_class) return one('\b');
        return unsupported("the word boundary \\b");
      case 'B':
        return unsupported("the word boundary \\B");
      case 'p':
      case 'P':
        return unsupported("the Unicode property \\p");
      case 'k':
        return unsupported("a back reference");
      case 'c':
        return parse_control();
      case '0':
        if (cursor_.peek() < '0' || cursor_.peek() > '9') return one(0);
        return mistake("octal escapes aren't allowed");
      default:
        break;
    }
    if (c >= '1' && c <= '9') return unsupported("a back reference");
    const bool is_letter = c < 0x80 && ((c | 0x20U) >= 'a' && (c | 0x20U) <= 'z');
    if (is_letter) return mistake("there is no such escape");
    return one(c);
  }

  Result<CharacterSet> parse_control() {
    const char lower = static_cast<char>(cursor_.peek() | 0x20);
    if (lower < 'a' || lower > 'z') return mistake("\\c needs a letter");
    const char32_t c = cursor_.take() & 0x1FU;
    return CharacterSet{{c, c}};
  }

  Result<CharacterSet> parse_code(unsigned n_digits) {
    const std::optional<char32_t> value = cursor_.take_hex(n_digits);
    if (!value) return mistake(fmt::format("the escape needs {} hexadecimal digits", n_digits));
    return CharacterSet{{*value, *value}};
  }

  Result<CharacterSet> parse_unicode() {
    if (cursor_.peek() == '{') {
      cursor_.skip("{");
      char32_t value = 0;
      unsigned n_digits = 0;
      for (; const auto digit = cursor_.take_hex(1); ++n_digits) {
        value = std::min<char32_t>(value * 16 + *digit, kLastCodePoint + 1);
      }
      if (n_digits == 0 || value > kLastCodePoint || !cursor_.skip("}")) {
        return mistake("\\u{…} needs a character of Unicode");
      }
      return CharacterSet{{value, value}};
    }
    JARIP_TRY(CharacterSet first, parse_code(4));
    const char32_t high = first[0].low;
    if (high < 0xD800 || high > 0xDBFF || !cursor_.skip("\\u")) return first;
    JARIP_TRY(const CharacterSet second, parse_code(4));
    const char32_t low = second[0].low;
    if (low < 0xDC00 || low > 0xDFFF) return mistake("a surrogate has no second half");
    const char32_t both = 0x10000 + ((high - 0xD800) << 10U) + (low - 0xDC00);
    return CharacterSet{{both, both}};
  }

  TextCursor cursor_;
  RegexOptions options_;
  GrammarBuilder& builder_;
};

}  // namespace

Result<ExprId> parse_regex(std::string_view pattern, const RegexOptions& options,
                           GrammarBuilder& builder) {
  return RegexParser(pattern, options, builder).parse();
}

std::optional<CharacterCount> as_character_count(std::string_view pattern) {
  GrammarBuilder builder;
  return RegexParser(pattern, {}, builder).parse_character_count();
}

}  // namespace jarip
