#include "grammar/schema_strings.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>

#include "grammar/characters.h"
#include "grammar/regex.h"

namespace jarip {
namespace {

Result<ExprId> add_pattern(GrammarBuilder& builder, std::string_view pattern,
                           const RegexOptions& options, std::string_view path) {
  Result<ExprId> expr = parse_regex(pattern, options, builder);
  if (!expr) return schema_error(expr.error().code, path, expr.error().message);
  return expr;
}

// Every way in which JSON can write a character outside of the surrogates.
ExprId any_character(GrammarBuilder& builder) {
  const CharacterSet plain = {{0x20, '!'}, {'#', '['}, {']', kLastCodePoint}};
  const auto one_of = [&](std::string_view characters) {
    ByteSet set;
    for (const char c : characters) set.set(static_cast<unsigned char>(c));
    return builder.bytes(set);
  };
  const ExprId hex = one_of("0123456789abcdefABCDEF");
  // Halves of surrogate pairs, D800 to DFFF, mean nothing alone: such characters come as they are.
  const ExprId code =
      builder.choice({builder.sequence({one_of("0123456789abcefABCEF"), hex, hex, hex}),
                      builder.sequence({one_of("dD"), one_of("01234567"), hex, hex})});
  return builder.choice(
      {builder.code_points(plain),
       builder.sequence({builder.literal("\\"),
                         builder.choice({one_of("\"\\/bfnrt"),
                                         builder.sequence({builder.literal("u"), code})})})});
}

constexpr std::uint64_t kStepsOfState = 50;

using FormatTable = std::map<std::string, std::string, std::less<>>;

FormatTable formats_of_time() {
  const std::string year = "(?:[1-9]\\d{3}|0[1-9]\\d\\d|00[1-9]\\d|000[1-9])";
  const std::string fourth = "(?:0[48]|[2468][048]|[13579][26])";
  const std::string date =
      "(?:" + year +
      "-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|"
      "(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))|(?:\\d\\d" +
      fourth + "|" + fourth + "00)-02-29)";
  const std::string hour_minute = "(?:[01]\\d|2[0-3]):[0-5]\\d";
  const std::string time = hour_minute + ":[0-5]\\d(?:\\.\\d{1,9})?(?:Z|[+-]" + hour_minute + ")";
  const std::string clock_span =
      "T(?:\\d{1,4}H(?:\\d{1,4}M(?:\\d{1,4}S)?)?|\\d{1,4}M(?:\\d{1,4}S)?|\\d{1,4}S)";
  const std::string span =
      "P(?:(?:\\d{1,4}D|\\d{1,4}M(?:\\d{1,4}D)?|"
      "\\d{1,4}Y(?:\\d{1,4}M(?:\\d{1,4}D)?)?)(?:" +
      clock_span + ")?|" + clock_span + "|\\d{1,4}W)";
  return {{"date", date}, {"time", time}, {"date-time", date + "T" + time}, {"duration", span}};
}

FormatTable formats_of_addresses() {
  // Shorter than the 63 bytes a label and the 253 a name may have.
  const std::string label = "[A-Za-z0-9]{1,20}(?:-[A-Za-z0-9]{1,20}){0,1}";
  const std::string host = "[A-Za-z][A-Za-z0-9]{0,20}(?:-[A-Za-z0-9]{1,20})?(?:\\." + label +
                           "){0,2}(?:\\.[A-Za-z]{2,20})?";
  const std::string atom = "[A-Za-z0-9!#$%&'*+/=?^_{|}~-]{1,20}";
  const std::string email =
      atom + "(?:\\." + atom + "){0,2}@" + label + "(?:\\." + label + "){0,2}\\.[A-Za-z]{2,20}";
  const std::string octet = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
  const std::string h = "[0-9a-fA-F]{1,4}";
  std::string ipv6 = "(?:" + h + ":){7}" + h + "|(?:" + h + ":){1,7}:|:(?::" + h + "){1,7}|::";
  for (int n = 1; n <= 6; ++n) {
    ipv6 += fmt::format("|(?:{0}:){{1,{1}}}(?::{0}){{1,{2}}}", h, n, 7 - n);
  }
  const std::string path_character = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2})";
  const std::string uri = "[A-Za-z][A-Za-z0-9+.-]{1,15}://" + host + "(?::[1-9]\\d{0,3})?(?:/" +
                          path_character + "*)*(?:\\?(?:" + path_character +
                          "|[/?])*)?(?:#(?:" + path_character + "|[/?])*)?";
  return {{"email", email},
          {"idn-email", email},
          {"hostname", host},
          {"idn-hostname", host},
          {"ipv4", octet + "(?:\\." + octet + "){3}"},
          {"ipv6", ipv6},
          {"uri", uri},
          {"uri-reference", uri},
          {"uri-template", uri},
          {"iri", uri},
          {"iri-reference", uri}};
}

