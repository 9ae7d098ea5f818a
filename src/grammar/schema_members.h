// Which schemas the members of an object must meet, by name. Pure functions.
#pragma once

#include <string_view>

#include "base/result.h"
#include "grammar/fsm.h"
#include "grammar/schema_shape.h"

namespace jarip {

// What a member of this name must meet, whichever part of the shape says so. Errors: those of the
// patterns of patternProperties.
[[nodiscard]] Result<Conjunction> member_schemas(const Shape& shape, std::string_view name,
                                                 CompileWork& work);

// Names that the shape declares or requires, in the order in which they are written.
[[nodiscard]] std::vector<std::string> declared_names(const Shape& shape);

// Whether members that aren't declared are ever written: where the schema asks for them, or says
// nothing at all about members.
[[nodiscard]] bool writes_more_members(const Shape& shape);

// Names that the pattern matches, as the insides of JSON strings.
[[nodiscard]] Result<Fsm> names_matching(const SchemaText& pattern, CompileWork& work);

}  // namespace jarip
