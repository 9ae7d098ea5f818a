#include "model/template/arguments.h"

#include <fmt/format.h>

#include <algorithm>

namespace jarip::jinja {

Result<BoundArguments> BoundArguments::bind(std::string_view function, const Arguments& arguments,
                                            std::initializer_list<std::string_view> parameters,
                                            std::size_t n_required) {
  BoundArguments bound(function, parameters.size());
  if (arguments.positional.size() > parameters.size()) {
    return type_error(fmt::format("{} takes at most {} arguments, not {}", function,
                                  parameters.size(), arguments.positional.size()));
  }
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) {
    bound.values_[i] = &arguments.positional[i];
  }
  for (const auto& [name_text, value] : arguments.named) {
    const std::string_view name = name_text.view();
    const auto* found = std::ranges::find(parameters, name);
    if (name.empty() || found == parameters.end()) {
      return type_error(fmt::format("{} has no parameter '{}'", function, name));
    }
    const Value*& slot = bound.values_[static_cast<std::size_t>(found - parameters.begin())];
    if (slot != nullptr) return type_error(fmt::format("{} got '{}' twice", function, name));
    slot = &value;
  }
  for (std::size_t i = 0; i < n_required; ++i) {
    if (bound.values_[i] == nullptr) {
      return type_error(fmt::format("{} needs at least {} arguments", function, n_required));
    }
  }
  return bound;
}

const Value* BoundArguments::or_none(std::size_t i) const {
  return values_[i] == nullptr || values_[i]->is_none() ? nullptr : values_[i];
}

bool BoundArguments::flag(std::size_t i, bool otherwise) const {
  return values_[i] == nullptr ? otherwise : truthy(*values_[i]);
}

Result<std::int64_t> BoundArguments::integer(std::size_t i, std::int64_t otherwise) const {
  if (values_[i] == nullptr) return otherwise;
  if (const auto integer = values_[i]->integer()) return *integer;
  if (values_[i]->is_undefined()) return undefined_error(*values_[i]);
  return type_error(fmt::format("{} takes an integer, not {}", function_, type_name(*values_[i])));
}

Result<const Text*> BoundArguments::text(std::size_t i) const {
  if (values_[i] == nullptr) return nullptr;
  if (const Text* text = values_[i]->text()) return text;
  if (values_[i]->is_undefined()) return undefined_error(*values_[i]);
  return type_error(fmt::format("{} takes a string, not {}", function_, type_name(*values_[i])));
}

}  // namespace jarip::jinja
