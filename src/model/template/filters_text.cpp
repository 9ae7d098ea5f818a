// Filters that work on text.
#include <fmt/format.h>

#include <array>

#include "base/utf8.h"
#include "model/template/access.h"
#include "model/template/arguments.h"
#include "model/template/builtins.h"
#include "model/template/format.h"
#include "model/template/print.h"
#include "model/template/strings.h"
#include "model/template/unicode.h"

namespace jarip::jinja {
namespace {

Value like(const Value& self, Text text) { return Value::from(std::move(text), self.is_markup()); }

template <CaseChange change>
Result<Value> change_case_filter(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("this filter", arguments, {}));
  JARIP_TRY(const Text text, to_text(runtime.budget, self));
  JARIP_TRY(Text changed, change_case(runtime.budget, text, change));
  return like(self, std::move(changed));
}

// Jinja's own idea of words: they begin after spaces, hyphens and opening brackets.
Result<Value> title(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("title", arguments, {}));
  JARIP_TRY(const Text text, to_text(runtime.budget, self));
  const std::string_view bytes = text.view();
  const auto separates = [](char32_t c) {
    return is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
  };
  TextBuilder out(runtime.budget);
  for (std::size_t i = 0; i < bytes.size();) {
    const Utf8Unit unit = decode_utf8(bytes.substr(i));
    if (separates(unit.code_point)) {
      JARIP_CHECK(out.add(text, i, unit.length));
      i += unit.length;
      continue;
    }
    JARIP_TRY(const Text first,
              change_case(runtime.budget, text.slice(i, unit.length), CaseChange::kUpper));
    std::size_t end = i + unit.length;
    const std::size_t rest = end;
    while (end < bytes.size()) {
      const Utf8Unit next = decode_utf8(bytes.substr(end));
      if (separates(next.code_point)) break;
      end += next.length;
    }
    JARIP_TRY(const Text others,
              change_case(runtime.budget, text.slice(rest, end - rest), CaseChange::kLower));
    JARIP_CHECK(out.add(first));
    JARIP_CHECK(out.add(others));
    i = end;
  }
  return out.take_value();
}

Result<Value> trim(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("trim", arguments, {"chars"}));
  JARIP_TRY(const Text text, to_text(runtime.budget, self));
  std::optional<std::string_view> chars;
  if (args.or_none(0) != nullptr) {
    JARIP_TRY(const Text* given, args.text(0));
    chars = given->view();
  }
  JARIP_TRY(Text stripped, strip(runtime.budget, text, Side::kBoth, chars));
  return like(self, std::move(stripped));
}

Result<Value> replace_filter(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args,
            BoundArguments::bind("replace", arguments, {"old", "new", "count"}, 2));
  JARIP_TRY(const Text text, to_text(runtime.budget, self));
  JARIP_TRY(const Text old, to_text(runtime.budget, *args[0]));
  JARIP_TRY(const Text fresh, to_text(runtime.budget, *args[1]));
  std::int64_t limit = -1;
  if (args.or_none(2) != nullptr) {
    JARIP_TRY(limit, args.integer(2, -1));
  }
  JARIP_TRY(Text out, replace(runtime.budget, text, old.view(), fresh, limit));
  return Value::from(std::move(out));
}

Result<Value> string(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("string", arguments, {}));
  JARIP_TRY(Text text, to_text(runtime.budget, self));
  return like(self, std::move(text));
}

Result<Value> safe(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("safe", arguments, {}));
  JARIP_TRY(Text text, to_text(runtime.budget, self));
  return Value::from(std::move(text), true);
}

template <bool even_markup>
Result<Value> escape(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("escape", arguments, {}));
  if (self.is_markup() && !even_markup) return self;
  JARIP_TRY(const Text text, to_text(runtime.budget, self));
  JARIP_TRY(Text escaped, escape_html(runtime.budget, text));
  return Value::from(std::move(escaped), true);
}

Result<Value> center(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("center", arguments, {"width"}));
  JARIP_TRY(const std::int64_t width, args.integer(0, 80));
  JARIP_TRY(const Text text, to_text(runtime.budget, self));
  JARIP_TRY(Text out, justify(runtime.budget, text, Side::kBoth, width, Text(" ", false)));
  return like(self, std::move(out));
}

Result<Value> format_filter(Runtime& runtime, const Value& self, const Arguments& arguments) {
  if (!arguments.positional.empty() && !arguments.named.empty()) {
    return type_error("format takes positional or named values, not both");
  }
  JARIP_TRY(Text text, to_text(runtime.budget, self));
  const Value format = like(self, std::move(text));
  if (arguments.named.empty()) {
    JARIP_TRY(const Value values,
              make_sequence(runtime.budget, Sequence::Type::kTuple, arguments.positional));
    return format_percent(runtime, format, values);
  }
  Dict values;
  for (const auto& [name, value] : arguments.named) values.set(Value::from(name), value);
  JARIP_TRY(const Value dict, make_dict(runtime.budget, std::move(values)));
  return format_percent(runtime, format, dict);
}

