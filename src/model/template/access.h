// Looking into values: attributes, items, slices, iteration, membership, length.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/template/value.h"

namespace jarip::jinja {

// value.name: attributes and methods first, then items. Undefined if there is neither.
[[nodiscard]] Result<Value> get_attribute(Runtime& runtime, const Value& value,
                                          std::string_view name);
// value[key]: items first, then attributes.
[[nodiscard]] Result<Value> get_item(Runtime& runtime, const Value& value, const Value& key);

// The attribute or method alone; nothing if the value has none of this name.
[[nodiscard]] Result<std::optional<Value>> own_attribute(Runtime& runtime, const Value& value,
                                                         std::string_view name);

// value[start:stop:step]; each may be None.
struct SliceBounds {
  Value start = Value::none();
  Value stop = Value::none();
  Value step = Value::none();
};
[[nodiscard]] Result<Value> get_slice(Runtime& runtime, const Value& value,
                                      const SliceBounds& bounds);

// What a for loop would go through. Reads iterators to their end.
[[nodiscard]] Result<std::vector<Value>> iterate(Runtime& runtime, const Value& value);
[[nodiscard]] bool is_iterable(const Value& value);
// len(value); nothing if it has none.
[[nodiscard]] Result<std::optional<std::int64_t>> length_of(Runtime& runtime, const Value& value);
[[nodiscard]] Result<bool> contains(Runtime& runtime, const Value& container, const Value& item);

// A path like "function.name" or "0.id", as filters take it for attributes.
class AttributePath {
 public:
  // path: a string, an int, or None for the item itself.
  [[nodiscard]] static Result<AttributePath> parse(const Value& path);
  [[nodiscard]] static Result<AttributePath> parse(std::string_view path);
  // otherwise: what to use in place of Undefined; may be null.
  [[nodiscard]] Result<Value> follow(Runtime& runtime, const Value& item,
                                     const Value* otherwise = nullptr) const;

 private:
  std::vector<Value> parts_;
};

}  // namespace jarip::jinja
