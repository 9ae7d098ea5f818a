// print_json: what json.dumps() of Python 3 writes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "model/template/print.h"

namespace jarip::jinja {
namespace {

std::string escape_for_json(char32_t c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\f':
      return "\\f";
    case '\b':
      return "\\b";
    default:
      break;
  }
  auto code = static_cast<std::uint32_t>(c);
  if (code < 0x10000) return fmt::format("\\u{:04x}", code);
  code -= 0x10000;
  return fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (code >> 10U), 0xDC00 + (code & 0x3FFU));
}

Result<void> print_json_text(TextBuilder& out, const Text& text, bool ascii_only) {
  const std::string_view bytes = text.view();
  const bool from_input = text.any_from_input();
  JARIP_CHECK(out.add("\"", from_input));
  std::size_t plain = 0;  // where the bytes that need no escape begin
  for (std::size_t i = 0; i < bytes.size();) {
    const Utf8Unit unit = decode_utf8(bytes.substr(i));
    const char32_t c = unit.code_point;
    const bool escaped = c < 0x20 || c == '"' || c == '\\' || (ascii_only && c >= 0x7F);
    if (escaped) {
      JARIP_CHECK(out.add(text, plain, i - plain));
      JARIP_CHECK(out.add(escape_for_json(c), text.from_input(i)));
      plain = i + unit.length;
    }
    i += unit.length;
  }
  JARIP_CHECK(out.add(text, plain, bytes.size() - plain));
  return out.add("\"", from_input);
}

std::string json_number(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
  return float_repr(number);
}

class JsonPrinter {
 public:
  JsonPrinter(TextBuilder& out, const JsonStyle& style) : out_(out), style_(style) {}

  Result<void> print(const Value& value) {
    JARIP_CHECK(out_.budget().charge(1));
    if (const Text* text = value.text()) return print_json_text(out_, *text, style_.ascii_only);
    if (const Dict* dict = value.dict()) return print_dict(*dict, value.from_input());
    const Sequence* items = value.sequence();
    if (items != nullptr && !items->is_view()) return print_list(*items, value.from_input());
    JARIP_TRY(const std::string scalar, scalar_text(value));
    return out_.add(scalar, value.from_input());
  }

 private:
  static Result<std::string> scalar_text(const Value& value) {
    if (value.is_none()) return "null";
    if (const auto* boolean = value.get<bool>()) return *boolean ? "true" : "false";
    if (const auto* integer = value.get<std::int64_t>()) return fmt::format("{}", *integer);
    if (const auto* number = value.get<double>()) return json_number(*number);
    return type_error(fmt::format("Object of type {} is not JSON serializable", type_name(value)));
  }

  Result<void> new_line() {
    if (!style_.multiline) return {};
    JARIP_CHECK(out_.add("\n", false));
    return out_.add_repeated(style_.indent, level_);
  }

  Result<void> open(std::string_view bracket, bool from_input) {
    JARIP_CHECK(out_.add(bracket, from_input));
    ++level_;
    return new_line();
  }

  Result<void> separate() {
    JARIP_CHECK(out_.add(style_.item_separator));
    return new_line();
  }

  Result<void> close(std::string_view bracket, bool from_input) {
    --level_;
    JARIP_CHECK(new_line());
    return out_.add(bracket, from_input);
  }

  Result<void> print_list(const Sequence& list, bool from_input) {
    if (list.items.empty()) return out_.add("[]", from_input);
    JARIP_CHECK(open("[", from_input));
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) JARIP_CHECK(separate());
      JARIP_CHECK(print(list.items[i]));
    }
    return close("]", from_input);
  }

  Result<void> print_key(const Value& key) {
    if (const Text* text = key.text()) return print_json_text(out_, *text, style_.ascii_only);
    const Result<std::string> scalar = scalar_text(key);
    if (!scalar) {
      return type_error(fmt::format("keys of JSON objects can't be {}", type_name(key)));
    }
    return out_.add('"' + *scalar + '"', key.from_input());
  }

  Result<void> print_dict(const Dict& dict, bool from_input) {
    if (dict.entries().empty()) return out_.add("{}", from_input);
    std::vector<const Dict::Entry*> entries;
    for (const Dict::Entry& entry : dict.entries()) entries.push_back(&entry);
    if (style_.sort_keys) JARIP_CHECK(sort(entries));
    JARIP_CHECK(open("{", from_input));
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) JARIP_CHECK(separate());
      JARIP_CHECK(print_key(entries[i]->first));
      JARIP_CHECK(out_.add(style_.key_separator));
      JARIP_CHECK(print(entries[i]->second));
    }
    return close("}", from_input);
  }

  Result<void> sort(std::vector<const Dict::Entry*>& entries) {
    for (const Dict::Entry* entry : entries) {
      if (entry->first.text() == nullptr) {
        return unsupported("tojson sorts only objects whose keys are strings");
      }
      JARIP_CHECK(out_.budget().charge(1));
    }
    std::ranges::sort(entries, {}, [](const Dict::Entry* e) { return e->first.text()->view(); });
    return {};
  }

  TextBuilder& out_;
  const JsonStyle& style_;
  std::uint64_t level_ = 0;
};

}  // namespace

Result<void> print_json(TextBuilder& out, const Value& value, const JsonStyle& style) {
  return JsonPrinter(out, style).print(value);
}

}  // namespace jarip::jinja
