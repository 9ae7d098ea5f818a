// JSON Schema (draft 2020-12) as a grammar of the JSON texts that are valid. Some valid texts are
// left out (docs/structured-output.md says which), no invalid one gets in, and what can't be held
// to exactly is refused with the keyword's path. A pure function.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "grammar/expression.h"
#include "grammar/schema_text.h"

namespace jarip {

// Rules that all schemas of one grammar share, so that masks made for one serve the others.
struct SharedSchemaRules {
  std::map<std::string, RuleId> strings;  // by what they are held to
  std::optional<RuleId> new_line;
};

// Errors: kInvalidArgument and kUnsupported, with the keyword's path ("#/properties/a/not").
[[nodiscard]] Result<RuleId> parse_json_schema(std::string_view text, GrammarBuilder& builder,
                                               SharedSchemaRules& shared, CompileWork& work);

// What stands around the members of an object that are written one by one, as tagged_members()
// says.
struct TaggedMarks {
  ExprId before_key = 0;
  ExprId before_text = 0;
  ExprId before_json = 0;
  TextEnd end;
  ExprId rest = 0;
};
struct TaggedOptions {
  TaggedMarks marks;
  bool is_loose = false;
};

// Errors: those of parse_json_schema(); also for what can't be held to in members one by one.
[[nodiscard]] Result<ExprId> parse_tagged_members(std::string_view text,
                                                  const TaggedOptions& options,
                                                  GrammarBuilder& builder,
                                                  SharedSchemaRules& shared, CompileWork& work);

}  // namespace jarip
