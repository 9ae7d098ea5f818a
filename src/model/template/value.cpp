#include "model/template/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>

namespace jarip::jinja {
namespace {

constexpr std::size_t kMaxKeyParts = 1000;  // of a tuple that is a key, nested ones included

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

std::size_t mix(std::size_t seed, std::size_t hash) {
  return seed ^ (hash + 0x9E3779B97F4A7C15U + (seed << 6U) + (seed >> 2U));
}

std::size_t hash_number(double number) {
  if (std::abs(number) < 0x1p63 && std::trunc(number) == number) {
    return std::hash<std::int64_t>{}(static_cast<std::int64_t>(number));
  }
  return std::hash<double>{}(number);
}

// Of what is equal to nothing but itself.
const void* identity_of(const Value& value) {
  if (value.iterator() != nullptr) return value.iterator();
  if (value.function() != nullptr) return value.function();
  return value.object();
}

Result<std::size_t> hash_parts(const Value& key, std::size_t& parts_left) {
  if (parts_left == 0) return too_large("a key has too many parts");
  --parts_left;
  if (const Text* text = key.text()) return std::hash<std::string_view>{}(text->view());
  if (const auto integer = key.integer()) return std::hash<std::int64_t>{}(*integer);
  if (const auto number = key.number()) return hash_number(*number);
  if (key.is_none()) return 1;
  if (key.is_undefined()) return 2;
  if (const Sequence* tuple = key.sequence(); tuple != nullptr && tuple->is_tuple()) {
    std::size_t hash = 3;
    for (const Value& item : tuple->items) {
      JARIP_TRY(const std::size_t part, hash_parts(item, parts_left));
      hash = mix(hash, part);
    }
    return hash;
  }
  if (const void* identity = identity_of(key)) return std::hash<const void*>{}(identity);
  return type_error(fmt::format("unhashable type: '{}'", type_name(key)));
}

// -1, 0, 1, or nothing when one is NaN.
std::optional<int> compare_mixed(std::int64_t a, double b) {
  if (std::isnan(b)) return std::nullopt;
  if (b >= 0x1p63) return -1;
  if (b < -0x1p63) return 1;
  const double whole = std::trunc(b);
  const auto integer = static_cast<std::int64_t>(whole);
  if (a != integer) return a < integer ? -1 : 1;
  if (b == whole) return 0;
  return b > whole ? -1 : 1;
}

template <class T>
int three_way(const T& a, const T& b) {
  return a < b ? -1 : (b < a ? 1 : 0);
}

// Outer: whether both are numbers. Inner: nothing when one is NaN.
std::optional<std::optional<int>> compare_numbers(const Value& a, const Value& b) {
  const auto int_a = a.integer();
  const auto int_b = b.integer();
  if (int_a && int_b) return three_way(*int_a, *int_b);
  const auto* float_a = a.get<double>();
  const auto* float_b = b.get<double>();
  if (float_a != nullptr && float_b != nullptr) {
    if (std::isnan(*float_a) || std::isnan(*float_b)) return std::optional<int>();
    return three_way(*float_a, *float_b);
  }
  if (int_a && float_b != nullptr) return compare_mixed(*int_a, *float_b);
  if (float_a != nullptr && int_b) {
    const auto reversed = compare_mixed(*int_b, *float_a);
    return reversed ? std::optional<int>(-*reversed) : std::nullopt;
  }
  return std::nullopt;
}

bool satisfies(int comparison, Order order) {
  switch (order) {
    case Order::kLess:
      return comparison < 0;
    case Order::kLessEqual:
      return comparison <= 0;
    case Order::kGreater:
      return comparison > 0;
    case Order::kGreaterEqual:
      return comparison >= 0;
  }
  return false;
}

Result<bool> equal_items(Budget& budget, const std::vector<Value>& a, const std::vector<Value>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    JARIP_TRY(const bool equal, equals(budget, a[i], b[i]));
    if (!equal) return false;
  }
  return true;
}

Result<bool> equal_dicts(Budget& budget, const Dict& a, const Dict& b) {
  if (a.entries().size() != b.entries().size()) return false;
  for (const auto& [key, value] : a.entries()) {
    const Value* other = b.find(key);
    if (other == nullptr) return false;
    JARIP_TRY(const bool equal, equals(budget, value, *other));
    if (!equal) return false;
  }
  return true;
}

bool equal_ranges(const Range& a, const Range& b) {
  if (a.size() != b.size()) return false;
  return a.size() == 0 || (a.start == b.start && (a.size() == 1 || a.step == b.step));
}

Result<bool> equal_sequences(Budget& budget, const Sequence& a, const Sequence& b) {
  if (a.is_view() || b.is_view()) return unsupported("comparing views of a dict is not supported");
  if (a.is_tuple() != b.is_tuple()) return false;
  return equal_items(budget, a.items, b.items);
}

Result<bool> ordered_sequences(Budget& budget, const Sequence& a, Order order, const Sequence& b) {
  const std::size_t shared = std::min(a.items.size(), b.items.size());
  for (std::size_t i = 0; i < shared; ++i) {
    JARIP_TRY(const bool equal, equals(budget, a.items[i], b.items[i]));
    if (!equal) return ordered(budget, a.items[i], order, b.items[i]);
  }
  return satisfies(three_way(a.items.size(), b.items.size()), order);
}

std::string_view sequence_type_name(Sequence::Type type) {
  switch (type) {
    case Sequence::Type::kList:
      return "list";
    case Sequence::Type::kTuple:
    case Sequence::Type::kGroup:
      return "tuple";
    case Sequence::Type::kKeys:
      return "dict_keys";
    case Sequence::Type::kValues:
      return "dict_values";
    case Sequence::Type::kItems:
      return "dict_items";
  }
  return "list";
}

std::uint32_t deepest(const std::vector<Value>& items) {
  std::uint32_t depth = 0;
  for (const Value& item : items) depth = std::max(depth, item.depth());
  return depth;
}

}  // namespace

