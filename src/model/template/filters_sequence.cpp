// Filters that work on lists, dicts and other things to go through.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "model/template/access.h"
#include "model/template/arguments.h"
#include "model/template/builtins.h"
#include "model/template/operators.h"
#include "model/template/print.h"
#include "model/template/strings.h"

namespace jarip::jinja {
namespace {

Result<Value> lower_if_text(Runtime& runtime, const Value& value) {
  if (value.text() == nullptr) return value;
  JARIP_TRY(Text lower, change_case(runtime.budget, *value.text(), CaseChange::kLower));
  return Value::from(std::move(lower));
}

// What sort, min, unique and so on compare: an attribute of each item, small letters if asked.
Result<std::vector<Value>> keys_of(Runtime& runtime, const std::vector<Value>& items,
                                   const Value* attribute, bool case_sensitive,
                                   const Value* otherwise = nullptr) {
  JARIP_TRY(const auto path,
            AttributePath::parse(attribute == nullptr ? Value::none() : *attribute));
  std::vector<Value> keys;
  keys.reserve(items.size());
  for (const Value& item : items) {
    JARIP_CHECK(runtime.budget.charge(1));
    JARIP_TRY(Value key, path.follow(runtime, item, otherwise));
    if (!case_sensitive) {
      JARIP_TRY(key, lower_if_text(runtime, key));
    }
    keys.push_back(std::move(key));
  }
  return keys;
}

Result<Value> join(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("join", arguments, {"d", "attribute"}));
  JARIP_TRY(std::vector<Value> items, iterate(runtime, self));
  if (args.or_none(1) != nullptr) {
    JARIP_TRY(items, keys_of(runtime, items, args[1], true));
  }
  Text separator;
  if (args[0] != nullptr) {
    JARIP_TRY(separator, to_text(runtime.budget, *args[0]));
  }
  TextBuilder out(runtime.budget);
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) JARIP_CHECK(out.add(separator));
    JARIP_CHECK(print_str(out, items[i]));
  }
  return out.take_value();
}

Result<Value> first(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("first", arguments, {}));
  if (Iterator* iterator = self.iterator()) {
    if (iterator->next < iterator->items.size()) return iterator->items[iterator->next++];
    if (iterator->failure) return std::unexpected(*iterator->failure);
    return Value::undefined("No first item, sequence was empty.");
  }
  JARIP_TRY(std::vector<Value> items, iterate(runtime, self));
  if (items.empty()) return Value::undefined("No first item, sequence was empty.");
  return std::move(items.front());
}

Result<Value> last(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("last", arguments, {}));
  if (self.iterator() != nullptr) return type_error("last can't read a generator backwards");
  JARIP_TRY(std::vector<Value> items, iterate(runtime, self));
  if (items.empty()) return Value::undefined("No last item, sequence was empty.");
  return std::move(items.back());
}

Result<Value> list(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("list", arguments, {}));
  JARIP_TRY(std::vector<Value> items, iterate(runtime, self));
  return make_list(runtime.budget, std::move(items), self.from_input());
}

Result<Value> reverse(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("reverse", arguments, {}));
  if (self.text() != nullptr) {
    SliceBounds backwards;
    backwards.step = Value::from(std::int64_t{-1}, false);
    return get_slice(runtime, self, backwards);
  }
  JARIP_TRY(std::vector<Value> items, iterate(runtime, self));
  std::ranges::reverse(items);
  // A generator can't be read backwards, so Jinja makes a list of it.
  if (self.iterator() != nullptr) return make_list(runtime.budget, std::move(items));
  return make_iterator(runtime.budget, std::move(items));
}

Result<Value> items_filter(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("items", arguments, {}));
  if (self.is_undefined()) return make_iterator(runtime.budget, {});
  if (self.dict() == nullptr) {
    return make_iterator(runtime.budget, {}, type_error("items takes a mapping"));
  }
  std::vector<Value> pairs;
  for (const auto& [key, value] : self.dict()->entries()) {
    JARIP_TRY(Value pair, make_sequence(runtime.budget, Sequence::Type::kTuple, {key, value},
                                        self.from_input()));
    pairs.push_back(std::move(pair));
  }
  return make_iterator(runtime.budget, std::move(pairs));
}