FormatTable make_formats() {
  FormatTable formats = {
      {"uuid", "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"},
      {"json-pointer", "(?:/(?:[^~/]|~[01])*)*"},
      {"byte", "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"},
      // Wishes about how a string is shown.
      {"password", ""},
      {"binary", ""},
  };
  formats.merge(formats_of_time());
  formats.merge(formats_of_addresses());
  return formats;
}

// A copy of the automaton of one character for each that is counted: no text of a character begins
// another's, so that each leads from one count to the next. Without a max the last one goes round.
Result<Fsm> language_of_length(std::uint32_t min, std::uint32_t max, TextForm form,
                               CompileWork& work) {
  GrammarBuilder builder(false);
  const ExprId any = add_characters(builder, complement({}), form);
  JARIP_TRY(const Fsm one, regular_language(builder, any, work));
  const auto n = static_cast<std::uint32_t>(one.states.size());
  const std::uint32_t n_copies = max == kUnbounded ? min + 1 : max;
  const std::uint64_t n_states = (std::uint64_t{n_copies} * n) + 1;
  work.spend(n_states * kStepsOfState);
  if (n_states > kMaxStates || work.left == 0) {
    return fail(ErrorCode::kInvalidArgument,
                "strings with a pattern or format can't be held to so large a length");
  }
  Fsm fsm;
  fsm.states.resize(n_states);
  for (std::uint32_t copy = 0; copy < n_copies; ++copy) {
    const std::uint32_t first = copy * n;
    const std::uint32_t next = max == kUnbounded && copy == min ? first : first + n;
    for (std::uint32_t s = 0; s < n; ++s) {
      FsmState& state = fsm.states[first + s];
      state.edges = one.states[s].edges;
      for (FsmEdge& edge : state.edges) {
        edge.target = one.states[edge.target].final ? next : first + edge.target;
      }
    }
    fsm.states[first].final = copy >= min;
  }
  fsm.states[n_states - 1].final = max != kUnbounded;
  return fsm;
}

}  // namespace

Result<ExprId> add_string(GrammarBuilder& builder, const Shape& shape, CompileWork& work) {
  if (shape.patterns.empty() && shape.formats.empty()) {
    return builder.repeat(any_character(builder), shape.min_length, shape.max_length);
  }
  const bool has_length = shape.min_length > 0 || shape.max_length != kUnbounded;
  if (shape.patterns.size() + shape.formats.size() == 1 && !has_length) {
    if (!shape.patterns.empty()) {
      const SchemaText& pattern = shape.patterns[0];
      return add_pattern(builder, pattern.text, {TextForm::kJsonString, RegexReach::kAnywhere},
                         pattern.path);
    }
    JARIP_TRY(const std::string pattern, format_pattern(shape.formats[0]));
    if (!pattern.empty()) {
      return add_pattern(builder, pattern, {TextForm::kJsonString, RegexReach::kWhole},
                         shape.formats[0].path);
    }
  }
  if (shape.patterns.size() == 1 && shape.formats.empty()) {
    // Counted, where an automaton would have states for every length.
    if (const auto count = as_character_count(shape.patterns[0].text)) {
      const std::uint32_t min = std::max(count->min, shape.min_length);
      const std::uint32_t max = std::min(count->max, shape.max_length);
      if (min > max) return builder.nothing();
      return builder.repeat(add_characters(builder, count->set, TextForm::kJsonString), min, max);
    }
  }
  JARIP_TRY(const Fsm language, string_language(shape, work));
  return add_language(builder, language);
}

Result<Fsm> string_language(const Shape& shape, CompileWork& work, TextForm form) {
  GrammarBuilder builder(false);
  std::vector<std::pair<ExprId, std::string>> parts;
  for (const SchemaText& pattern : shape.patterns) {
    JARIP_TRY(const ExprId expr,
              add_pattern(builder, pattern.text, {form, RegexReach::kAnywhere}, pattern.path));
    parts.emplace_back(expr, pattern.path);
  }
  for (const SchemaText& format : shape.formats) {
    JARIP_TRY(const std::string pattern, format_pattern(format));
    if (pattern.empty()) continue;
    JARIP_TRY(const ExprId expr,
              add_pattern(builder, pattern, {form, RegexReach::kWhole}, format.path));
    parts.emplace_back(expr, format.path);
  }
  Result<Fsm> all = language_of_length(shape.min_length, shape.max_length, form, work);
  if (!all) return schema_error(all.error().code, shape.path, all.error().message);
  for (const auto& [expr, path] : parts) {
    Result<Fsm> one = regular_language(builder, expr, work);
    if (one) one = intersect(*one, *all, work);
    if (!one) return schema_error(one.error().code, path, one.error().message);
    all = merge_states(*one);
  }
  return all;
}

Result<std::string> format_pattern(const SchemaText& format) {
  static const FormatTable kFormats = make_formats();
  const auto found = kFormats.find(format.text);
  if (found != kFormats.end()) return found->second;
  return schema_error(ErrorCode::kUnsupported, format.path,
                      fmt::format("the format \"{}\" can't be enforced", format.text));
}

}  // namespace jarip
