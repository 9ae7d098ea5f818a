// The filters, tests and global functions that templates name.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "model/template/value.h"

namespace jarip::jinja {

struct Builtin {
  std::string_view name;
  Function::Body body;  // self: what the filter or test is applied to
};

// Null for a name that does not exist here.
[[nodiscard]] Function::Body find_filter(std::string_view name);
[[nodiscard]] Function::Body find_test(std::string_view name);
[[nodiscard]] Result<Value> apply_filter(Runtime& runtime, std::string_view name,
                                         const Value& input, const Arguments& arguments);
[[nodiscard]] Result<bool> apply_test(Runtime& runtime, std::string_view name, const Value& input,
                                      const Arguments& arguments);

// range, dict, namespace, raise_exception and so on.
[[nodiscard]] std::optional<Value> find_global(std::string_view name);

// The parts of the filters' table, by what they work on.
[[nodiscard]] std::span<const Builtin> text_filters();
[[nodiscard]] std::span<const Builtin> sequence_filters();

// list.sort() of Python with the items' keys: stable, only "<" is asked.
[[nodiscard]] Result<std::vector<Value>> sort_by_keys(Runtime& runtime, std::vector<Value> items,
                                                      const std::vector<Value>& keys, bool reverse);

}  // namespace jarip::jinja
