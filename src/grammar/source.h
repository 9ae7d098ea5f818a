// What an answer must match, as a person or a program says it: a grammar, a regular expression, a
// JSON Schema, or a composition of these with texts, as function calls are held to. Values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "grammar/expression.h"

namespace jarip {

enum class GrammarKind : std::uint8_t {
  kEbnf,
  kRegex,
  kJsonSchema,
  kText,          // exactly this text
  kControlToken,  // the token of the number `min`, which stands for no text
  kUntil,         // any text that ends with one of the parts and has none of them before
  kWithout,       // any text that has none of the parts in it
  kSequence,
  kChoice,
  kRepeat,  // the part, min to max times
  kTagged,  // members of an object of this JSON Schema, one by one: tagged_members()
};

struct GrammarSource {
  GrammarKind kind = GrammarKind::kEbnf;
  std::string text = {};
  std::vector<GrammarSource> parts = {};  // of kUntil and kWithout: kText and kControlToken alone
  std::uint32_t min = 0;
  std::uint32_t max = 0;  // kUnbounded: no end

  bool operator==(const GrammarSource&) const = default;
};

[[nodiscard]] inline GrammarSource exact_text(std::string text) {
  return {GrammarKind::kText, std::move(text)};
}
[[nodiscard]] inline GrammarSource control_token(std::uint32_t id) {
  return {GrammarKind::kControlToken, {}, {}, id};
}
[[nodiscard]] inline GrammarSource json_schema(std::string schema) {
  return {GrammarKind::kJsonSchema, std::move(schema)};
}
[[nodiscard]] inline GrammarSource text_until(std::vector<GrammarSource> ends) {
  return {GrammarKind::kUntil, {}, std::move(ends)};
}
[[nodiscard]] inline GrammarSource text_without(std::vector<GrammarSource> words) {
  return {GrammarKind::kWithout, {}, std::move(words)};
}
[[nodiscard]] inline GrammarSource in_sequence(std::vector<GrammarSource> parts) {
  return {GrammarKind::kSequence, {}, std::move(parts)};
}
[[nodiscard]] inline GrammarSource one_of(std::vector<GrammarSource> parts) {
  return {GrammarKind::kChoice, {}, std::move(parts)};
}
[[nodiscard]] inline GrammarSource repeated(GrammarSource part, std::uint32_t min,
                                            std::uint32_t max) {
  return {GrammarKind::kRepeat, {}, {std::move(part)}, min, max};
}

// How the members of an object are written one by one:
//   before_key NAME before_text STRING space close rest      or
//   before_key NAME before_json JSON space close rest
struct TaggedForm {
  GrammarSource before_key;
  GrammarSource before_text;
  GrammarSource before_json;
  std::string space;                  // before the mark, and no part of the value
  std::vector<GrammarSource> closes;  // ways to write the mark; kText and kControlToken alone
  GrammarSource rest;                 // behind the mark
};
// In the order of the schema's properties; no others are written. is_loose: of the schema only the
// names and types of the members count, and any of them may be missing.
[[nodiscard]] inline GrammarSource tagged_members(std::string schema, const TaggedForm& form,
                                                  bool is_loose) {
  GrammarSource out{GrammarKind::kTagged, std::move(schema)};
  out.parts = {form.before_key, form.before_text, form.before_json, exact_text(form.space),
               form.rest};
  out.parts.insert(out.parts.end(), form.closes.begin(), form.closes.end());
  out.min = is_loose ? 1 : 0;
  return out;
}

}  // namespace jarip
