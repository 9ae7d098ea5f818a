// Python's two ways of formatting: "…" % values and "…".format(values).
#pragma once

#include "base/result.h"
#include "model/template/value.h"

namespace jarip::jinja {

// values: a tuple, a dict for "%(name)s", or a single value.
[[nodiscard]] Result<Value> format_percent(Runtime& runtime, const Value& format,
                                           const Value& values);
// The body of str.format.
[[nodiscard]] Result<Value> format_braces(Runtime& runtime, const Value& format,
                                          const Arguments& arguments);

}  // namespace jarip::jinja