Result<Value> dictsort(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args,
            BoundArguments::bind("dictsort", arguments, {"case_sensitive", "by", "reverse"}));
  JARIP_TRY(const Text* by, args.text(1));
  const std::string_view part = by == nullptr ? "key" : by->view();
  if (part != "key" && part != "value") return type_error("dictsort sorts by 'key' or 'value'");
  if (self.is_undefined()) return undefined_error(self);
  if (self.dict() == nullptr) return type_error("dictsort takes a mapping");
  std::vector<Value> pairs;
  for (const auto& [key, value] : self.dict()->entries()) {
    JARIP_TRY(Value pair, make_sequence(runtime.budget, Sequence::Type::kTuple, {key, value},
                                        self.from_input()));
    pairs.push_back(std::move(pair));
  }
  const Value index = Value::from(std::int64_t{part == "key" ? 0 : 1}, false);
  JARIP_TRY(const auto keys, keys_of(runtime, pairs, &index, args.flag(0)));
  JARIP_TRY(pairs, sort_by_keys(runtime, std::move(pairs), keys, args.flag(2)));
  return make_list(runtime.budget, std::move(pairs), self.from_input());
}

// "a,b" sorts by a, then by b.
Result<std::vector<Value>> sort_keys(Runtime& runtime, const std::vector<Value>& items,
                                     const Value* attribute, bool case_sensitive) {
  if (attribute == nullptr || attribute->text() == nullptr) {
    return keys_of(runtime, items, attribute, case_sensitive);
  }
  std::vector<std::vector<Value>> parts(items.size());
  std::string_view rest = attribute->text()->view();
  for (bool more = true; more;) {
    const std::size_t comma = rest.find(',');
    const Value path = Value::literal(rest.substr(0, comma));
    JARIP_TRY(auto keys, keys_of(runtime, items, &path, case_sensitive));
    for (std::size_t i = 0; i < keys.size(); ++i) parts[i].push_back(std::move(keys[i]));
    more = comma != std::string_view::npos;
    if (more) rest.remove_prefix(comma + 1);
  }
  std::vector<Value> keys;
  keys.reserve(items.size());
  for (auto& part : parts) {
    JARIP_TRY(Value key, make_list(runtime.budget, std::move(part)));
    keys.push_back(std::move(key));
  }
  return keys;
}

Result<Value> sort(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args,
            BoundArguments::bind("sort", arguments, {"reverse", "case_sensitive", "attribute"}));
  JARIP_TRY(std::vector<Value> items, iterate(runtime, self));
  JARIP_TRY(const auto keys, sort_keys(runtime, items, args.or_none(2), args.flag(1)));
  JARIP_TRY(items, sort_by_keys(runtime, std::move(items), keys, args.flag(0)));
  return make_list(runtime.budget, std::move(items), self.from_input());
}

// A set of values, in the order of their hashes.
class SeenValues {
 public:
  // Whether it is new.
  Result<bool> insert(Runtime& runtime, const Value& value) {
    JARIP_CHECK(runtime.budget.charge(1));
    JARIP_TRY(const std::size_t hash, hash_of(value));
    const auto [begin, end] = by_hash_.equal_range(hash);
    for (auto it = begin; it != end; ++it) {
      JARIP_TRY(const bool equal, equals(runtime.budget, it->second, value));
      if (equal) return false;
    }
    by_hash_.emplace(hash, value);
    return true;
  }

 private:
  std::unordered_multimap<std::size_t, Value> by_hash_;
};

Result<void> keep_unique(Runtime& runtime, const Value& self, const BoundArguments& args,
                         std::vector<Value>& kept) {
  JARIP_TRY(std::vector<Value> items, iterate(runtime, self));
  JARIP_TRY(const auto keys, keys_of(runtime, items, args.or_none(1), args.flag(0)));
  SeenValues seen;
  for (std::size_t i = 0; i < items.size(); ++i) {
    JARIP_TRY(const bool is_new, seen.insert(runtime, keys[i]));
    if (is_new) kept.push_back(items[i]);
  }
  return {};
}