Value Value::undefined(std::string message) {
  return {Undefined{std::make_shared<const std::string>(std::move(message))}, false};
}

Value Value::from(Text text, bool is_markup) {
  const bool from_input = text.any_from_input();
  return {String{std::make_shared<const Text>(std::move(text)), is_markup}, from_input};
}

std::optional<std::int64_t> Value::integer() const {
  if (const auto* integer = get<std::int64_t>()) return *integer;
  if (const auto* boolean = get<bool>()) return *boolean ? 1 : 0;
  return std::nullopt;
}

std::optional<double> Value::number() const {
  if (const auto* number = get<double>()) return *number;
  if (const auto as_integer = integer()) return static_cast<double>(*as_integer);
  return std::nullopt;
}

std::uint32_t Value::depth() const {
  if (const Sequence* items = sequence()) return items->depth;
  if (const Dict* entries = dict()) return entries->depth();
  if (const Iterator* items = iterator()) return items->depth;
  if (const Function* bound = function()) return bound->self.depth() + 1;
  return 0;
}

std::int64_t Range::size() const {
  const auto from = static_cast<std::uint64_t>(start);
  const auto to = static_cast<std::uint64_t>(stop);
  const auto stride = static_cast<std::uint64_t>(step);
  if (step > 0) return stop <= start ? 0 : static_cast<std::int64_t>((to - from - 1) / stride + 1);
  return stop >= start ? 0 : static_cast<std::int64_t>((from - to - 1) / (0 - stride) + 1);
}

std::int64_t Range::at(std::int64_t i) const {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(start) +
                                   static_cast<std::uint64_t>(i) *
                                       static_cast<std::uint64_t>(step));
}

std::size_t Dict::locate(const Value& key, std::size_t hash) const {
  // Keys are small, so a budget of their own is never what stops a comparison.
  Budget budget(TemplateLimits{});
  const auto matches = [&](const Value& candidate) {
    return is_same(candidate, key) || equals(budget, candidate, key).value_or(false);
  };
  if (entries_.size() <= kSearchedInOrder) {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (matches(entries_[i].first)) return i;
    }
    return entries_.size();
  }
  const auto [begin, end] = index_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    if (matches(entries_[it->second].first)) return it->second;
  }
  return entries_.size();
}

