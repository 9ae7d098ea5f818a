#include "model/template/methods.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "base/utf8.h"
#include "model/template/access.h"
#include "model/template/arguments.h"
#include "model/template/format.h"
#include "model/template/print.h"
#include "model/template/strings.h"
#include "model/template/unicode.h"

namespace jarip::jinja {
namespace {

constexpr std::size_t kNowhere = std::string_view::npos;

struct Method {
  std::string_view name;
  Function::Body body;
};

// Results of a method of markup are markup too.
Value like(const Value& self, Text text) { return Value::from(std::move(text), self.is_markup()); }

Result<Value> like(Runtime& runtime, const Value& self, std::vector<Text> parts,
                   Sequence::Type type = Sequence::Type::kList) {
  std::vector<Value> items;
  items.reserve(parts.size());
  for (Text& part : parts) items.push_back(like(self, std::move(part)));
  return make_sequence(runtime.budget, type, std::move(items));
}

template <CaseChange change>
Result<Value> change_case_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("this method", arguments, {}));
  JARIP_TRY(Text text, change_case(runtime.budget, *self.text(), change));
  return like(self, std::move(text));
}

template <Side side>
Result<Value> strip_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("strip", arguments, {""}));
  std::optional<std::string_view> chars;
  if (args.or_none(0) != nullptr) {
    JARIP_TRY(const Text* text, args.text(0));
    chars = text->view();
  }
  JARIP_TRY(Text text, strip(runtime.budget, *self.text(), side, chars));
  return like(self, std::move(text));
}

template <bool right>
Result<Value> split_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("split", arguments, {"sep", "maxsplit"}));
  std::optional<std::string_view> separator;
  if (args.or_none(0) != nullptr) {
    JARIP_TRY(const Text* text, args.text(0));
    if (text->empty()) return type_error("empty separator");
    separator = text->view();
  }
  JARIP_TRY(const std::int64_t limit, args.integer(1, -1));
  JARIP_TRY(auto parts, right ? split_right(runtime.budget, *self.text(), separator, limit)
                              : split(runtime.budget, *self.text(), separator, limit));
  return like(runtime, self, std::move(parts));
}

Result<Value> splitlines(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("splitlines", arguments, {"keepends"}));
  JARIP_TRY(auto lines, split_lines(runtime.budget, *self.text(), args.flag(0)));
  return like(runtime, self, std::move(lines));
}

Result<Value> replace_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("replace", arguments, {"", "", ""}, 2));
  JARIP_TRY(const Text* old, args.text(0));
  JARIP_TRY(const Text* fresh, args.text(1));
  JARIP_TRY(const std::int64_t limit, args.integer(2, -1));
  Text replacement = *fresh;
  if (self.is_markup() && !args[1]->is_markup()) {
    JARIP_TRY(replacement, escape_html(runtime.budget, *fresh));
  }
  JARIP_TRY(Text text, replace(runtime.budget, *self.text(), old->view(), replacement, limit));
  return like(self, std::move(text));
}

Result<Value> join_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("join", arguments, {""}, 1));
  if (self.is_markup()) return unsupported("joining with markup is not supported");
  JARIP_TRY(const auto items, iterate(runtime, *args[0]));
  TextBuilder out(runtime.budget);
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i].text() == nullptr) {
      return type_error(fmt::format("join takes strings, not {}", type_name(items[i])));
    }
    if (i > 0) JARIP_CHECK(out.add(*self.text()));
    JARIP_CHECK(out.add(*items[i].text()));
  }
  return out.take_value();
}

// The part of self that find, count, startswith and their like look at.
struct Window {
  std::string_view bytes;
  std::int64_t first_character = 0;
  bool possible = true;  // false: it begins past the end, where not even "" is found
};

