#include "model/template/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include "base/utf8.h"
#include "model/template/unicode.h"

namespace jarip::jinja {
namespace {

constexpr std::size_t kNowhere = std::string_view::npos;

// Longest first, so that "**" is not two "*".
constexpr auto kOperators = std::to_array<std::string_view>(
    {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
     "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"});

bool is_decimal_digit(char c) { return c >= '0' && c <= '9'; }

// Where the spaces that begin at i end.
std::size_t skip_spaces(std::string_view text, std::size_t i) {
  while (i < text.size()) {
    const Utf8Unit unit = decode_utf8(text.substr(i));
    if (unit.kind != Utf8Kind::kCharacter || !is_space(unit.code_point)) break;
    i += unit.length;
  }
  return i;
}

// Where the spaces that end the text begin.
std::size_t trim_end(std::string_view text) {
  std::size_t end = 0;
  for (std::size_t i = 0; i < text.size();) {
    const Utf8Unit unit = decode_utf8(text.substr(i));
    i += unit.length;
    if (!is_space(unit.code_point)) end = i;
  }
  return end;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  Result<std::vector<Token>> run() {
    while (at_ < source_.size()) {
      const std::size_t tag = find_tag();
      if (tag == kNowhere) {
        add_text(source_.substr(at_), at_);
        at_ = source_.size();
        break;
      }
      JARIP_CHECK(take_tag(tag));
    }
    add(TokenKind::kEnd, {}, source_.size());
    return std::move(tokens_);
  }

 private:
  std::unexpected<Error> error(std::string message, std::size_t at) const {
    return fail(ErrorCode::kCorrupt, std::move(message), describe_place(source_, at));
  }

  Token& add(TokenKind kind, std::string_view text, std::size_t at) {
    tokens_.push_back({kind, std::string(text), 0, 0, static_cast<std::uint32_t>(at)});
    return tokens_.back();
  }

  void add_text(std::string_view text, std::size_t at) {
    if (!text.empty()) add(TokenKind::kText, text, at);
  }

  [[nodiscard]] char peek(std::size_t i) const { return i < source_.size() ? source_[i] : '\0'; }

  [[nodiscard]] std::size_t find_tag() const {
    for (std::size_t i = source_.find('{', at_); i != kNowhere; i = source_.find('{', i + 1)) {
      const char next = peek(i + 1);
      if (next == '%' || next == '{' || next == '#') return i;
    }
    return kNowhere;
  }

  // The text before a tag, less what the tag's sign or lstrip_blocks strips.
  [[nodiscard]] std::string_view text_before(std::size_t tag, char sign, bool strips_line) const {
    const std::string_view text = source_.substr(at_, tag - at_);
    if (sign == '-') return text.substr(0, trim_end(text));
    if (sign == '+' || !strips_line) return text;
    const std::size_t newline = text.rfind('\n');
    const std::size_t line = newline == kNowhere ? 0 : newline + 1;
    const bool line_begins = newline != kNowhere || at_ == 0 || source_[at_ - 1] == '\n';
    if (line_begins && skip_spaces(text, line) == text.size()) return text.substr(0, line);
    return text;
  }

  [[nodiscard]] char sign_at(std::size_t i) const {
    const char c = peek(i);
    return c == '-' || c == '+' ? c : '\0';
  }

  Result<void> take_tag(std::size_t tag) {
    const char kind = source_[tag + 1];
    const char sign = sign_at(tag + 2);
    const std::size_t inside = tag + (sign == '\0' ? 2 : 3);
    add_text(text_before(tag, sign, kind != '{'), at_);
    at_ = inside;
    if (kind == '#') return skip_comment(tag);
    if (kind == '%') {
      if (const std::size_t begin = raw_begin(inside); begin != kNowhere) {
        at_ = begin;
        return take_raw(tag);
      }
    }
    const bool block = kind == '%';
    add(block ? TokenKind::kBlockBegin : TokenKind::kVariableBegin, {}, tag);
    return take_expression(block);
  }

  // What follows the end of a block: its own sign, then the space that it takes with it.
  [[nodiscard]] std::size_t after_end(std::size_t end, char sign) const {
    if (sign == '-') return skip_spaces(source_, end);
    if (sign != '+' && peek(end) == '\n') return end + 1;
    return end;
  }

  Result<void> skip_comment(std::size_t tag) {
    if (at_ == source_.size()) return {};  // as Jinja has it
    const std::size_t end = source_.find("#}", at_);
    if (end == kNowhere) return error("missing end of comment tag", tag);
    const char sign = end > at_ ? sign_at(end - 1) : '\0';
    at_ = after_end(end + 2, sign);
    return {};
  }

  // Where the content of a raw block begins, if this is the tag of one.
  [[nodiscard]] std::size_t raw_begin(std::size_t i) const {
    i = skip_spaces(source_, i);
    if (!source_.substr(i).starts_with("raw")) return kNowhere;
    i = skip_spaces(source_, i + 3);
    if (source_.substr(i).starts_with("-%}")) return skip_spaces(source_, i + 3);
    return source_.substr(i).starts_with("%}") ? i + 2 : kNowhere;
  }

  Result<void> take_raw(std::size_t tag) {
    for (std::size_t i = source_.find("{%", at_); i != kNowhere; i = source_.find("{%", i + 1)) {
      const char sign = sign_at(i + 2);
      std::size_t end = skip_spaces(source_, i + (sign == '\0' ? 2 : 3));
      if (!source_.substr(end).starts_with("endraw")) continue;
      end = skip_spaces(source_, end + 6);
      const char end_sign = sign_at(end);
      if (end_sign != '\0') ++end;
      if (!source_.substr(end).starts_with("%}")) continue;
      add_text(text_before(i, sign, true), at_);
      at_ = after_end(end + 2, end_sign);
      return {};
    }
    if (at_ == source_.size()) return {};  // as Jinja has it
    return error("missing end of raw directive", tag);
  }

  // Tokens up to the end of the tag. Its end counts only where all brackets are closed.
  Result<void> take_expression(bool block) {
    std::string open;  // the brackets to close, innermost last
    while (true) {
      at_ = skip_spaces(source_, at_);
      if (at_ >= source_.size()) return {};  // the parser says what is missing
      if (open.empty() && take_end(block)) return {};
      JARIP_CHECK(take_token(open));
    }
  }

  bool take_end(bool block) {
    const std::string_view end = block ? "%}" : "}}";
    const char sign = sign_at(at_);
    const bool signed_end = sign == '-' || (sign == '+' && block);
    const std::size_t begin = at_ + (signed_end ? 1 : 0);
    if (!source_.substr(begin).starts_with(end)) return false;
    add(block ? TokenKind::kBlockEnd : TokenKind::kVariableEnd, {}, at_);
    const std::size_t after = begin + 2;
    if (block) {
      at_ = after_end(after, sign);
    } else {
      at_ = sign == '-' ? skip_spaces(source_, after) : after;
    }
    return true;
  }

  Result<void> take_token(std::string& open) {
    const char c = source_[at_];
    if (is_decimal_digit(c)) return take_number();
    if (c == '\'' || c == '"') return take_string(c);
    const Utf8Unit unit = decode_utf8(source_.substr(at_));
    if (unit.kind == Utf8Kind::kCharacter && starts_identifier(unit.code_point)) {
      return take_name();
    }
    for (const std::string_view op : kOperators) {
      if (!source_.substr(at_).starts_with(op)) continue;
      JARIP_CHECK(balance(open, op));
      add(TokenKind::kOperator, op, at_);
      at_ += op.size();
      return {};
    }
    return error(
        fmt::format("unexpected character '{}'", replace_invalid(source_.substr(at_, unit.length))),
        at_);
  }

  Result<void> balance(std::string& open, std::string_view op) {
    if (op == "{") open.push_back('}');
    if (op == "(") open.push_back(')');
    if (op == "[") open.push_back(']');
    if (op != "}" && op != ")" && op != "]") return {};
    if (open.empty()) return error(fmt::format("unexpected '{}'", op), at_);
    if (open.back() != op[0]) {
      return error(fmt::format("unexpected '{}', expected '{}'", op, open.back()), at_);
    }
    open.pop_back();
    return {};
  }

  Result<void> take_name() {
    std::size_t end = at_;
    while (end < source_.size()) {
      const Utf8Unit unit = decode_utf8(source_.substr(end));
      if (unit.kind != Utf8Kind::kCharacter || !continues_identifier(unit.code_point)) break;
      end += unit.length;
    }
    add(TokenKind::kName, source_.substr(at_, end - at_), at_);
    at_ = end;
    return {};
  }

  // Where digits with single _ between them end; i if there are none.
  template <class IsDigit>
  [[nodiscard]] std::size_t skip_digits(std::size_t i, IsDigit is_digit) const {
    while (is_digit(peek(i))) {
      ++i;
      if (peek(i) == '_' && is_digit(peek(i + 1))) ++i;
    }
    return i;
  }

  // The end of a float that begins here, or kNowhere.
  [[nodiscard]] std::size_t float_end() const {
    if (at_ > 0 && source_[at_ - 1] == '.') return kNowhere;
    std::size_t i = skip_digits(at_, is_decimal_digit);
    bool is_float = false;
    if (peek(i) == '.' && is_decimal_digit(peek(i + 1))) {
      i = skip_digits(i + 1, is_decimal_digit);
      is_float = true;
    }
    if ((peek(i) | 0x20) == 'e') {
      const std::size_t digits = i + (peek(i + 1) == '+' || peek(i + 1) == '-' ? 2 : 1);
      if (is_decimal_digit(peek(digits))) {
        i = skip_digits(digits, is_decimal_digit);
        is_float = true;
      }
    }
    return is_float ? i : kNowhere;
  }

  Result<void> take_number() {
    std::size_t end = float_end();
    const bool is_float = end != kNowhere;
    int base = 10;
    std::size_t digits_at = at_;
    if (!is_float) std::tie(end, base, digits_at) = integer_end();
    std::string digits(source_.substr(digits_at, end - digits_at));
    std::erase(digits, '_');
    Token& token = add(is_float ? TokenKind::kFloat : TokenKind::kInteger, digits, at_);
    if (is_float) {
      token.number = std::strtod(digits.c_str(), nullptr);
    } else {
      const auto parsed =
          std::from_chars(digits.data(), digits.data() + digits.size(), token.integer, base);
      if (parsed.ec != std::errc()) {
        return fail(ErrorCode::kTooLarge, "an integer exceeds 64 bits",
                    describe_place(source_, at_));
      }
    }
    at_ = end;
    return {};
  }

  // End, base, and where the digits begin.
  [[nodiscard]] std::tuple<std::size_t, int, std::size_t> integer_end() const {
    const auto prefixed = [&](int base, auto is_digit) {
      std::size_t digits = at_ + 2;
      if (peek(digits) == '_') ++digits;
      const std::size_t end = skip_digits(digits, is_digit);
      return std::tuple(end == digits ? at_ + 1 : end, end == digits ? 10 : base,
                        end == digits ? at_ : digits);
    };
    if (source_[at_] != '0') return {skip_digits(at_, is_decimal_digit), 10, at_};
    switch (peek(at_ + 1) | 0x20) {
      case 'b':
        return prefixed(2, [](char c) { return c == '0' || c == '1'; });
      case 'o':
        return prefixed(8, [](char c) { return c >= '0' && c <= '7'; });
      case 'x':
        return prefixed(16, [](char c) {
          return is_decimal_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
        });
      default:
        return {skip_digits(at_, [](char c) { return c == '0'; }), 10, at_};
    }
  }

  Result<void> take_string(char quote) {
    std::size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) {
      return error(fmt::format("unexpected character '{}': a string that does not end", quote),
                   at_);
    }
    JARIP_TRY(const std::string text, unescape(at_ + 1, end));
    add(TokenKind::kString, text, at_);
    at_ = end + 1;
    return {};
  }

