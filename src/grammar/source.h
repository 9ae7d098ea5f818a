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

}  // namespace jarip