Result<Window> window(Runtime& runtime, const Value& self, const BoundArguments& args) {
  const std::string_view bytes = self.text()->view();
  JARIP_CHECK(runtime.budget.charge_bytes(bytes.size() + 1));
  if (args.or_none(1) == nullptr && args.or_none(2) == nullptr) return Window{bytes};
  const auto n = static_cast<std::int64_t>(count_characters(bytes));
  std::int64_t begin = 0;
  std::int64_t end = n;
  if (args.or_none(1) != nullptr) {
    JARIP_TRY(begin, args.integer(1, 0));
  }
  if (args.or_none(2) != nullptr) {
    JARIP_TRY(end, args.integer(2, n));
  }
  if (begin < 0) begin = std::max<std::int64_t>(0, begin + n);
  if (end < 0) end = std::max<std::int64_t>(0, end + n);
  end = std::min(end, n);
  if (begin > end) return Window{{}, begin, false};
  const std::size_t from = byte_of_character(bytes, static_cast<std::size_t>(begin));
  const std::size_t size =
      byte_of_character(bytes.substr(from), static_cast<std::size_t>(end - begin));
  return Window{bytes.substr(from, size), begin};
}

enum class Missing : std::uint8_t { kMinusOne, kError };

template <bool last, Missing missing>
Result<Value> find(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("find", arguments, {"", "", ""}, 1));
  JARIP_TRY(const Text* part, args.text(0));
  JARIP_TRY(const Window where, window(runtime, self, args));
  const std::size_t at = !where.possible ? kNowhere
                         : last          ? where.bytes.rfind(part->view())
                                         : where.bytes.find(part->view());
  if (at == kNowhere) {
    if (missing == Missing::kError) return type_error("substring not found");
    return Value::from(std::int64_t{-1}, self.from_input());
  }
  const auto characters = static_cast<std::int64_t>(count_characters(where.bytes.substr(0, at)));
  return Value::from(where.first_character + characters, self.from_input());
}

Result<Value> count(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("count", arguments, {"", "", ""}, 1));
  JARIP_TRY(const Text* part, args.text(0));
  JARIP_TRY(const Window where, window(runtime, self, args));
  std::int64_t n = 0;
  if (where.possible && part->empty()) {
    n = static_cast<std::int64_t>(count_characters(where.bytes)) + 1;
  } else if (where.possible) {
    for (std::size_t at = where.bytes.find(part->view()); at != kNowhere;
         at = where.bytes.find(part->view(), at + part->size())) {
      ++n;
    }
  }
  return Value::from(n, self.from_input());
}

template <bool at_end>
Result<Value> affix(Runtime& runtime, const Value& self, const Arguments& arguments) {
  constexpr std::string_view kName = at_end ? "endswith" : "startswith";
  JARIP_TRY(const auto args, BoundArguments::bind(kName, arguments, {"", "", ""}, 1));
  JARIP_TRY(const Window where, window(runtime, self, args));
  std::span<const Value> candidates(args[0], 1);
  if (const Sequence* tuple = args[0]->sequence(); tuple != nullptr && tuple->is_tuple()) {
    candidates = tuple->items;
  }
  for (const Value& candidate : candidates) {
    const Text* text = candidate.text();
    if (candidate.is_undefined()) return undefined_error(candidate);
    if (text == nullptr) {
      return type_error(fmt::format("{} takes a string or a tuple of strings, not {}", kName,
                                    type_name(candidate)));
    }
    const std::string_view part = text->view();
    const bool found = at_end ? where.bytes.ends_with(part) : where.bytes.starts_with(part);
    if (where.possible && found) return Value::from(true);
  }
  return Value::from(false);
}

template <bool at_end>
Result<Value> remove_affix(Runtime&, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("removeprefix", arguments, {""}, 1));
  JARIP_TRY(const Text* part, args.text(0));
  const std::string_view bytes = self.text()->view();
  const bool found = at_end ? bytes.ends_with(part->view()) : bytes.starts_with(part->view());
  if (!found) return self;
  const std::size_t n = bytes.size() - part->size();
  return like(self, self.text()->slice(at_end ? 0 : part->size(), n));
}