Result<Value> unique(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args,
            BoundArguments::bind("unique", arguments, {"case_sensitive", "attribute"}));
  std::vector<Value> kept;
  auto ended = keep_unique(runtime, self, args, kept);
  return make_iterator(runtime.budget, std::move(kept), std::move(ended));
}

template <Order better>
Result<Value> extreme(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args,
            BoundArguments::bind("min and max", arguments, {"case_sensitive", "attribute"}));
  JARIP_TRY(std::vector<Value> items, iterate(runtime, self));
  if (items.empty()) return Value::undefined("No aggregated item, sequence was empty.");
  JARIP_TRY(const auto keys, keys_of(runtime, items, args.or_none(1), args.flag(0)));
  std::size_t best = 0;
  for (std::size_t i = 1; i < items.size(); ++i) {
    JARIP_TRY(const bool is_better, ordered(runtime.budget, keys[i], better, keys[best]));
    if (is_better) best = i;
  }
  return items[best];
}

Result<Value> sum(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("sum", arguments, {"attribute", "start"}));
  JARIP_TRY(std::vector<Value> items, iterate(runtime, self));
  if (args.or_none(0) != nullptr) {
    JARIP_TRY(items, keys_of(runtime, items, args[0], true));
  }
  Value total = args[1] == nullptr ? Value::from(std::int64_t{0}, false) : *args[1];
  if (total.text() != nullptr) return type_error("sum can't add strings");
  for (const Value& item : items) {
    JARIP_TRY(total, apply_operator(runtime, BinaryOperator::kAdd, total, item));
  }
  return total;
}

Result<void> make_batches(Runtime& runtime, const Value& self, const BoundArguments& args,
                          std::vector<Value>& batches) {
  JARIP_TRY(const std::int64_t size, args.integer(0, 1));
  JARIP_TRY(const std::vector<Value> items, iterate(runtime, self));
  std::vector<Value> current;
  const auto full = static_cast<std::size_t>(std::max<std::int64_t>(size, 0));
  for (const Value& item : items) {
    if (size >= 0 && current.size() == full) {
      JARIP_TRY(Value done, make_list(runtime.budget, std::exchange(current, {})));
      batches.push_back(std::move(done));
    }
    current.push_back(item);
  }
  if (!current.empty()) {
    if (args.or_none(1) != nullptr && current.size() < full) {
      JARIP_CHECK(runtime.budget.charge(full - current.size()));
      current.resize(full, *args[1]);
    }
    JARIP_TRY(Value done, make_list(runtime.budget, std::move(current)));
    batches.push_back(std::move(done));
  }
  return {};
}

Result<Value> batch(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args,
            BoundArguments::bind("batch", arguments, {"linecount", "fill_with"}, 1));
  std::vector<Value> batches;
  auto ended = make_batches(runtime, self, args, batches);
  return make_iterator(runtime.budget, std::move(batches), std::move(ended));
}

Result<void> make_slices(Runtime& runtime, const Value& self, const BoundArguments& args,
                         std::vector<Value>& slices) {
  JARIP_TRY(const std::int64_t n_slices, args.integer(0, 1));
  JARIP_TRY(const std::vector<Value> items, iterate(runtime, self));
  if (n_slices == 0) return type_error("division by zero");
  if (n_slices < 0) return {};
  const auto n = static_cast<std::size_t>(n_slices);
  JARIP_CHECK(runtime.budget.charge(n));
  const std::size_t shortest = items.size() / n;
  const std::size_t longer = items.size() % n;  // so many slices have one more
  std::size_t begin = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t end = begin + shortest + (i < longer ? 1 : 0);
    std::vector<Value> part(items.begin() + static_cast<std::ptrdiff_t>(begin),
                            items.begin() + static_cast<std::ptrdiff_t>(end));
    if (args.or_none(1) != nullptr && i >= longer) part.push_back(*args[1]);
    JARIP_TRY(Value made, make_list(runtime.budget, std::move(part)));
    slices.push_back(std::move(made));
    begin = end;
  }
  return {};
}

