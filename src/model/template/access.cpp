#include "model/template/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "model/template/methods.h"
#include "model/template/print.h"
#include "model/template/strings.h"
#include "model/template/unicode.h"

namespace jarip::jinja {
namespace {

Value no_attribute(const Value& value, std::string_view name) {
  return Value::undefined(fmt::format("{} has no attribute '{}'", type_name(value), name));
}

Value no_item(const Value& value, const Value& key) {
  if (const Text* name = key.text()) return no_attribute(value, name->view());
  if (const auto index = key.integer()) {
    return Value::undefined(fmt::format("{} has no element {}", type_name(value), *index));
  }
  return Value::undefined(fmt::format("{} has no such element", type_name(value)));
}

Value unsafe(const Value& value, std::string_view name) {
  return Value::undefined(
      fmt::format("access to attribute '{}' of {} is unsafe", name, type_name(value)));
}

// The place of index in n items, counted from the end if negative.
std::optional<std::size_t> place(std::int64_t index, std::size_t n) {
  const auto size = static_cast<std::int64_t>(n);
  if (index < -size || index >= size) return std::nullopt;
  return static_cast<std::size_t>(index < 0 ? index + size : index);
}

Result<std::optional<Value>> character_at(Budget& budget, const Value& string, std::int64_t index) {
  const Text& text = *string.text();
  const std::string_view bytes = text.view();
  JARIP_CHECK(budget.charge_bytes(bytes.size()));
  const auto at = place(index, count_characters(bytes));
  if (!at) return std::nullopt;
  const std::size_t begin = byte_of_character(bytes, *at);
  const std::size_t n = byte_of_character(bytes.substr(begin), 1);
  return Value::from(text.slice(begin, n), string.is_markup());
}

// value[key] where Python would not raise TypeError or LookupError.
Result<std::optional<Value>> own_item(Runtime& runtime, const Value& value, const Value& key) {
  if (const Dict* dict = value.dict()) {
    const Value* found = dict->find(key);
    return found == nullptr ? std::nullopt : std::optional(*found);
  }
  const auto index = key.integer();
  if (!index) return std::nullopt;
  if (const Sequence* sequence = value.sequence(); sequence != nullptr && !sequence->is_view()) {
    const auto at = place(*index, sequence->items.size());
    return at ? std::optional(sequence->items[*at]) : std::nullopt;
  }
  if (value.text() != nullptr) return character_at(runtime.budget, value, *index);
  if (const Range* range = value.range()) {
    const auto at = place(*index, static_cast<std::size_t>(range->size()));
    if (!at) return std::nullopt;
    return Value::from(range->at(static_cast<std::int64_t>(*at)), value.from_input());
  }
  return std::nullopt;
}

// What slice.indices() of Python computes.
struct SliceIndices {
  std::int64_t start = 0;
  std::int64_t stop = 0;
  std::int64_t step = 1;
};

Result<std::optional<std::int64_t>> slice_part(const Value& part) {
  if (part.is_none()) return std::nullopt;
  if (const auto integer = part.integer()) return *integer;
  if (part.is_undefined()) return undefined_error(part);
  return type_error("slice indices must be integers or None");
}

Result<SliceIndices> slice_indices(const SliceBounds& bounds, std::int64_t n) {
  JARIP_TRY(const auto step, slice_part(bounds.step));
  JARIP_TRY(const auto start, slice_part(bounds.start));
  JARIP_TRY(const auto stop, slice_part(bounds.stop));
  SliceIndices out;
  if (step) out.step = *step;
  if (out.step == 0) return type_error("slice step can't be zero");
  const bool forward = out.step > 0;
  const std::int64_t lowest = forward ? 0 : -1;
  const std::int64_t highest = forward ? n : n - 1;
  const auto clamp = [&](std::int64_t i) { return std::clamp(i < 0 ? i + n : i, lowest, highest); };
  out.start = start ? clamp(*start) : (forward ? lowest : highest);
  out.stop = stop ? clamp(*stop) : (forward ? highest : lowest);
  return out;
}

Result<Value> slice_text(Budget& budget, const Value& value, const SliceBounds& bounds) {
  const Text& text = *value.text();
  const std::string_view bytes = text.view();
  JARIP_CHECK(budget.charge_bytes(bytes.size()));
  JARIP_TRY(const SliceIndices slice,
            slice_indices(bounds, static_cast<std::int64_t>(count_characters(bytes))));
  if (slice.step == 1) {
    if (slice.start >= slice.stop) return Value::from(Text(), value.is_markup());
    const std::size_t begin = byte_of_character(bytes, static_cast<std::size_t>(slice.start));
    const std::size_t n =
        byte_of_character(bytes.substr(begin), static_cast<std::size_t>(slice.stop - slice.start));
    return Value::from(text.slice(begin, n), value.is_markup());
  }
  JARIP_TRY(const std::vector<Text> all, characters(budget, text));
  const Range picked{slice.start, slice.stop, slice.step};
  Text out;
  for (std::int64_t i = 0; i < picked.size(); ++i) {
    out.append(all[static_cast<std::size_t>(picked.at(i))]);
  }
  return Value::from(std::move(out), value.is_markup());
}

Result<bool> contains_item(Runtime& runtime, const Value& container, const Value& item) {
  JARIP_TRY(const std::vector<Value> items, iterate(runtime, container));
  for (const Value& candidate : items) {
    if (is_same(candidate, item)) return true;
    JARIP_TRY(const bool equal, equals(runtime.budget, candidate, item));
    if (equal) return true;
  }
  return false;
}

}  // namespace

Result<std::optional<Value>> own_attribute(Runtime& runtime, const Value& value,
                                           std::string_view name) {
  // Every Python object has names like this, and no template may reach them.
  if (name.starts_with("__") && name.ends_with("__")) return unsafe(value, name);
  if (Object* object = value.object()) {
    JARIP_TRY(auto found, object->attribute(runtime, name));
    if (found && name.starts_with('_')) return unsafe(value, name);
    return found;
  }
  if (const Sequence* group = value.sequence();
      group != nullptr && group->type == Sequence::Type::kGroup) {
    if (name == "grouper") return group->items[0];
    if (name == "list") return group->items[1];
  }
  if (const Range* range = value.range()) {
    if (name == "start") return Value::from(range->start, value.from_input());
    if (name == "stop") return Value::from(range->stop, value.from_input());
    if (name == "step") return Value::from(range->step, value.from_input());
  }
  return find_method(value, name);
}

Result<Value> get_attribute(Runtime& runtime, const Value& value, std::string_view name) {
  if (value.is_undefined()) return undefined_error(value);
  JARIP_TRY(auto attribute, own_attribute(runtime, value, name));
  // A dict may well hold a key that looks like one of Python's own names.
  const Value* item = value.dict() == nullptr ? nullptr : value.dict()->find(name);
  if (attribute && !(item != nullptr && name.starts_with('_'))) return *std::move(attribute);
  if (item != nullptr) return *item;
  return no_attribute(value, name);
}

Result<Value> get_item(Runtime& runtime, const Value& value, const Value& key) {
  if (value.is_undefined()) return undefined_error(value);
  JARIP_TRY(auto item, own_item(runtime, value, key));
  if (item) return *std::move(item);
  if (const Text* name = key.text()) {
    JARIP_TRY(auto attribute, own_attribute(runtime, value, name->view()));
    if (attribute) return *std::move(attribute);
  }
  return no_item(value, key);
}

Result<Value> get_slice(Runtime& runtime, const Value& value, const SliceBounds& bounds) {
  if (value.is_undefined()) return undefined_error(value);
  if (value.text() != nullptr) return slice_text(runtime.budget, value, bounds);
  if (const Range* range = value.range()) {
    JARIP_TRY(const SliceIndices slice, slice_indices(bounds, range->size()));
    Range sliced{range->at(slice.start), range->at(slice.stop), 1};
    if (__builtin_mul_overflow(range->step, slice.step, &sliced.step)) {
      return too_large("the step of a slice exceeds 64 bits");
    }
    return Value(std::make_shared<const Range>(sliced), value.from_input());
  }
  const Sequence* sequence = value.sequence();
  if (sequence == nullptr || sequence->is_view()) {
    return type_error(fmt::format("{} can't be sliced", type_name(value)));
  }
  JARIP_TRY(const SliceIndices slice,
            slice_indices(bounds, static_cast<std::int64_t>(sequence->items.size())));
  const Range picked{slice.start, slice.stop, slice.step};
  JARIP_CHECK(runtime.budget.charge(static_cast<std::uint64_t>(picked.size())));
  std::vector<Value> items;
  items.reserve(static_cast<std::size_t>(picked.size()));
  for (std::int64_t i = 0; i < picked.size(); ++i) {
    items.push_back(sequence->items[static_cast<std::size_t>(picked.at(i))]);
  }
  const auto type = sequence->is_tuple() ? Sequence::Type::kTuple : Sequence::Type::kList;
  return make_sequence(runtime.budget, type, std::move(items), value.from_input());
}

bool is_iterable(const Value& value) {
  return value.is_undefined() || value.text() != nullptr || value.sequence() != nullptr ||
         value.dict() != nullptr || value.range() != nullptr || value.iterator() != nullptr;
}

Result<std::vector<Value>> iterate(Runtime& runtime, const Value& value) {
  Budget& budget = runtime.budget;
  std::vector<Value> items;
  if (value.is_undefined()) return items;
  if (const Sequence* sequence = value.sequence()) {
    JARIP_CHECK(budget.charge(sequence->items.size()));
    return sequence->items;
  }
  if (const Dict* dict = value.dict()) {
    JARIP_CHECK(budget.charge(dict->entries().size()));
    for (const auto& [key, _] : dict->entries()) items.push_back(key);
    return items;
  }
  if (const Text* text = value.text()) {
    JARIP_TRY(std::vector<Text> parts, characters(budget, *text));
    for (Text& part : parts) items.push_back(Value::from(std::move(part)));
    return items;
  }
  if (const Range* range = value.range()) {
    JARIP_CHECK(budget.charge(static_cast<std::uint64_t>(range->size())));
    for (std::int64_t i = 0; i < range->size(); ++i) {
      items.push_back(Value::from(range->at(i), value.from_input()));
    }
    return items;
  }
  if (Iterator* iterator = value.iterator()) {
    const auto begin = iterator->items.begin() + static_cast<std::ptrdiff_t>(iterator->next);
    JARIP_CHECK(budget.charge(iterator->items.size() - iterator->next));
    items.assign(begin, iterator->items.end());
    iterator->next = iterator->items.size();
    if (iterator->failure) return std::unexpected(*iterator->failure);
    return items;
  }
  return type_error(fmt::format("'{}' is not iterable", type_name(value)));
}

Result<std::optional<std::int64_t>> length_of(Runtime& runtime, const Value& value) {
  if (value.is_undefined()) return 0;
  if (const Text* text = value.text()) {
    JARIP_CHECK(runtime.budget.charge_bytes(text->size()));
    return static_cast<std::int64_t>(count_characters(text->view()));
  }
  if (const Sequence* items = value.sequence()) {
    return static_cast<std::int64_t>(items->items.size());
  }
  if (const Dict* dict = value.dict()) return static_cast<std::int64_t>(dict->entries().size());
  if (const Range* range = value.range()) return range->size();
  return std::nullopt;
}

Result<bool> contains(Runtime& runtime, const Value& container, const Value& item) {
  if (const Text* text = container.text()) {
    const Text* part = item.text();
    if (part == nullptr) {
      return type_error(
          fmt::format("'in' a string takes a string on its left, not {}", type_name(item)));
    }
    JARIP_CHECK(runtime.budget.charge_bytes(text->size()));
    return text->view().find(part->view()) != std::string_view::npos;
  }
  if (const Dict* dict = container.dict()) {
    JARIP_CHECK(runtime.budget.charge(1));
    if (Result<std::size_t> hash = hash_of(item); !hash) return std::unexpected(hash.error());
    return dict->find(item) != nullptr;
  }
  // Keys are looked up, so what can't be a key is an error.
  if (const Sequence* view = container.sequence();
      view != nullptr && view->type == Sequence::Type::kKeys) {
    if (Result<std::size_t> hash = hash_of(item); !hash) return std::unexpected(hash.error());
  }
  if (const Range* range = container.range(); range != nullptr && !item.integer()) {
    if (!item.number()) return false;
  }
  return contains_item(runtime, container, item);
}

Result<AttributePath> AttributePath::parse(const Value& path) {
  if (const Text* text = path.text()) return parse(text->view());
  AttributePath out;
  if (!path.is_none()) out.parts_.push_back(path);
  return out;
}

Result<AttributePath> AttributePath::parse(std::string_view path) {
  AttributePath out;
  while (true) {
    const std::size_t dot = path.find('.');
    const std::string_view part = path.substr(0, dot);
    std::int64_t index = 0;
    const bool digits =
        !part.empty() && std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
    if (digits) {
      const auto parsed = std::from_chars(part.data(), part.data() + part.size(), index);
      if (parsed.ec != std::errc()) return too_large("a number in an attribute is too large");
    }
    out.parts_.push_back(digits ? Value::from(index, false) : Value::literal(part));
    if (dot == std::string_view::npos) return out;
    path.remove_prefix(dot + 1);
  }
}

Result<Value> AttributePath::follow(Runtime& runtime, const Value& item,
                                    const Value* otherwise) const {
  Value current = item;
  for (const Value& part : parts_) {
    JARIP_CHECK(runtime.budget.charge(1));
    JARIP_TRY(current, get_item(runtime, current, part));
    if (otherwise != nullptr && current.is_undefined()) current = *otherwise;
  }
  return current;
}

}  // namespace jarip::jinja