const Value* Dict::find(const Value& key) const {
  const Result<std::size_t> hash = hash_of(key);
  if (!hash) return nullptr;
  const std::size_t i = locate(key, *hash);
  return i == entries_.size() ? nullptr : &entries_[i].second;
}

const Value* Dict::find(std::string_view key) const { return find(Value::literal(key)); }

void Dict::set(Value key, Value value) {
  depth_ = std::max({depth_, key.depth() + 1, value.depth() + 1});
  const std::size_t hash = hash_of(key).value_or(0);
  const std::size_t i = locate(key, hash);
  if (i < entries_.size()) {
    entries_[i].second = std::move(value);
    return;
  }
  entries_.emplace_back(std::move(key), std::move(value));
  if (entries_.size() <= kSearchedInOrder) return;
  if (index_.empty()) {
    for (std::size_t j = 0; j + 1 < entries_.size(); ++j) {
      index_.emplace(hash_of(entries_[j].first).value_or(0), j);
    }
  }
  index_.emplace(hash, entries_.size() - 1);
}

Result<Value> make_sequence(Budget& budget, Sequence::Type type, std::vector<Value> items,
                            bool from_input) {
  const std::uint32_t depth = deepest(items) + 1;
  JARIP_CHECK(budget.check_depth(depth));
  JARIP_CHECK(budget.charge(items.size() + 1));
  auto sequence = std::make_shared<Sequence>();
  sequence->type = type;
  sequence->items = std::move(items);
  sequence->depth = depth;
  return Value(std::shared_ptr<const Sequence>(std::move(sequence)), from_input);
}

Result<Value> make_list(Budget& budget, std::vector<Value> items, bool from_input) {
  return make_sequence(budget, Sequence::Type::kList, std::move(items), from_input);
}

Result<Value> make_iterator(Budget& budget, std::vector<Value> items, Result<void> ended) {
  // What is too large must stop the rendering at once.
  if (!ended && ended.error().code == ErrorCode::kTooLarge) {
    return std::unexpected(std::move(ended).error());
  }
  const std::uint32_t depth = deepest(items) + 1;
  JARIP_CHECK(budget.check_depth(depth));
  JARIP_CHECK(budget.charge(items.size() + 1));
  auto iterator = std::make_shared<Iterator>();
  iterator->items = std::move(items);
  iterator->depth = depth;
  if (!ended) iterator->failure = std::move(ended).error();
  return Value(std::move(iterator), false);
}

Result<Value> make_dict(Budget& budget, Dict dict, bool from_input) {
  JARIP_CHECK(budget.check_depth(dict.depth()));
  JARIP_CHECK(budget.charge(dict.entries().size() + 1));
  return Value(std::make_shared<const Dict>(std::move(dict)), from_input);
}

Value make_method(const Value& self, std::string_view name, Function::Body body) {
  return {std::make_shared<const Function>(Function{std::string(name), body, self}), false};
}

bool truthy(const Value& value) {
  return std::visit(
      Overloaded{
          [](const Undefined&) { return false; },
          [](const None&) { return false; },
          [](bool boolean) { return boolean; },
          [](std::int64_t integer) { return integer != 0; },
          [](double number) { return number != 0; },
          [](const String& string) { return !string.text->empty(); },
          [](const std::shared_ptr<const Sequence>& items) { return !items->items.empty(); },
          [](const std::shared_ptr<const Dict>& dict) { return !dict->entries().empty(); },
          [](const std::shared_ptr<const Range>& range) { return range->size() != 0; },
          [](const auto&) { return true; },
      },
      value.content());
}