Result<Value> slice(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("slice", arguments, {"slices", "fill_with"}, 1));
  std::vector<Value> slices;
  auto ended = make_slices(runtime, self, args, slices);
  return make_iterator(runtime.budget, std::move(slices), std::move(ended));
}

Result<Value> groupby(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("groupby", arguments,
                                                  {"attribute", "default", "case_sensitive"}, 1));
  JARIP_TRY(std::vector<Value> items, iterate(runtime, self));
  const bool case_sensitive = args.flag(2);
  JARIP_TRY(auto keys, keys_of(runtime, items, args[0], case_sensitive, args.or_none(1)));
  JARIP_TRY(items, sort_by_keys(runtime, std::move(items), keys, false));
  JARIP_TRY(keys, keys_of(runtime, items, args[0], case_sensitive, args.or_none(1)));
  JARIP_TRY(const auto shown, keys_of(runtime, items, args[0], true, args.or_none(1)));
  std::vector<Value> groups;
  for (std::size_t begin = 0; begin < items.size();) {
    std::size_t end = begin + 1;
    for (; end < items.size(); ++end) {
      JARIP_TRY(const bool equal, equals(runtime.budget, keys[begin], keys[end]));
      if (!equal) break;
    }
    JARIP_TRY(Value members,
              make_list(runtime.budget, {items.begin() + static_cast<std::ptrdiff_t>(begin),
                                         items.begin() + static_cast<std::ptrdiff_t>(end)}));
    JARIP_TRY(Value group, make_sequence(runtime.budget, Sequence::Type::kGroup,
                                         {shown[begin], std::move(members)}));
    groups.push_back(std::move(group));
    begin = end;
  }
  return make_list(runtime.budget, std::move(groups));
}

Arguments without_first(const Arguments& arguments, std::size_t n) {
  Arguments rest;
  const auto skipped = static_cast<std::ptrdiff_t>(std::min(n, arguments.positional.size()));
  rest.positional.assign(arguments.positional.begin() + skipped, arguments.positional.end());
  rest.named = arguments.named;
  return rest;
}

Result<std::string_view> name_argument(const Arguments& arguments, std::size_t i) {
  const Text* name = arguments.positional[i].text();
  if (name == nullptr) return type_error("the name of a filter or test must be a string");
  return name->view();
}

Result<void> map_attribute(Runtime& runtime, const Value& self, const Arguments& arguments,
                           std::vector<Value>& values) {
  JARIP_TRY(const auto args, BoundArguments::bind("map", arguments, {"attribute", "default"}));
  JARIP_TRY(const auto path, AttributePath::parse(*args[0]));
  JARIP_TRY(const std::vector<Value> items, iterate(runtime, self));
  for (const Value& item : items) {
    JARIP_CHECK(runtime.budget.charge(1));
    JARIP_TRY(Value value, path.follow(runtime, item, args.or_none(1)));
    values.push_back(std::move(value));
  }
  return {};
}

Result<void> map_filter(Runtime& runtime, const Value& self, const Arguments& arguments,
                        std::vector<Value>& values) {
  if (arguments.positional.empty()) return type_error("map takes a filter or an attribute");
  JARIP_TRY(const std::string_view name, name_argument(arguments, 0));
  const Arguments rest = without_first(arguments, 1);
  JARIP_TRY(const std::vector<Value> items, iterate(runtime, self));
  for (const Value& item : items) {
    JARIP_TRY(Value value, apply_filter(runtime, name, item, rest));
    values.push_back(std::move(value));
  }
  return {};
}