template <bool last>
Result<Value> partition(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("partition", arguments, {""}, 1));
  JARIP_TRY(const Text* separator, args.text(0));
  if (separator->empty()) return type_error("empty separator");
  const Text& text = *self.text();
  JARIP_CHECK(runtime.budget.charge_bytes(text.size()));
  const std::size_t at =
      last ? text.view().rfind(separator->view()) : text.view().find(separator->view());
  std::vector<Text> parts(3);
  if (at == kNowhere) {
    parts[last ? 2 : 0] = text;
  } else {
    parts[0] = text.slice(0, at);
    parts[1] = text.slice(at, separator->size());
    parts[2] = text.slice(at + separator->size());
  }
  return like(runtime, self, std::move(parts), Sequence::Type::kTuple);
}

template <Side side>
Result<Value> justify_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("center", arguments, {"", ""}, 1));
  JARIP_TRY(const std::int64_t width, args.integer(0, 0));
  JARIP_TRY(const Text* fill, args.text(1));
  if (fill != nullptr && count_characters(fill->view()) != 1) {
    return type_error("the fill character must be one character");
  }
  const Text space(" ", false);
  JARIP_TRY(Text text,
            justify(runtime.budget, *self.text(), side, width, fill == nullptr ? space : *fill));
  return like(self, std::move(text));
}

Result<Value> zfill(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("zfill", arguments, {""}, 1));
  JARIP_TRY(const std::int64_t width, args.integer(0, 0));
  const Text& text = *self.text();
  const bool sign = text.view().starts_with('+') || text.view().starts_with('-');
  TextBuilder out(runtime.budget);
  JARIP_CHECK(out.add(text, 0, sign ? 1 : 0));
  const auto length = static_cast<std::int64_t>(count_characters(text.view()));
  const std::int64_t zeros = std::max<std::int64_t>(0, width - length);
  JARIP_CHECK(out.add_repeated(Text("0", false), static_cast<std::uint64_t>(zeros)));
  JARIP_CHECK(out.add(text, sign ? 1 : 0, text.size()));
  return like(self, out.take());
}

// True when there is a character and all are of the class.
template <bool (*is_class)(char32_t)>
Result<Value> all_characters(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("this method", arguments, {}));
  const std::string_view bytes = self.text()->view();
  JARIP_CHECK(runtime.budget.charge_bytes(bytes.size()));
  for (std::size_t i = 0; i < bytes.size();) {
    const Utf8Unit unit = decode_utf8(bytes.substr(i));
    if (unit.kind != Utf8Kind::kCharacter || !is_class(unit.code_point)) return Value::from(false);
    i += unit.length;
  }
  return Value::from(!bytes.empty());
}

enum class CaseClass : std::uint8_t { kLower, kUpper, kTitle };

template <CaseClass wanted>
Result<Value> is_case(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("this method", arguments, {}));
  const std::string_view bytes = self.text()->view();
  JARIP_CHECK(runtime.budget.charge_bytes(bytes.size()));
  bool any = false;
  bool after_cased = false;
  for (std::size_t i = 0; i < bytes.size();) {
    const Utf8Unit unit = decode_utf8(bytes.substr(i));
    const char32_t c = unit.code_point;
    const bool lower = is_lower(c);
    const bool capital = is_upper(c) || is_title(c);
    const bool wrong = wanted == CaseClass::kLower   ? capital
                       : wanted == CaseClass::kUpper ? lower || is_title(c)
                       : after_cased                 ? capital
                                                     : lower;
    if (wrong) return Value::from(false);
    after_cased = lower || capital;
    any = any || after_cased;
    i += unit.length;
  }
  return Value::from(any);
}

Result<Value> is_ascii_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("isascii", arguments, {}));
  JARIP_CHECK(runtime.budget.charge_bytes(self.text()->size()));
  return Value::from(is_ascii(self.text()->view()));
}

