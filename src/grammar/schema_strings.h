// Strings and numbers that a shape of a JSON Schema allows, as expressions and as languages. Pure
// functions. Errors name the keyword's path.
#pragma once

#include "base/result.h"
#include "grammar/characters.h"
#include "grammar/fsm.h"
#include "grammar/schema_shape.h"

namespace jarip {

// The inside of the string, without its quotes.
[[nodiscard]] Result<ExprId> add_string(GrammarBuilder& builder, const Shape& shape,
                                        CompileWork& work);

// The same as a language in which each string is written in one way.
[[nodiscard]] Result<Fsm> string_language(const Shape& shape, CompileWork& work,
                                          TextForm form = TextForm::kJsonString);

[[nodiscard]] Result<ExprId> add_number(GrammarBuilder& builder, const Shape& shape,
                                        CompileWork& work);

// An integer of at most 1000. Errors: kUnsupported.
[[nodiscard]] Result<std::uint32_t> divisor_of(const SchemaBound& multiple);

// The regular expression of a format, which strings of the format match in a subset that every
// validator agrees on; empty of formats that say nothing about strings. Errors: kUnsupported.
[[nodiscard]] Result<std::string> format_pattern(const SchemaText& format);

}  // namespace jarip