  Result<std::string> unescape(std::size_t begin, std::size_t end) {
    std::string out;
    for (std::size_t i = begin; i < end;) {
      if (source_[i] != '\\') {
        out.push_back(source_[i++]);
        continue;
      }
      JARIP_TRY(i, unescape_one(out, i, end));
    }
    return out;
  }

  // Python's escapes; an unknown one stays as it is. Returns where it ends.
  Result<std::size_t> unescape_one(std::string& out, std::size_t i, std::size_t end) {
    constexpr std::string_view kLetters = "abfnrtv\\'\"";
    constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\'\"";
    const char letter = source_[i + 1];
    if (letter == '\n') return i + 2;
    if (const std::size_t which = kLetters.find(letter); which != kNowhere) {
      out.push_back(kMeanings[which]);
      return i + 2;
    }
    if (letter >= '0' && letter <= '7') return unescape_number(out, i, i + 1, end, 3, 8);
    if (letter == 'x') return unescape_number(out, i, i + 2, end, 2, 16);
    if (letter == 'u') return unescape_number(out, i, i + 2, end, 4, 16);
    if (letter == 'U') return unescape_number(out, i, i + 2, end, 8, 16);
    if (letter == 'N') return unsupported_escape("\\N", i);
    out.push_back('\\');
    return i + 1;
  }

