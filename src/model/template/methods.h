// The methods of str, list, tuple, dict and numbers that templates may call.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "model/template/value.h"

namespace jarip::jinja {

// The method bound to the value; nothing if its type has none of this name; an error if Python
// has it and this interpreter doesn't; Undefined with a message for one that would change value.
[[nodiscard]] Result<std::optional<Value>> find_method(const Value& value, std::string_view name);

}  // namespace jarip::jinja
