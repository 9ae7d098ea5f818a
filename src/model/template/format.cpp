#include "model/template/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include "base/utf8.h"
#include "model/template/access.h"
#include "model/template/format_spec.h"
#include "model/template/operators.h"
#include "model/template/print.h"

namespace jarip::jinja {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

// "…" % values, from left to right.
class PercentFormat {
 public:
  PercentFormat(Runtime& runtime, const Text& format, const Value& values)
      : out_(runtime.budget), format_(format), bytes_(format.view()), values_(values) {
    const Sequence* sequence = values.sequence();
    if (sequence != nullptr && sequence->is_tuple()) {
      tuple_ = sequence;
    } else if (values.text() == nullptr) {
      // Python asks for no more than __getitem__, so a list will do for a mapping with no use.
      is_mapping_ = values.dict() != nullptr || sequence != nullptr || values.range() != nullptr ||
                    values.is_undefined();
    }
  }

  Result<Value> run() {
    while (at_ < bytes_.size()) {
      const std::size_t percent = std::min(bytes_.find('%', at_), bytes_.size());
      JARIP_CHECK(out_.add(format_, at_, percent - at_));
      at_ = percent + 1;
      if (percent < bytes_.size()) JARIP_CHECK(field());
    }
    const bool all_used = tuple_ != nullptr ? next_ == tuple_->items.size() : next_ > 0;
    if (!all_used && !is_mapping_) return type_error("not all values of % were used");
    return out_.take_value();
  }

 private:
  Result<char> take() {
    if (at_ >= bytes_.size()) return type_error("incomplete format after %");
    return bytes_[at_++];
  }

  Result<Value> next_value() {
    if (tuple_ != nullptr) {
      if (next_ >= tuple_->items.size()) return type_error("not enough values for %");
      return tuple_->items[next_++];
    }
    if (next_ > 0) return type_error("not enough values for %");
    ++next_;
    return values_;
  }

  // *: the next value; otherwise digits, if any.
  Result<std::optional<std::int64_t>> number() {
    if (at_ < bytes_.size() && bytes_[at_] == '*') {
      ++at_;
      JARIP_TRY(const Value value, next_value());
      if (const auto integer = value.integer()) return *integer;
      return type_error("* takes an integer");
    }
    std::int64_t parsed = 0;
    const char* begin = bytes_.data() + at_;
    const auto result = std::from_chars(begin, bytes_.data() + bytes_.size(), parsed);
    if (result.ec == std::errc::invalid_argument || *begin == '-') return std::nullopt;
    if (result.ec != std::errc()) return too_large("a format is too wide");
    at_ += static_cast<std::size_t>(result.ptr - begin);
    return parsed;
  }

  Result<std::optional<Value>> named_value() {
    if (at_ >= bytes_.size() || bytes_[at_] != '(') return std::nullopt;
    const std::size_t end = bytes_.find(')', at_);
    if (end == kNone) return type_error("incomplete name after %");
    const std::string_view name = bytes_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    if (values_.dict() == nullptr) return type_error("%(name) takes a mapping");
    const Value* found = values_.dict()->find(name);
    if (found == nullptr) return type_error(fmt::format("% has no value '{}'", name));
    return *found;
  }

  void flags(FieldSpec& spec) {
    bool zero = false;
    for (; at_ < bytes_.size(); ++at_) {
      const char c = bytes_[at_];
      if (c == '-') {
        spec.align = '<';
      } else if (c == '+' || (c == ' ' && spec.sign != '+')) {
        spec.sign = c;
      } else if (c == '#') {
        spec.alternate = true;
      } else if (c == '0') {
        zero = true;
      } else if (c != ' ') {
        break;
      }
    }
    if (zero && spec.align == 0) {
      spec.align = '=';
      spec.fill = Text("0", false);
    }
  }

  Result<void> field() {
    JARIP_TRY(const auto named, named_value());
    FieldSpec spec;
    flags(spec);
    JARIP_TRY(const auto width, number());
    if (width) spec.width = std::abs(std::max<std::int64_t>(*width, -INT64_MAX));
    if (width && *width < 0) spec.align = '<';
    if (at_ < bytes_.size() && bytes_[at_] == '.') {
      ++at_;
      JARIP_TRY(const auto precision, number());
      spec.precision = std::max<std::int64_t>(0, precision.value_or(0));
    }
    JARIP_TRY(char type, take());
    if (type == 'l' || type == 'h' || type == 'L') {
      JARIP_TRY(type, take());
    }
    if (type == '%') return out_.add("%", format_.from_input(at_ - 1));
    if (named) return convert(type, *named, spec);
    JARIP_TRY(const Value value, next_value());
    return convert(type, value, spec);
  }

