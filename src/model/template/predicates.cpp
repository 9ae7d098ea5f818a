// The tests: what stands after "is".
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model/template/access.h"
#include "model/template/arguments.h"
#include "model/template/builtins.h"
#include "model/template/operators.h"
#include "model/template/print.h"

namespace jarip::jinja {
namespace {

// A test that takes nothing but the value and can't fail.
template <bool (*predicate)(const Value&)>
Result<Value> simple(Runtime&, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("this test", arguments, {}));
  return Value::from(predicate(self));
}

bool is_defined(const Value& value) { return !value.is_undefined(); }
bool is_undefined(const Value& value) { return value.is_undefined(); }
bool is_none(const Value& value) { return value.is_none(); }
bool is_boolean(const Value& value) { return value.get<bool>() != nullptr; }
bool is_true(const Value& value) { return is_boolean(value) && *value.get<bool>(); }
bool is_false(const Value& value) { return is_boolean(value) && !*value.get<bool>(); }
bool is_integer(const Value& value) { return value.get<std::int64_t>() != nullptr; }
bool is_float(const Value& value) { return value.get<double>() != nullptr; }
bool is_number(const Value& value) { return value.number().has_value(); }
bool is_string(const Value& value) { return value.text() != nullptr; }
bool is_mapping(const Value& value) { return value.dict() != nullptr; }
bool is_escaped(const Value& value) { return value.is_markup(); }

bool is_sequence(const Value& value) {
  const Sequence* sequence = value.sequence();
  return value.is_undefined() || is_string(value) || is_mapping(value) ||
         value.range() != nullptr || (sequence != nullptr && !sequence->is_view());
}

bool is_iterable_value(const Value& value) {
  return is_iterable(value) ||
         (value.object() != nullptr && value.object()->type_name() == "LoopContext");
}

bool is_callable(const Value& value) {
  if (value.is_undefined() || value.function() != nullptr) return true;
  if (value.object() == nullptr) return false;
  const std::string_view type = value.object()->type_name();
  return type == "Macro" || type == "LoopContext" || type == "Joiner";
}

Result<Value> remainder_is(Runtime& runtime, const Value& value, const Value& divisor,
                           std::int64_t wanted) {
  JARIP_TRY(const Value remainder,
            apply_operator(runtime, BinaryOperator::kModulo, value, divisor));
  JARIP_TRY(const bool equal, equals(runtime.budget, remainder, Value::from(wanted, false)));
  return Value::from(equal);
}

template <std::int64_t wanted>
Result<Value> parity(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("this test", arguments, {}));
  return remainder_is(runtime, self, Value::from(std::int64_t{2}, false), wanted);
}

Result<Value> divisible_by(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("divisibleby", arguments, {"num"}, 1));
  return remainder_is(runtime, self, *args[0], 0);
}

template <bool equal>
Result<Value> equality(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("this test", arguments, {""}, 1));
  JARIP_TRY(const bool same, equals(runtime.budget, self, *args[0]));
  return Value::from(same == equal);
}

template <Order order>
Result<Value> comparison(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("this test", arguments, {""}, 1));
  JARIP_TRY(const bool holds, ordered(runtime.budget, self, order, *args[0]));
  return Value::from(holds);
}

Result<Value> is_in(Runtime& runtime, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("in", arguments, {"seq"}, 1));
  JARIP_TRY(const bool found, contains(runtime, *args[0], self));
  return Value::from(found);
}

Result<Value> same_as(Runtime&, const Value& self, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("sameas", arguments, {"other"}, 1));
  return Value::from(is_same(self, *args[0]));
}

Result<Value> letter_case(Runtime& runtime, const Value& self, const Arguments& arguments,
                          std::string_view method) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("this test", arguments, {}));
  JARIP_TRY(Text text, to_text(runtime.budget, self));
  const Value string = Value::from(std::move(text));
  JARIP_TRY(const Value bound, get_attribute(runtime, string, method));
  return bound.function()->body(runtime, string, {});
}

Result<Value> is_lower_test(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return letter_case(runtime, self, arguments, "islower");
}

Result<Value> is_upper_test(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return letter_case(runtime, self, arguments, "isupper");
}

template <Function::Body (*find)(std::string_view)>
Result<Value> names_builtin(Runtime&, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("this test", arguments, {}));
  if (Result<std::size_t> hash = hash_of(self); !hash) return std::unexpected(hash.error());
  return Value::from(self.text() != nullptr && find(self.text()->view()) != nullptr);
}

constexpr auto kTests = std::to_array<Builtin>({
    {"!=", equality<false>},
    {"<", comparison<Order::kLess>},
    {"<=", comparison<Order::kLessEqual>},
    {"==", equality<true>},
    {">", comparison<Order::kGreater>},
    {">=", comparison<Order::kGreaterEqual>},
    {"boolean", simple<is_boolean>},
    {"callable", simple<is_callable>},
    {"defined", simple<is_defined>},
    {"divisibleby", divisible_by},
    {"eq", equality<true>},
    {"equalto", equality<true>},
    {"escaped", simple<is_escaped>},
    {"even", parity<0>},
    {"false", simple<is_false>},
    {"filter", names_builtin<find_filter>},
    {"float", simple<is_float>},
    {"ge", comparison<Order::kGreaterEqual>},
    {"greaterthan", comparison<Order::kGreater>},
    {"gt", comparison<Order::kGreater>},
    {"in", is_in},
    {"integer", simple<is_integer>},
    {"iterable", simple<is_iterable_value>},
    {"le", comparison<Order::kLessEqual>},
    {"lessthan", comparison<Order::kLess>},
    {"lower", is_lower_test},
    {"lt", comparison<Order::kLess>},
    {"mapping", simple<is_mapping>},
    {"ne", equality<false>},
    {"none", simple<is_none>},
    {"number", simple<is_number>},
    {"odd", parity<1>},
    {"sameas", same_as},
    {"sequence", simple<is_sequence>},
    {"string", simple<is_string>},
    {"test", names_builtin<find_test>},
    {"true", simple<is_true>},
    {"undefined", simple<is_undefined>},
    {"upper", is_upper_test},
});

}  // namespace

Function::Body find_test(std::string_view name) {
  const auto* test = std::ranges::find(kTests, name, &Builtin::name);
  return test == kTests.end() ? nullptr : test->body;
}

Result<bool> apply_test(Runtime& runtime, std::string_view name, const Value& input,
                        const Arguments& arguments) {
  const Function::Body body = find_test(name);
  if (body == nullptr) return unsupported(fmt::format("the test '{}' is not supported", name));
  JARIP_CHECK(runtime.budget.charge(1));
  JARIP_TRY(const Value result, body(runtime, input, arguments));
  return truthy(result);
}

}  // namespace jarip::jinja
