#include "grammar/ebnf.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "grammar/characters.h"
#include "grammar/text_cursor.h"

namespace jarip {
namespace {

bool is_name_part(char c) {
  const char lower = static_cast<char>(c | 0x20);
  return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

class EbnfParser {
 public:
  EbnfParser(std::string_view text, GrammarBuilder& builder)
      : text_(text), cursor_(text), builder_(builder) {}

  Result<RuleId> parse() {
    skip_space();
    while (!cursor_.at_end()) {
      JARIP_CHECK(parse_rule());
      skip_space();
    }
    if (names_.empty()) return refuse("the grammar has no rules");
    for (const auto& [name, rule] : rules_) {
      if (builder_.rules()[rule].body) continue;
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("the grammar uses the rule \"{}\" and doesn't define it", name));
    }
    if (builder_.failed()) return std::unexpected(*builder_.error());
    const auto root = rules_.find("root");
    return root != rules_.end() ? root->second : rules_.find(names_.front())->second;
  }

 private:
  std::unexpected<Error> refuse(std::string_view message) const {
    const std::string_view before = text_.substr(0, cursor_.place());
    const auto line = std::ranges::count(before, '\n') + 1;
    const std::size_t start =
        before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
    return fail(ErrorCode::kInvalidArgument, fmt::format("the grammar's line {}, column {}: {}",
                                                         line, before.size() - start + 1, message));
  }

  void skip_space() {
    for (;;) {
      const char c = cursor_.peek();
      if (!cursor_.at_end() && (c == ' ' || c == '\t' || c == '\r' || c == '\n')) {
        cursor_.take();
      } else if (c == '#') {
        const std::size_t n = cursor_.rest().find('\n');
        cursor_.go_to(n == std::string_view::npos ? text_.size() : cursor_.place() + n);
      } else {
        return;
      }
    }
  }

  std::string_view take_name() {
    const std::string_view rest = cursor_.rest();
    std::size_t n = 0;
    while (n < rest.size() && is_name_part(rest[n])) ++n;
    cursor_.go_to(cursor_.place() + n);
    return rest.substr(0, n);
  }

  // A name with "::=" behind it begins the next rule.
  bool at_rule() {
    const std::size_t place = cursor_.place();
    const bool found = !take_name().empty() && (skip_space(), cursor_.rest().starts_with("::="));
    cursor_.go_to(place);
    return found;
  }

  RuleId rule_of(std::string_view name) {
    const auto found = rules_.find(name);
    if (found != rules_.end()) return found->second;
    const RuleId rule = builder_.add_rule(std::string(name));
    rules_.emplace(name, rule);
    return rule;
  }

  Result<void> parse_rule() {
    if (!at_rule()) return refuse("a rule must begin here: name ::= …");
    const std::size_t place = cursor_.place();
    const std::string_view name = take_name();
    const RuleId rule = rule_of(name);
    if (builder_.failed()) return std::unexpected(*builder_.error());
    if (builder_.rules()[rule].body) {
      cursor_.go_to(place);
      return refuse(fmt::format("the rule \"{}\" is defined twice", name));
    }
    names_.push_back(name);
    skip_space();
    cursor_.skip("::=");
    JARIP_TRY(const ExprId body, parse_choice(0));
    if (builder_.failed()) return std::unexpected(*builder_.error());
    builder_.define(rule, body);
    skip_space();
    if (!cursor_.at_end() && !at_rule()) return refuse("this can't stand in a rule");
    return {};
  }

  Result<ExprId> parse_choice(unsigned depth) {
    std::vector<ExprId> parts;
    do {
      JARIP_TRY(const ExprId part, parse_sequence(depth));
      parts.push_back(part);
      skip_space();
    } while (cursor_.skip("|"));
    return builder_.choice(parts);
  }

  Result<ExprId> parse_sequence(unsigned depth) {
    std::vector<ExprId> parts;
    for (;;) {
      skip_space();
      const char c = cursor_.peek();
      const bool starts_item = c == '"' || c == '[' || c == '(' || c == '.' || is_name_part(c);
      if (cursor_.at_end() || !starts_item || at_rule()) return builder_.sequence(parts);
      JARIP_TRY(ExprId item, parse_item(depth));
      for (;;) {
        skip_space();
        JARIP_TRY(const std::optional<ExprId> repeated, parse_repeat(item));
        if (!repeated) break;
        item = *repeated;
      }
      parts.push_back(item);
    }
  }

  Result<ExprId> parse_item(unsigned depth) {
    if (cursor_.skip("\"")) return parse_literal();
    if (cursor_.skip("[")) return parse_class();
    if (cursor_.skip(".")) return builder_.code_points(complement({}));
    if (!cursor_.skip("(")) return builder_.rule(rule_of(take_name()));
    if (depth >= kMaxGrammarNesting) {
      return refuse(fmt::format("groups are nested deeper than {}", kMaxGrammarNesting));
    }
    JARIP_TRY(const ExprId group, parse_choice(depth + 1));
    skip_space();
    if (!cursor_.skip(")")) return refuse("a \")\" is missing");
    return group;
  }

  // Nothing where no repetition is written.
  Result<std::optional<ExprId>> parse_repeat(ExprId item) {
    if (cursor_.skip("*")) return builder_.repeat(item, 0, kUnbounded);
    if (cursor_.skip("+")) return builder_.repeat(item, 1, kUnbounded);
    if (cursor_.skip("?")) return builder_.repeat(item, 0, 1);
    if (!cursor_.skip("{")) return std::nullopt;
    skip_space();
    const std::optional<std::uint32_t> min = cursor_.take_number();
    std::optional<std::uint32_t> max = min;
    skip_space();
    if (cursor_.skip(",")) {
      skip_space();
      max = cursor_.take_number();
      skip_space();
      if (!max) max = kUnbounded;
    }
    if (!max || !cursor_.skip("}")) return refuse("a repetition is written {m}, {m,} or {m,n}");
    if (min.value_or(0) > kMaxRepeats || min.value_or(0) > *max ||
        (*max != kUnbounded && *max > kMaxRepeats)) {
      return refuse(
          fmt::format("a repetition's bounds must be in order and at most {}", kMaxRepeats));
    }
    return builder_.repeat(item, min.value_or(0), *max);
  }

  Result<ExprId> parse_literal() {
    std::string literal;
    while (!cursor_.skip("\"")) {
      if (cursor_.at_end() || cursor_.peek() == '\n') return refuse("a \" is missing");
      JARIP_TRY(const char32_t c, parse_character());
      append_utf8(literal, c);
    }
    return builder_.literal(literal);
  }

  Result<ExprId> parse_class() {
    const bool negated = cursor_.skip("^");
    CharacterSet set;
    while (!cursor_.skip("]")) {
      if (cursor_.at_end() || cursor_.peek() == '\n') return refuse("a \"]\" is missing");
      JARIP_TRY(const char32_t low, parse_character());
      char32_t high = low;
      if (cursor_.peek() == '-' && cursor_.peek(1) != ']') {
        cursor_.skip("-");
        if (cursor_.at_end()) return refuse("a \"]\" is missing");
        JARIP_TRY(high, parse_character());
      }
      if (high < low) return refuse("a range of characters ends before it begins");
      set.push_back({low, high});
    }
    return builder_.code_points(negated ? complement(set) : normalize(set));
  }

  Result<char32_t> parse_character() {
    if (!cursor_.skip("\\")) return cursor_.take();
    if (cursor_.at_end()) return refuse("an escape is cut off");
    const std::size_t place = cursor_.place();
    const char32_t c = cursor_.take();
    const unsigned n_digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (n_digits > 0) {
      const std::optional<char32_t> value = cursor_.take_hex(n_digits);
      if (!value) return refuse(fmt::format("the escape needs {} hexadecimal digits", n_digits));
      if (*value > kLastCodePoint || (*value >= 0xD800 && *value <= 0xDFFF)) {
        return refuse("the escape isn't a character of Unicode");
      }
      return *value;
    }
    switch (c) {
      case 'n':
        return U'\n';
      case 'r':
        return U'\r';
      case 't':
        return U'\t';
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
      case '^':
        return c;
      default:
        cursor_.go_to(place);
        return refuse("there is no such escape");
    }
  }

  std::string_view text_;
  TextCursor cursor_;
  GrammarBuilder& builder_;
  std::map<std::string_view, RuleId> rules_;
  std::vector<std::string_view> names_;  // in the order of their definitions
};

}  // namespace

Result<RuleId> parse_ebnf(std::string_view text, GrammarBuilder& builder) {
  return EbnfParser(text, builder).parse();
}

}  // namespace jarip
