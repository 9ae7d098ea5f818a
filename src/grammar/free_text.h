// Any text up to words that are watched for, as a language. A pure function.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "grammar/fsm.h"

namespace jarip {

// All bytes are free. is_until: the text ends with one of the words and has none of them before;
// otherwise it has none of them at all. Errors: those of regular languages.
[[nodiscard]] Result<Fsm> free_text(std::span<const std::string> words, bool is_until,
                                    CompileWork& work);

}  // namespace jarip
