// Reads the arguments of a built-in function by position or by name, as its signature has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/template/value.h"

namespace jarip::jinja {

class BoundArguments {
 public:
  // parameters: their names in order; "" for one that has no name. Fails on too few, too many,
  // unknown or doubled arguments.
  [[nodiscard]] static Result<BoundArguments> bind(
      std::string_view function, const Arguments& arguments,
      std::initializer_list<std::string_view> parameters, std::size_t n_required = 0);

  // Null when the argument was not given.
  [[nodiscard]] const Value* operator[](std::size_t i) const { return values_[i]; }
  // The same, None counting as not given.
  [[nodiscard]] const Value* or_none(std::size_t i) const;
  [[nodiscard]] bool flag(std::size_t i, bool otherwise = false) const;
  [[nodiscard]] Result<std::int64_t> integer(std::size_t i, std::int64_t otherwise) const;
  // Fails unless the argument is a string; null when it was not given.
  [[nodiscard]] Result<const Text*> text(std::size_t i) const;

 private:
  BoundArguments(std::string_view function, std::size_t n) : function_(function), values_(n) {}
  std::string_view function_;
  std::vector<const Value*> values_;
};

}  // namespace jarip::jinja