Result<Value> view(Runtime& runtime, const Value& self, const Arguments& arguments,
                   Sequence::Type type) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("this method", arguments, {}));
  const auto& entries = self.dict()->entries();
  JARIP_CHECK(runtime.budget.charge(entries.size()));
  std::vector<Value> items;
  items.reserve(entries.size());
  for (const auto& [key, value] : entries) {
    if (type == Sequence::Type::kItems) {
      JARIP_TRY(Value pair, make_sequence(runtime.budget, Sequence::Type::kTuple, {key, value},
                                          self.from_input()));
      items.push_back(std::move(pair));
    } else {
      items.push_back(type == Sequence::Type::kKeys ? key : value);
    }
  }
  return make_sequence(runtime.budget, type, std::move(items), self.from_input());
}

template <Sequence::Type type>
Result<Value> view_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return view(runtime, self, arguments, type);
}

Result<Value> dict_get(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("get", arguments, {"", ""}, 1));
  JARIP_CHECK(runtime.budget.charge(1));
  if (Result<std::size_t> hash = hash_of(*args[0]); !hash) return std::unexpected(hash.error());
  if (const Value* found = self.dict()->find(*args[0])) return *found;
  return args[1] == nullptr ? Value::none() : *args[1];
}

Result<Value> copy(Runtime&, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("copy", arguments, {}));
  return self;
}

Result<Value> sequence_count(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("count", arguments, {""}, 1));
  std::int64_t n = 0;
  for (const Value& item : self.sequence()->items) {
    JARIP_TRY(const bool equal, equals(runtime.budget, item, *args[0]));
    if (equal) ++n;
  }
  return Value::from(n, self.from_input());
}

Result<Value> sequence_index(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("index", arguments, {"", "", ""}, 1));
  const auto& items = self.sequence()->items;
  const auto size = static_cast<std::int64_t>(items.size());
  JARIP_TRY(std::int64_t begin, args.integer(1, 0));
  JARIP_TRY(std::int64_t end, args.integer(2, size));
  begin = begin < 0 ? std::max<std::int64_t>(0, begin + size) : begin;
  end = std::min(size, end < 0 ? end + size : end);
  for (std::int64_t i = begin; i < end; ++i) {
    JARIP_TRY(const bool equal,
              equals(runtime.budget, items[static_cast<std::size_t>(i)], *args[0]));
    if (equal) return Value::from(i, self.from_input());
  }
  return type_error("the value is not in the list");
}

constexpr auto kStringMethods = std::to_array<Method>({
    {"capitalize", change_case_method<CaseChange::kCapitalize>},
    {"center", justify_method<Side::kBoth>},
    {"count", count},
    {"endswith", affix<true>},
    {"find", find<false, Missing::kMinusOne>},
    {"format", [](Runtime& runtime, const Value& self,
                  const Arguments& arguments) { return format_braces(runtime, self, arguments); }},
    {"index", find<false, Missing::kError>},
    {"isalnum", all_characters<is_alnum>},
    {"isalpha", all_characters<is_alpha>},
    {"isascii", is_ascii_method},
    {"isdecimal", all_characters<is_decimal>},
    {"isdigit", all_characters<is_digit>},
    {"islower", is_case<CaseClass::kLower>},
    {"isspace", all_characters<is_space>},
    {"istitle", is_case<CaseClass::kTitle>},
    {"isupper", is_case<CaseClass::kUpper>},
    {"join", join_method},
    {"ljust", justify_method<Side::kLeft>},
    {"lower", change_case_method<CaseChange::kLower>},
    {"lstrip", strip_method<Side::kLeft>},
    {"partition", partition<false>},
    {"removeprefix", remove_affix<false>},
    {"removesuffix", remove_affix<true>},
    {"replace", replace_method},
    {"rfind", find<true, Missing::kMinusOne>},
    {"rindex", find<true, Missing::kError>},
    {"rjust", justify_method<Side::kRight>},
    {"rpartition", partition<true>},
    {"rsplit", split_method<true>},
    {"rstrip", strip_method<Side::kRight>},
    {"split", split_method<false>},
    {"splitlines", splitlines},
    {"startswith", affix<false>},
    {"strip", strip_method<Side::kBoth>},
    {"swapcase", change_case_method<CaseChange::kSwap>},
    {"title", change_case_method<CaseChange::kTitle>},
    {"upper", change_case_method<CaseChange::kUpper>},
    {"zfill", zfill},
});
constexpr auto kDictMethods = std::to_array<Method>({
    {"copy", copy},
    {"get", dict_get},
    {"items", view_method<Sequence::Type::kItems>},
    {"keys", view_method<Sequence::Type::kKeys>},
    {"values", view_method<Sequence::Type::kValues>},
});
constexpr auto kListMethods = std::to_array<Method>({
    {"copy", copy},
    {"count", sequence_count},
    {"index", sequence_index},
});