  std::unexpected<Error> unsupported_escape(std::string_view what, std::size_t at) const {
    return fail(ErrorCode::kUnsupported, fmt::format("the escape {} is not supported", what),
                describe_place(source_, at));
  }

  Result<std::size_t> unescape_number(std::string& out, std::size_t escape, std::size_t begin,
                                      std::size_t end, std::size_t max_digits, int base) {
    std::uint32_t code = 0;
    const std::size_t limit = std::min(end, begin + max_digits);
    const auto parsed = std::from_chars(source_.data() + begin, source_.data() + limit, code, base);
    const auto n = static_cast<std::size_t>(parsed.ptr - (source_.data() + begin));
    if (parsed.ec != std::errc() || (base == 16 && n != max_digits)) {
      return error("a truncated escape in a string", escape);
    }
    constexpr std::uint32_t kLastCodePoint = 0x10FFFF;
    if (code > kLastCodePoint) return error("an escape past the last character", escape);
    if (code >= 0xD800 && code < 0xE000) return unsupported_escape("of a surrogate", escape);
    append_utf8(out, code);
    return begin + n;
  }

  std::string_view source_;
  std::size_t at_ = 0;
  std::vector<Token> tokens_;
};

}  // namespace

std::string normalize_source(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') ++i;
    out.push_back(source[i] == '\r' ? '\n' : source[i]);
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

Result<std::vector<Token>> tokenize(std::string_view source) { return Lexer(source).run(); }

std::string describe_place(std::string_view source, std::size_t at) {
  const std::string_view before = source.substr(0, at);
  const auto line = std::ranges::count(before, '\n') + 1;
  const std::size_t newline = before.rfind('\n');
  const std::string_view in_line = newline == kNowhere ? before : before.substr(newline + 1);
  return fmt::format("line {}, column {}", line, count_characters(in_line) + 1);
}

}  // namespace jarip::jinja