Result<Value> map(Runtime& runtime, const Value& self, const Arguments& arguments) {
  if (!truthy(self)) return make_iterator(runtime.budget, {});
  const bool has_attribute =
      std::ranges::find(arguments.named, "attribute", &NamedArgument::id) != arguments.named.end();
  std::vector<Value> values;
  auto ended = arguments.positional.empty() && has_attribute
                   ? map_attribute(runtime, self, arguments, values)
                   : map_filter(runtime, self, arguments, values);
  return make_iterator(runtime.budget, std::move(values), std::move(ended));
}

// by_attribute: the first argument names what is tested. Then a test, or truth if none is named.
Result<void> keep_some(Runtime& runtime, const Value& self, const Arguments& arguments, bool keep,
                       bool by_attribute, std::vector<Value>& kept) {
  const std::size_t n_skipped = by_attribute ? 1 : 0;
  if (arguments.positional.size() < n_skipped) return type_error("an attribute's name is missing");
  const Value whole = Value::none();
  JARIP_TRY(const auto path,
            AttributePath::parse(by_attribute ? arguments.positional.front() : whole));
  const bool has_test = arguments.positional.size() > n_skipped;
  const Arguments rest = without_first(arguments, n_skipped + 1);
  JARIP_TRY(const std::vector<Value> items, iterate(runtime, self));
  for (const Value& item : items) {
    JARIP_CHECK(runtime.budget.charge(1));
    JARIP_TRY(const Value subject, path.follow(runtime, item));
    bool holds = truthy(subject);
    if (has_test) {
      JARIP_TRY(const std::string_view name, name_argument(arguments, n_skipped));
      JARIP_TRY(holds, apply_test(runtime, name, subject, rest));
    }
    if (holds == keep) kept.push_back(item);
  }
  return {};
}

template <bool keep, bool by_attribute>
Result<Value> select(Runtime& runtime, const Value& self, const Arguments& arguments) {
  if (!truthy(self)) return make_iterator(runtime.budget, {});
  std::vector<Value> kept;
  auto ended = keep_some(runtime, self, arguments, keep, by_attribute, kept);
  return make_iterator(runtime.budget, std::move(kept), std::move(ended));
}

constexpr auto kSequenceFilters = std::to_array<Builtin>({
    {"batch", batch},
    {"dictsort", dictsort},
    {"first", first},
    {"groupby", groupby},
    {"items", items_filter},
    {"join", join},
    {"last", last},
    {"list", list},
    {"map", map},
    {"max", extreme<Order::kGreater>},
    {"min", extreme<Order::kLess>},
    {"reject", select<false, false>},
    {"rejectattr", select<false, true>},
    {"reverse", reverse},
    {"select", select<true, false>},
    {"selectattr", select<true, true>},
    {"slice", slice},
    {"sort", sort},
    {"sum", sum},
    {"unique", unique},
});

}  // namespace

std::span<const Builtin> sequence_filters() { return kSequenceFilters; }

Result<std::vector<Value>> sort_by_keys(Runtime& runtime, std::vector<Value> items,
                                        const std::vector<Value>& keys, bool reverse) {
  // A merge sort from the bottom up: any answer of a comparison, an error too, is safe.
  std::vector<std::size_t> order(items.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::vector<std::size_t> merged(order.size());
  for (std::size_t width = 1; width < order.size(); width *= 2) {
    for (std::size_t begin = 0; begin < order.size(); begin += 2 * width) {
      const std::size_t middle = std::min(begin + width, order.size());
      const std::size_t end = std::min(begin + 2 * width, order.size());
      std::size_t left = begin;
      std::size_t right = middle;
      for (std::size_t out = begin; out < end; ++out) {
        bool take_right = left == middle;
        if (left < middle && right < end) {
          const Value& a = keys[order[reverse ? left : right]];
          const Value& b = keys[order[reverse ? right : left]];
          JARIP_TRY(take_right, ordered(runtime.budget, a, Order::kLess, b));
        }
        merged[out] = order[take_right ? right++ : left++];
      }
    }
    order.swap(merged);
  }
  std::vector<Value> sorted;
  sorted.reserve(items.size());
  for (const std::size_t i : order) sorted.push_back(std::move(items[i]));
  return sorted;
}

}  // namespace jarip::jinja