  Result<void> convert(char type, const Value& value, FieldSpec spec) {
    switch (type) {
      case 's':
      case 'r':
        return convert_text(type, value, spec);
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o':
        return convert_integer(type, value, spec);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G': {
        if (value.is_undefined()) return undefined_error(value);
        const auto number = value.number();
        if (!number) return type_error(fmt::format("%{} takes a number", type));
        spec.type = type;
        return format_float(out_, *number, value.from_input(), spec);
      }
      default:
        return unsupported(fmt::format("format code '%{}' is not supported", type));
    }
  }

  Result<void> convert_text(char type, const Value& value, FieldSpec spec) {
    TextBuilder text(out_.budget());
    JARIP_CHECK(type == 's' ? print_str(text, value) : print_repr(text, value));
    spec.sign = 0;
    spec.alternate = false;
    spec.fill = Text(" ", false);
    if (spec.align != '<') spec.align = '>';
    return format_text(out_, text.text(), spec);
  }

  Result<void> convert_integer(char type, const Value& value, FieldSpec spec) {
    if (value.is_undefined()) return undefined_error(value);
    std::optional<std::int64_t> integer = value.integer();
    const bool decimal = type == 'd' || type == 'i' || type == 'u';
    if (const auto* number = value.get<double>(); number != nullptr && decimal) {
      JARIP_TRY(integer, to_integer(*number));
    }
    if (!integer) return type_error(fmt::format("%{} takes an integer", type));
    if (spec.precision) return unsupported("a precision with integers is not supported");
    spec.type = decimal ? 'd' : type;
    return format_integer(out_, *integer, value.from_input(), spec);
  }

  TextBuilder out_;
  const Text& format_;
  std::string_view bytes_;
  const Value& values_;
  const Sequence* tuple_ = nullptr;
  bool is_mapping_ = false;
  std::size_t at_ = 0;
  std::size_t next_ = 0;  // of the tuple, or 1 once the single value is used
};

// "…".format(values).
class BraceFormat {
 public:
  BraceFormat(Runtime& runtime, const Arguments& arguments)
      : runtime_(runtime), arguments_(arguments) {}

  // depth: how many levels of fields inside format specifications are still allowed.
  Result<Text> run(const Text& format, int depth) {
    TextBuilder out(runtime_.budget);
    const std::string_view bytes = format.view();
    std::size_t i = 0;
    while (i < bytes.size()) {
      const std::size_t brace = std::min(bytes.find_first_of("{}", i), bytes.size());
      JARIP_CHECK(out.add(format, i, brace - i));
      i = brace;
      if (i >= bytes.size()) break;
      if (i + 1 < bytes.size() && bytes[i + 1] == bytes[i]) {
        JARIP_CHECK(out.add(format, i, 1));
        i += 2;
        continue;
      }
      if (bytes[i] == '}') return type_error("single '}' in a format string");
      JARIP_TRY(const std::size_t end, field_end(bytes, i));
      if (depth == 0) return type_error("a format string nests too deeply");
      JARIP_CHECK(field(out, format, i + 1, end, depth));
      i = end + 1;
    }
    return out.take();
  }

 private:
  // The brace that closes the one at begin.
  static Result<std::size_t> field_end(std::string_view bytes, std::size_t begin) {
    int open = 0;
    bool in_index = false;
    for (std::size_t i = begin; i < bytes.size(); ++i) {
      if (bytes[i] == '[' && open == 1) in_index = true;
      if (bytes[i] == ']') in_index = false;
      if (in_index) continue;
      if (bytes[i] == '{') ++open;
      if (bytes[i] == '}' && --open == 0) return i;
    }
    return type_error("expected '}' before the end of a format string");
  }

  Result<void> field(TextBuilder& out, const Text& format, std::size_t begin, std::size_t end,
                     int depth) {
    const std::string_view field = format.view().substr(begin, end - begin);
    std::size_t name_end = 0;
    bool in_index = false;
    for (; name_end < field.size(); ++name_end) {
      const char c = field[name_end];
      if (c == '[') in_index = true;
      if (c == ']') in_index = false;
      if (!in_index && (c == '!' || c == ':')) break;
    }
    JARIP_TRY(const Value value, lookup(field.substr(0, name_end)));
    char conversion = 0;
    if (name_end < field.size() && field[name_end] == '!') {
      if (name_end + 1 >= field.size()) return type_error("a conversion is missing after '!'");
      conversion = field[name_end + 1];
      name_end += 2;
      if (name_end < field.size() && field[name_end] != ':') {
        return type_error("expected ':' after a conversion");
      }
    }
    Text spec;
    if (name_end < field.size()) {
      const std::size_t at = begin + name_end + 1;
      JARIP_TRY(spec, run(format.slice(at, end - at), depth - 1));
    }
    return print(out, value, conversion, spec);
  }