std::string_view type_name(const Value& value) {
  return std::visit(
      Overloaded{
          [](const Undefined&) -> std::string_view { return "Undefined"; },
          [](const None&) -> std::string_view { return "NoneType"; },
          [](bool) -> std::string_view { return "bool"; },
          [](std::int64_t) -> std::string_view { return "int"; },
          [](double) -> std::string_view { return "float"; },
          [](const String&) -> std::string_view { return "str"; },
          [](const std::shared_ptr<const Sequence>& s) { return sequence_type_name(s->type); },
          [](const std::shared_ptr<const Dict>&) -> std::string_view { return "dict"; },
          [](const std::shared_ptr<const Range>&) -> std::string_view { return "range"; },
          [](const std::shared_ptr<Iterator>&) -> std::string_view { return "generator"; },
          [](const std::shared_ptr<const Function>&) -> std::string_view { return "function"; },
          [](const Object* object) { return object->type_name(); },
      },
      value.content());
}

Result<bool> equals(Budget& budget, const Value& a, const Value& b) {
  JARIP_CHECK(budget.charge(1));
  if (const auto numbers = compare_numbers(a, b)) return *numbers == 0;
  if (a.text() != nullptr && b.text() != nullptr) {
    if (a.text()->size() != b.text()->size()) return false;
    JARIP_CHECK(budget.charge_bytes(a.text()->size()));
    return a.text()->view() == b.text()->view();
  }
  if (a.sequence() != nullptr && b.sequence() != nullptr) {
    return equal_sequences(budget, *a.sequence(), *b.sequence());
  }
  if (a.dict() != nullptr && b.dict() != nullptr) return equal_dicts(budget, *a.dict(), *b.dict());
  if (a.range() != nullptr && b.range() != nullptr) return equal_ranges(*a.range(), *b.range());
  if (a.is_undefined() && b.is_undefined()) return true;
  return is_same(a, b);
}

bool is_same(const Value& a, const Value& b) {
  if (a.content().index() != b.content().index()) return false;
  return std::visit(
      Overloaded{
          [&b](const Undefined& x) { return x.message == b.get<Undefined>()->message; },
          [](const None&) { return true; },
          [&b](const String& x) { return x.text == b.get<String>()->text; },
          [&b](double x) {
            return std::bit_cast<std::uint64_t>(x) ==
                   std::bit_cast<std::uint64_t>(*b.get<double>());
          },
          [&b](const auto& x) { return x == *b.get<std::decay_t<decltype(x)>>(); },
      },
      a.content());
}

Result<bool> ordered(Budget& budget, const Value& a, Order order, const Value& b) {
  JARIP_CHECK(budget.charge(1));
  if (a.is_undefined()) return undefined_error(a);
  if (b.is_undefined()) return undefined_error(b);
  if (const auto numbers = compare_numbers(a, b)) {
    return numbers->has_value() && satisfies(**numbers, order);
  }
  if (a.text() != nullptr && b.text() != nullptr) {
    JARIP_CHECK(budget.charge_bytes(std::min(a.text()->size(), b.text()->size())));
    return satisfies(three_way(a.text()->view(), b.text()->view()), order);
  }
  const Sequence* list_a = a.sequence();
  const Sequence* list_b = b.sequence();
  if (list_a != nullptr && list_b != nullptr && !list_a->is_view() && !list_b->is_view() &&
      list_a->is_tuple() == list_b->is_tuple()) {
    return ordered_sequences(budget, *list_a, order, *list_b);
  }
  return type_error(fmt::format("'{}' and '{}' can't be put in order", type_name(a), type_name(b)));
}

Result<std::size_t> hash_of(const Value& key) {
  std::size_t parts_left = kMaxKeyParts;
  return hash_parts(key, parts_left);
}

std::unexpected<Error> type_error(std::string message) {
  return fail(ErrorCode::kCorrupt, std::move(message));
}

std::unexpected<Error> unsupported(std::string message) {
  return fail(ErrorCode::kUnsupported, std::move(message));
}

std::unexpected<Error> too_large(std::string message) {
  return fail(ErrorCode::kTooLarge, std::move(message));
}

std::unexpected<Error> undefined_error(const Value& value) {
  const auto* undefined = value.get<Undefined>();
  if (undefined == nullptr || undefined->message == nullptr) return type_error("undefined value");
  return type_error(*undefined->message);
}

}  // namespace jarip::jinja