// Names that Python has and templates don't get.
constexpr auto kOtherStringNames = std::to_array<std::string_view>(
    {"casefold", "encode", "expandtabs", "format_map", "isidentifier", "isnumeric", "isprintable",
     "maketrans", "translate", "unescape", "striptags"});
constexpr auto kOtherNumberNames = std::to_array<std::string_view>(
    {"as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator", "from_bytes",
     "fromhex", "hex", "imag", "is_integer", "numerator", "real", "to_bytes"});
constexpr auto kOtherDictNames = std::to_array<std::string_view>({"fromkeys"});
constexpr auto kOtherRangeNames = std::to_array<std::string_view>({"count", "index"});
constexpr auto kOtherViewNames = std::to_array<std::string_view>({"isdisjoint", "mapping"});
constexpr auto kOtherGeneratorNames = std::to_array<std::string_view>(
    {"close", "gi_code", "gi_frame", "gi_running", "gi_yieldfrom", "send", "throw"});
constexpr auto kChangingDictNames =
    std::to_array<std::string_view>({"clear", "pop", "popitem", "setdefault", "update"});
constexpr auto kChangingListNames = std::to_array<std::string_view>(
    {"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"});

struct TypeMethods {
  std::span<const Method> methods;
  std::span<const std::string_view> others;
  std::span<const std::string_view> changing;
};

TypeMethods methods_of(const Value& value) {
  if (value.text() != nullptr) return {kStringMethods, kOtherStringNames, {}};
  if (value.dict() != nullptr) return {kDictMethods, kOtherDictNames, kChangingDictNames};
  if (const Sequence* sequence = value.sequence()) {
    if (sequence->is_view()) return {{}, kOtherViewNames, {}};
    const std::span<const Method> methods = kListMethods;
    if (sequence->is_tuple()) return {methods.subspan(1), {}, {}};
    return {methods, {}, kChangingListNames};
  }
  if (value.number()) return {{}, kOtherNumberNames, {}};
  if (value.range() != nullptr) return {{}, kOtherRangeNames, {}};
  if (value.iterator() != nullptr) return {{}, kOtherGeneratorNames, {}};
  return {};
}

}  // namespace

Result<std::optional<Value>> find_method(const Value& value, std::string_view name) {
  const TypeMethods known = methods_of(value);
  const auto method = std::ranges::find(known.methods, name, &Method::name);
  if (method != known.methods.end()) return make_method(value, method->name, method->body);
  if (std::ranges::find(known.others, name) != known.others.end()) {
    return unsupported(
        fmt::format("the attribute '{}' of {} is not supported", name, type_name(value)));
  }
  if (std::ranges::find(known.changing, name) != known.changing.end()) {
    return Value::undefined(
        fmt::format("'{}' would change a {}, which templates may not", name, type_name(value)));
  }
  return std::nullopt;
}

}  // namespace jarip::jinja