  Result<void> print(TextBuilder& out, const Value& value, char conversion, const Text& spec) {
    if (conversion != 0) {
      if (conversion != 's' && conversion != 'r') {
        return unsupported(fmt::format("the conversion '!{}' is not supported", conversion));
      }
      TextBuilder text(runtime_.budget);
      JARIP_CHECK(conversion == 's' ? print_str(text, value) : print_repr(text, value));
      JARIP_TRY(const FieldSpec parsed, parse_field_spec(spec));
      return format_text(out, text.text(), parsed);
    }
    if (spec.empty()) return print_str(out, value);
    JARIP_TRY(const FieldSpec parsed, parse_field_spec(spec));
    if (const Text* text = value.text()) return format_text(out, *text, parsed);
    if (const auto integer = value.integer()) {
      return format_integer(out, *integer, value.from_input(), parsed);
    }
    if (const auto number = value.number()) {
      return format_float(out, *number, value.from_input(), parsed);
    }
    return type_error(fmt::format("{} takes no format specification", type_name(value)));
  }

  Result<Value> argument(std::string_view name) {
    std::int64_t index = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), index);
    const bool is_index = !name.empty() && parsed.ec == std::errc() &&
                          parsed.ptr == name.data() + name.size() && name[0] != '-';
    if (name.empty() || is_index) {
      const Numbering numbering = name.empty() ? Numbering::kAutomatic : Numbering::kManual;
      if (numbering_ != Numbering::kUnknown && numbering_ != numbering) {
        return type_error("a format string can't mix '{}' and '{0}'");
      }
      numbering_ = numbering;
      const auto i = name.empty() ? next_++ : static_cast<std::size_t>(index);
      if (i < arguments_.positional.size()) return arguments_.positional[i];
      return type_error("a format string has more fields than values");
    }
    for (const auto& [key, value] : arguments_.named) {
      if (key.view() == name) return value;
    }
    return type_error(fmt::format("the format string's '{}' has no value", name));
  }

  // name.attribute[index] and so on.
  Result<Value> lookup(std::string_view path) {
    const std::size_t first = std::min(path.find_first_of(".["), path.size());
    JARIP_TRY(Value value, argument(path.substr(0, first)));
    std::size_t i = first;
    while (i < path.size()) {
      const bool index = path[i] == '[';
      if (!index && path[i] != '.') return type_error("expected '.' or '[' in a format field");
      const std::size_t end =
          index ? path.find(']', i) : std::min(path.find_first_of(".[", i + 1), path.size());
      if (end == kNone || end == i + 1) return type_error("a format field's name is incomplete");
      const std::string_view part = path.substr(i + 1, end - i - 1);
      if (index) {
        JARIP_TRY(value, get_item(runtime_, value, index_value(part)));
      } else {
        JARIP_TRY(value, get_attribute(runtime_, value, part));
      }
      i = end + (index ? 1 : 0);
    }
    return value;
  }

  static Value index_value(std::string_view part) {
    std::int64_t index = 0;
    const auto parsed = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool whole = parsed.ec == std::errc() && parsed.ptr == part.data() + part.size();
    return whole && part[0] != '-' ? Value::from(index, false) : Value::literal(part);
  }

  enum class Numbering : std::uint8_t { kUnknown, kAutomatic, kManual };
  Runtime& runtime_;
  const Arguments& arguments_;
  Numbering numbering_ = Numbering::kUnknown;
  std::size_t next_ = 0;
};

}  // namespace

Result<Value> format_percent(Runtime& runtime, const Value& format, const Value& values) {
  if (format.is_markup()) return unsupported("formatting markup is not supported");
  return PercentFormat(runtime, *format.text(), values).run();
}

Result<Value> format_braces(Runtime& runtime, const Value& format, const Arguments& arguments) {
  if (format.is_markup()) return unsupported("formatting markup is not supported");
  JARIP_TRY(Text text, BraceFormat(runtime, arguments).run(*format.text(), 2));
  return Value::from(std::move(text));
}

}  // namespace jarip::jinja