Result<Value> indent(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args,
            BoundArguments::bind("indent", arguments, {"width", "first", "blank"}));
  if (self.text() == nullptr) {
    if (self.is_undefined()) return undefined_error(self);
    return type_error(fmt::format("indent takes a string, not {}", type_name(self)));
  }
  Text indentation;
  if (args[0] != nullptr && args[0]->text() != nullptr) {
    indentation = *args[0]->text();
  } else {
    JARIP_TRY(const std::int64_t width, args.integer(0, 4));
    JARIP_TRY(indentation, repeat(runtime.budget, Text(" ", false), width));
  }
  Text text = *self.text();
  JARIP_CHECK(runtime.budget.charge_bytes(text.size()));
  text.append("\n", false);  // so that there is always a first line
  JARIP_TRY(const std::vector<Text> lines, split_lines(runtime.budget, text, false));
  TextBuilder out(runtime.budget);
  if (args.flag(1)) JARIP_CHECK(out.add(indentation));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) JARIP_CHECK(out.add("\n", false));
    if (i > 0 && (args.flag(2) || !lines[i].empty())) JARIP_CHECK(out.add(indentation));
    JARIP_CHECK(out.add(lines[i]));
  }
  return like(self, out.take());
}

Result<Value> truncate(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args,
            BoundArguments::bind("truncate", arguments, {"length", "killwords", "end", "leeway"}));
  JARIP_TRY(const std::int64_t length, args.integer(0, 255));
  JARIP_TRY(const Text* given_end, args.text(2));
  const Text end = given_end == nullptr ? Text("...", false) : *given_end;
  std::int64_t leeway = 5;
  if (args.or_none(3) != nullptr) {
    JARIP_TRY(leeway, args.integer(3, 5));
  }
  const auto end_length = static_cast<std::int64_t>(count_characters(end.view()));
  if (length < end_length) return type_error("truncate's length is shorter than its end");
  if (leeway < 0) return type_error("truncate's leeway is negative");
  if (self.is_undefined()) return self;
  const Text* text = self.text();
  if (text == nullptr) {
    return type_error(fmt::format("truncate takes a string, not {}", type_name(self)));
  }
  if (self.is_markup()) return unsupported("truncating markup is not supported");
  JARIP_CHECK(runtime.budget.charge_bytes(text->size()));
  const auto characters = static_cast<std::int64_t>(count_characters(text->view()));
  if (characters - leeway <= length) return self;
  const auto kept = static_cast<std::size_t>(length - end_length);
  Text cut = text->slice(0, byte_of_character(text->view(), kept));
  if (!args.flag(1)) {
    const std::size_t space = cut.view().rfind(' ');
    if (space != std::string_view::npos) cut = cut.slice(0, space);
  }
  TextBuilder out(runtime.budget);
  JARIP_CHECK(out.add(cut));
  JARIP_CHECK(out.add(end));
  return out.take_value();
}

Result<Value> wordcount(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("wordcount", arguments, {}));
  JARIP_TRY(const Text text, to_text(runtime.budget, self));
  JARIP_CHECK(runtime.budget.charge_bytes(text.size()));
  std::int64_t words = 0;
  bool in_word = false;
  for (std::size_t i = 0; i < text.size();) {
    const Utf8Unit unit = decode_utf8(text.view().substr(i));
    const bool letter = is_alnum(unit.code_point) || unit.code_point == '_';
    if (letter && !in_word) ++words;
    in_word = letter;
    i += unit.length;
  }
  return Value::from(words, self.from_input());
}

Result<void> quote_url(TextBuilder& out, const Text& text, std::string_view kept, bool plus) {
  const std::string_view bytes = text.view();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    const bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (alnum || std::string_view("_.-~").find(c) != std::string_view::npos ||
        kept.find(c) != std::string_view::npos) {
      JARIP_CHECK(out.add(text, i, 1));
    } else if (plus && c == ' ') {
      JARIP_CHECK(out.add("+", text.from_input(i)));
    } else {
      const std::string code = fmt::format("%{:02X}", static_cast<unsigned char>(c));
      JARIP_CHECK(out.add(code, text.from_input(i)));
    }
  }
  return {};
}

Result<Value> urlencode(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("urlencode", arguments, {}));
  TextBuilder out(runtime.budget);
  if (self.dict() == nullptr) {
    if (self.text() == nullptr && is_iterable(self)) {
      return unsupported("urlencode takes a string or a dict");
    }
    JARIP_TRY(const Text text, to_text(runtime.budget, self));
    JARIP_CHECK(quote_url(out, text, "/", false));
    return out.take_value();
  }
  bool first = true;
  for (const auto& [key, value] : self.dict()->entries()) {
    JARIP_TRY(const Text key_text, to_text(runtime.budget, key));
    JARIP_TRY(const Text value_text, to_text(runtime.budget, value));
    if (!first) JARIP_CHECK(out.add("&", false));
    first = false;
    JARIP_CHECK(quote_url(out, key_text, "", true));
    JARIP_CHECK(out.add("=", false));
    JARIP_CHECK(quote_url(out, value_text, "", true));
  }
  return out.take_value();
}

constexpr auto kTextFilters = std::to_array<Builtin>({
    {"capitalize", change_case_filter<CaseChange::kCapitalize>},
    {"center", center},
    {"e", escape<false>},
    {"escape", escape<false>},
    {"forceescape", escape<true>},
    {"format", format_filter},
    {"indent", indent},
    {"lower", change_case_filter<CaseChange::kLower>},
    {"replace", replace_filter},
    {"safe", safe},
    {"string", string},
    {"title", title},
    {"trim", trim},
    {"truncate", truncate},
    {"upper", change_case_filter<CaseChange::kUpper>},
    {"urlencode", urlencode},
    {"wordcount", wordcount},
});

}  // namespace

std::span<const Builtin> text_filters() { return kTextFilters; }

}  // namespace jarip::jinja
