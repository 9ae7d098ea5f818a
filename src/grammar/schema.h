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

namespace jarip {

// Rules that all schemas of one grammar share, so that masks made for one serve the others.
struct SharedSchemaRules {
  std::map<std::string, RuleId> strings;  // by what they are held to
  std::optional<RuleId> new_line;
};

// Errors: kInvalidArgument and kUnsupported, with the keyword's path ("#/properties/a/not").
[[nodiscard]] Result<RuleId> parse_json_schema(std::string_view text, GrammarBuilder& builder,
                                               SharedSchemaRules& shared, CompileWork& work);

}  // namespace jarip
