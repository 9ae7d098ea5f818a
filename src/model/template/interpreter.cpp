#include "model/template/interpreter.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "model/template/access.h"
#include "model/template/builtins.h"
#include "model/template/context.h"
#include "model/template/frame.h"
#include "model/template/lexer.h"
#include "model/template/loop.h"
#include "model/template/operators.h"
#include "model/template/print.h"

namespace jarip::jinja {
namespace {

// A macro, or the body of a call block, with the scope that it was defined in.
class MacroObject final : public Object {
 public:
  [[nodiscard]] std::string_view type_name() const override { return "Macro"; }
  [[nodiscard]] Result<std::optional<Value>> attribute(Runtime&, std::string_view name) override {
    if (name == "name") return Value::literal(definition->name);
    if (name == "caller") return Value::from(definition->uses_caller);
    if (name == "catch_kwargs") return Value::from(definition->uses_named);
    if (name == "catch_varargs") return Value::from(definition->uses_positional);
    if (name == "arguments" || name == "explicit_caller") {
      return unsupported(fmt::format("the attribute '{}' of a macro is not supported", name));
    }
    return std::nullopt;
  }

  const MacroDefinition* definition = nullptr;
  Frame* scope = nullptr;
};

enum class Flow : std::uint8_t { kNext, kBreak, kContinue };

class Interpreter {
 public:
  Interpreter(const Program& program, const TemplateLimits& limits, const TemplateValue& context,
              const std::vector<std::string>& trusted_names, std::time_t now)
      : program_(program),
        runtime_{Budget(limits), now, {}},
        context_(program, context, trusted_names),
        out_(runtime_.budget),
        caller_(find_name("caller")),
        kwargs_(find_name("kwargs")),
        loop_(find_name("loop")),
        varargs_(find_name("varargs")) {}

  Result<Text> run() {
    FrameOwner frame(kept_, nullptr, program_.body);
    JARIP_CHECK(execute(program_.body.body, *frame));
    return out_.take();
  }

 private:
  std::optional<NameId> find_name(std::string_view name) const {
    const auto found = std::ranges::find(program_.names, name);
    if (found == program_.names.end()) return std::nullopt;
    return static_cast<NameId>(found - program_.names.begin());
  }

  // The error with its place, unless one further inside is known.
  std::unexpected<Error> located(Error error, Place at) const {
    if (error.where.empty()) error.where = describe_place(program_.source, at);
    return std::unexpected(std::move(error));
  }
  template <class T>
  Result<T> located(Result<T> result, Place at) const {
    if (result) return result;
    return located(std::move(result).error(), at);
  }

  // --- statements ---

  Result<Flow> execute(const Body& body, Frame& frame) {
    const Nesting nesting(depth_, runtime_.budget.max_depth());
    if (!nesting.ok()) return too_large("the template nests too deeply");
    for (const Statement& statement : body) {
      auto flow = std::visit([&](const auto& kind) { return step(kind, frame); }, statement.kind);
      if (!flow) return located(std::move(flow).error(), statement.at);
      if (*flow != Flow::kNext) return flow;
      if (Result<void> paid = runtime_.budget.charge(1); !paid) {
        return located(std::move(paid).error(), statement.at);
      }
    }
    return Flow::kNext;
  }

  Result<Flow> step(const TextOutput& output, Frame&) {
    JARIP_CHECK(out_.add(*output.text.text()));
    return Flow::kNext;
  }

  Result<Flow> step(const Print& print, Frame& frame) {
    JARIP_TRY(const Value value, evaluate(print.value, frame));
    JARIP_CHECK(print_str(out_, value));
    return Flow::kNext;
  }

  Result<Flow> step(const If& choice, Frame& frame) {
    for (const auto& [test, body] : choice.branches) {
      JARIP_TRY(const Value value, evaluate(test, frame));
      if (truthy(value)) return execute(body, frame);
    }
    return execute(choice.otherwise, frame);
  }

  Result<Flow> step(const For& loop, Frame& frame) {
    JARIP_TRY(const Value iterable, evaluate(loop.iterable, frame));
    if (!loop.recursive) return run_loop(loop, frame, iterable, 0);
    JARIP_TRY(const Value text, run_recursive_loop(loop, frame, iterable, 0));
    JARIP_CHECK(out_.add(*text.text()));
    return Flow::kNext;
  }

  Result<Flow> step(const Set& set, Frame& frame) {
    JARIP_TRY(const Value value, evaluate(set.value, frame));
    JARIP_CHECK(assign(set.target, value, frame, frame));
    return Flow::kNext;
  }

  Result<Flow> step(const SetBlock& block, Frame& frame) {
    FrameOwner inside(kept_, &frame, block.body);
    Flow flow = Flow::kNext;
    JARIP_TRY(Value value, capture(block.body, *inside, flow));
    // A loop was left from within: then nothing is assigned.
    if (flow != Flow::kNext) return flow;
    if (block.filter) {
      JARIP_TRY(value, apply_steps(std::get<Postfix>(block.filter->kind), value, *inside, nullptr));
    }
    JARIP_CHECK(assign(block.target, value, frame, frame));
    return Flow::kNext;
  }

  Result<Flow> step(const Macro& macro, Frame& frame) {
    frame.set(macro.name, make_macro(macro.definition, frame));
    return Flow::kNext;
  }

  Result<Flow> step(const CallBlock& block, Frame& frame) {
    const Value caller = make_macro(block.caller, frame);
    const auto& postfix = std::get<Postfix>(block.call->kind);
    JARIP_TRY(const Value base, evaluate(postfix.base, frame));
    JARIP_TRY(const Value value, apply_steps(postfix, base, frame, &caller));
    JARIP_CHECK(print_str(out_, value));
    return Flow::kNext;
  }

  Result<Flow> step(const FilterBlock& block, Frame& frame) {
    FrameOwner inside(kept_, &frame, block.body);
    Flow flow = Flow::kNext;
    JARIP_TRY(const Value text, capture(block.body, *inside, flow));
    if (flow != Flow::kNext) return flow;
    JARIP_TRY(const Value value,
              apply_steps(std::get<Postfix>(block.filter->kind), text, *inside, nullptr));
    JARIP_CHECK(print_str(out_, value));
    return Flow::kNext;
  }

  Result<Flow> step(const With& with, Frame& frame) {
    FrameOwner inside(kept_, &frame, with.body);
    for (const auto& [target, expression] : with.bindings) {
      JARIP_TRY(const Value value, evaluate(expression, frame));
      JARIP_CHECK(assign(target, value, *inside, frame));
    }
    return execute(with.body.body, *inside);
  }

  Result<Flow> step(const Generation& block, Frame& frame) {
    FrameOwner inside(kept_, &frame, block.body);
    return execute(block.body.body, *inside);
  }

  Result<Flow> step(const Break&, Frame&) { return Flow::kBreak; }
  Result<Flow> step(const Continue&, Frame&) { return Flow::kContinue; }

  // What a body writes, as a text of its own.
  Result<Value> capture(const Scope& scope, Frame& frame, Flow& flow) {
    TextBuilder outer = std::exchange(out_, TextBuilder(runtime_.budget));
    auto left = execute(scope.body, frame);
    Text text = out_.take();
    out_ = std::move(outer);
    JARIP_TRY(flow, std::move(left));
    return Value::from(std::move(text));
  }

  // names: where names are set; namespaces: where namespaces are looked up.
  Result<void> assign(const Target& target, const Value& value, Frame& names, Frame& namespaces) {
    if (const auto* name = std::get_if<NameId>(&target.kind)) {
      JARIP_CHECK(runtime_.budget.charge(1 + names.size() / kNamesPerStep));
      names.set(*name, value);
      return {};
    }
    if (const auto* attribute = std::get_if<Target::NamespaceAttribute>(&target.kind)) {
      JARIP_TRY(const Value holder, load(attribute->name, namespaces));
      auto* space = holder.object_as<Namespace>();
      if (space == nullptr) {
        return located(type_error("can't set an attribute of what is not a namespace").error(),
                       target.at);
      }
      space->attributes.set(Value::literal(attribute->attribute), value);
      return runtime_.budget.check_depth(space->attributes.depth());
    }
    const auto& targets = std::get<std::vector<Target>>(target.kind);
    JARIP_TRY(const std::vector<Value> items, located(iterate(runtime_, value), target.at));
    if (items.size() != targets.size()) {
      return located(type_error(fmt::format("can't unpack {} values into {} names", items.size(),
                                            targets.size()))
                         .error(),
                     target.at);
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
      JARIP_CHECK(assign(targets[i], items[i], names, namespaces));
    }
    return {};
  }

  Result<Flow> run_loop(const For& node, Frame& frame, const Value& iterable, std::int64_t depth0) {
    JARIP_TRY(std::vector<Value> items, iterate(runtime_, iterable));
    auto* loop = runtime_.make<Loop>();
    loop->node = node.recursive ? &node : nullptr;
    loop->scope = &frame;
    loop->depth0 = depth0;
    if (node.recursive) frame.capture();
    Loop::Filter filter;
    if (node.filter) {
      filter = [this, &node, &frame](const Value& item) { return passes(node, frame, item); };
    }
    loop->begin(std::move(items), std::move(filter));
    // As in Jinja, an iteration that break or continue cuts short does not count.
    bool completed = false;
    while (true) {
      JARIP_CHECK(runtime_.budget.charge(1));
      JARIP_TRY(const bool more, loop->advance());
      if (!more) break;
      FrameOwner inside(kept_, &frame, node.body);
      JARIP_CHECK(assign(node.target, loop->current(), *inside, frame));
      if (loop_) (*inside).set(*loop_, Value(static_cast<Object*>(loop), false));
      JARIP_TRY(const Flow flow, execute(node.body.body, *inside));
      if (flow == Flow::kBreak) break;
      if (flow == Flow::kNext) completed = true;
    }
    loop->finish();
    if (completed || !node.otherwise) return Flow::kNext;
    FrameOwner inside(kept_, &frame, *node.otherwise);
    return execute(node.otherwise->body, *inside);
  }

  Result<bool> passes(const For& node, Frame& frame, const Value& item) {
    FrameOwner inside(kept_, &frame);
    JARIP_CHECK(assign(node.target, item, *inside, frame));
    JARIP_TRY(const Value holds, evaluate(node.filter, *inside));
    return truthy(holds);
  }

  Result<Value> run_recursive_loop(const For& node, Frame& frame, const Value& iterable,
                                   std::int64_t depth0) {
    TextBuilder outer = std::exchange(out_, TextBuilder(runtime_.budget));
    auto flow = run_loop(node, frame, iterable, depth0);
    Value text = out_.take_value();
    out_ = std::move(outer);
    if (!flow) return std::unexpected(std::move(flow).error());
    return text;
  }

  // --- macros ---

  Value make_macro(const MacroDefinition& definition, Frame& frame) {
    frame.capture();
    auto* macro = runtime_.make<MacroObject>();
    macro->definition = &definition;
    macro->scope = &frame;
    return {static_cast<Object*>(macro), false};
  }

  static std::optional<Value> take_named(Arguments& arguments, std::string_view name) {
    const auto found = std::ranges::find(arguments.named, name, &NamedArgument::id);
    if (found == arguments.named.end()) return std::nullopt;
    Value value = std::move(found->value);
    arguments.named.erase(found);
    return value;
  }

  Result<Value> call_macro(const MacroObject& macro, Arguments arguments) {
    const MacroDefinition& definition = *macro.definition;
    FrameOwner inside(kept_, macro.scope, definition.body);
    JARIP_CHECK(bind_parameters(definition, arguments, *inside));
    JARIP_CHECK(bind_special(definition, arguments, *inside));
    JARIP_CHECK(fill_defaults(definition, *inside));
    Flow flow = Flow::kNext;
    return capture(definition.body, *inside, flow);
  }

  Result<void> bind_parameters(const MacroDefinition& definition, Arguments& arguments,
                               Frame& frame) {
    const auto& parameters = definition.parameters;
    JARIP_CHECK(runtime_.budget.charge(parameters.size() + arguments.named.size()));
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      std::optional<Value> value;
      if (i < arguments.positional.size()) {
        value = arguments.positional[i];
      } else {
        value = take_named(arguments, program_.names[parameters[i]]);
      }
      if (value) {
        frame.set(parameters[i], *std::move(value));
      } else {
        frame.declare(parameters[i]);
      }
    }
    return {};
  }

  // caller, kwargs and varargs, for a macro that reads them; whatever is left over is an error.
  Result<void> bind_special(const MacroDefinition& definition, Arguments& arguments, Frame& frame) {
    const auto& parameters = definition.parameters;
    const bool own_caller = caller_ && std::ranges::find(parameters, *caller_) != parameters.end();
    if (caller_ && definition.uses_caller && !own_caller) {
      auto caller = take_named(arguments, "caller");
      frame.set(*caller_, caller && !caller->is_none() ? *std::move(caller)
                                                       : Value::undefined("No caller defined"));
    }
    if (kwargs_ && definition.uses_named) {
      Dict named;
      for (auto& [name, value] : arguments.named) named.set(Value::from(name), value);
      JARIP_TRY(Value kwargs, make_dict(runtime_.budget, std::move(named)));
      frame.set(*kwargs_, std::move(kwargs));
    } else if (!arguments.named.empty()) {
      return type_error(fmt::format("macro '{}' takes no argument '{}'", definition.name,
                                    arguments.named.front().id()));
    }
    auto& positional = arguments.positional;
    const std::size_t n = std::min(parameters.size(), positional.size());
    if (varargs_ && definition.uses_positional) {
      const auto extra = positional.begin() + static_cast<std::ptrdiff_t>(n);
      JARIP_TRY(Value varargs,
                make_sequence(runtime_.budget, Sequence::Type::kTuple, {extra, positional.end()}));
      frame.set(*varargs_, std::move(varargs));
    } else if (positional.size() > n) {
      return type_error(fmt::format("macro '{}' takes not more than {} arguments", definition.name,
                                    parameters.size()));
    }
    return {};
  }

  Result<void> fill_defaults(const MacroDefinition& definition, Frame& frame) {
    const auto& parameters = definition.parameters;
    const std::size_t first_default = parameters.size() - definition.defaults.size();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (const auto* bound = frame.find(parameters[i]); bound->has_value()) continue;
      if (i < first_default) {
        frame.set(parameters[i], Value::undefined(fmt::format("parameter '{}' was not provided",
                                                              program_.names[parameters[i]])));
        continue;
      }
      JARIP_TRY(Value value, evaluate(definition.defaults[i - first_default], frame));
      frame.set(parameters[i], std::move(value));
    }
    return {};
  }

  // --- expressions ---

  Result<Value> evaluate(const ExpressionPtr& expression, Frame& frame) {
    const Nesting nesting(depth_, runtime_.budget.max_depth());
    if (!nesting.ok()) {
      return located(too_large("the template nests too deeply").error(), expression->at);
    }
    if (Result<void> paid = runtime_.budget.charge(1); !paid) {
      return located(std::move(paid).error(), expression->at);
    }
    return located(
        std::visit([&](const auto& kind) { return value_of(kind, frame); }, expression->kind),
        expression->at);
  }

  Result<Value> load(NameId name, Frame& frame) {
    for (const Frame* scope = &frame; scope != nullptr; scope = scope->outer()) {
      JARIP_CHECK(runtime_.budget.charge(scope->size() / kNamesPerStep));
      const std::optional<Value>* found = scope->find(name);
      if (found == nullptr) continue;
      return *found ? **found : undefined_name(name);
    }
    JARIP_TRY(const Value* found, context_.find(runtime_.budget, name));
    return found == nullptr ? undefined_name(name) : *found;
  }

  Value undefined_name(NameId name) const {
    return Value::undefined(fmt::format("'{}' is undefined", program_.names[name]));
  }

  Result<Value> value_of(const Literal& literal, Frame&) { return literal.value; }
  Result<Value> value_of(const NameLoad& name, Frame& frame) { return load(name.name, frame); }

  Result<Value> value_of(const SequenceLiteral& literal, Frame& frame) {
    std::vector<Value> items;
    items.reserve(literal.items.size());
    for (const ExpressionPtr& item : literal.items) {
      JARIP_TRY(Value value, evaluate(item, frame));
      items.push_back(std::move(value));
    }
    const auto type = literal.is_tuple ? Sequence::Type::kTuple : Sequence::Type::kList;
    return make_sequence(runtime_.budget, type, std::move(items));
  }

  Result<Value> value_of(const DictLiteral& literal, Frame& frame) {
    Dict dict;
    for (const auto& [key_expression, value_expression] : literal.entries) {
      JARIP_TRY(Value key, evaluate(key_expression, frame));
      JARIP_TRY(Value value, evaluate(value_expression, frame));
      if (Result<std::size_t> hash = hash_of(key); !hash) return std::unexpected(hash.error());
      dict.set(std::move(key), std::move(value));
    }
    return make_dict(runtime_.budget, std::move(dict));
  }

  Result<Value> value_of(const Unary& unary, Frame& frame) {
    JARIP_TRY(const Value operand, evaluate(unary.operand, frame));
    switch (unary.op) {
      case Unary::Operator::kNot:
        return Value::from(!truthy(operand));
      case Unary::Operator::kNegate:
        return negate(operand);
      case Unary::Operator::kPlus:
        return plus(operand);
    }
    return Value();
  }

  Result<Value> value_of(const Arithmetic& arithmetic, Frame& frame) {
    JARIP_TRY(Value value, evaluate(arithmetic.first, frame));
    for (const Arithmetic::Step& step : arithmetic.rest) {
      JARIP_TRY(const Value operand, evaluate(step.operand, frame));
      JARIP_TRY(value, located(apply_operator(runtime_, step.op, value, operand), step.at));
    }
    return value;
  }

  Result<Value> value_of(const Concatenation& concatenation, Frame& frame) {
    TextBuilder out(runtime_.budget);
    for (const ExpressionPtr& part : concatenation.parts) {
      JARIP_TRY(const Value value, evaluate(part, frame));
      JARIP_CHECK(print_str(out, value));
    }
    return out.take_value();
  }

  Result<Value> value_of(const Logic& logic, Frame& frame) {
    Value value;
    for (const ExpressionPtr& operand : logic.operands) {
      JARIP_TRY(value, evaluate(operand, frame));
      if (truthy(value) == logic.is_or) break;
    }
    return value;
  }

  Result<bool> compare(Comparison::Operator op, const Value& a, const Value& b) {
    using Operator = Comparison::Operator;
    Budget& budget = runtime_.budget;
    switch (op) {
      case Operator::kEqual:
        return equals(budget, a, b);
      case Operator::kNotEqual: {
        JARIP_TRY(const bool equal, equals(budget, a, b));
        return !equal;
      }
      case Operator::kLess:
        return ordered(budget, a, Order::kLess, b);
      case Operator::kLessEqual:
        return ordered(budget, a, Order::kLessEqual, b);
      case Operator::kGreater:
        return ordered(budget, a, Order::kGreater, b);
      case Operator::kGreaterEqual:
        return ordered(budget, a, Order::kGreaterEqual, b);
      case Operator::kIn:
        return contains(runtime_, b, a);
      case Operator::kNotIn: {
        JARIP_TRY(const bool found, contains(runtime_, b, a));
        return !found;
      }
    }
    return false;
  }

  Result<Value> value_of(const Comparison& comparison, Frame& frame) {
    JARIP_TRY(Value left, evaluate(comparison.first, frame));
    for (const Comparison::Step& step : comparison.rest) {
      JARIP_TRY(Value right, evaluate(step.operand, frame));
      JARIP_TRY(const bool holds, located(compare(step.op, left, right), step.at));
      if (!holds) return Value::from(false);
      left = std::move(right);
    }
    return Value::from(true);
  }

  Result<Value> value_of(const Conditional& conditional, Frame& frame) {
    for (std::size_t i = conditional.tests.size(); i-- > 0;) {
      JARIP_TRY(const Value test, evaluate(conditional.tests[i], frame));
      if (truthy(test)) continue;
      const bool is_last = i + 1 == conditional.tests.size();
      if (is_last && conditional.otherwise) return evaluate(conditional.otherwise, frame);
      return Value::undefined("an inline if without else was false");
    }
    return evaluate(conditional.value, frame);
  }

  Result<Value> value_of(const Postfix& postfix, Frame& frame) {
    JARIP_TRY(const Value base, evaluate(postfix.base, frame));
    return apply_steps(postfix, base, frame, nullptr);
  }

  // caller: what a call block passes to the last call; may be null.
  Result<Value> apply_steps(const Postfix& postfix, Value value, Frame& frame,
                            const Value* caller) {
    for (const PostfixStep& step : postfix.steps) {
      const bool is_last = &step == &postfix.steps.back();
      const Value* passed = is_last ? caller : nullptr;
      JARIP_CHECK(runtime_.budget.charge(1));
      JARIP_TRY(
          value,
          located(std::visit([&](const auto& kind) { return apply(kind, value, frame, passed); },
                             step.kind),
                  step.at));
    }
    return value;
  }

  Result<Value> apply(const AttributeStep& step, const Value& value, Frame&, const Value*) {
    return get_attribute(runtime_, value, step.name);
  }

  Result<Value> apply(const ItemStep& step, const Value& value, Frame& frame, const Value*) {
    JARIP_TRY(const Value key, evaluate(step.key, frame));
    return get_item(runtime_, value, key);
  }

  Result<Value> apply(const SliceStep& step, const Value& value, Frame& frame, const Value*) {
    SliceBounds bounds;
    if (step.start) {
      JARIP_TRY(bounds.start, evaluate(step.start, frame));
    }
    if (step.stop) {
      JARIP_TRY(bounds.stop, evaluate(step.stop, frame));
    }
    if (step.step) {
      JARIP_TRY(bounds.step, evaluate(step.step, frame));
    }
    return get_slice(runtime_, value, bounds);
  }

  Result<Value> apply(const CallStep& step, const Value& value, Frame& frame, const Value* caller) {
    JARIP_TRY(Arguments arguments, evaluate_arguments(step.arguments, frame));
    if (caller != nullptr) arguments.named.push_back({Text("caller", false), *caller});
    return call(value, std::move(arguments));
  }

  Result<Value> apply(const FilterStep& step, const Value& value, Frame& frame, const Value*) {
    JARIP_TRY(const Arguments arguments, evaluate_arguments(step.arguments, frame));
    return apply_filter(runtime_, step.name, value, arguments);
  }

  Result<Value> apply(const TestStep& step, const Value& value, Frame& frame, const Value*) {
    JARIP_TRY(const Arguments arguments, evaluate_arguments(step.arguments, frame));
    JARIP_TRY(const bool holds, apply_test(runtime_, step.name, value, arguments));
    return Value::from(holds != step.negated);
  }

  Result<Arguments> evaluate_arguments(const CallArguments& arguments, Frame& frame) {
    Arguments out;
    for (const ExpressionPtr& expression : arguments.positional) {
      JARIP_TRY(Value value, evaluate(expression, frame));
      out.positional.push_back(std::move(value));
    }
    if (arguments.more_positional) {
      JARIP_TRY(const Value more, evaluate(arguments.more_positional, frame));
      JARIP_TRY(const std::vector<Value> items, iterate(runtime_, more));
      out.positional.insert(out.positional.end(), items.begin(), items.end());
    }
    for (const auto& [name, expression] : arguments.named) {
      JARIP_TRY(Value value, evaluate(expression, frame));
      out.named.push_back({Text(name, false), std::move(value)});
    }
    if (arguments.more_named) {
      JARIP_TRY(const Value more, evaluate(arguments.more_named, frame));
      JARIP_CHECK(add_named(more, out));
    }
    return out;
  }

  Result<void> add_named(const Value& more, Arguments& out) {
    if (more.is_undefined()) return undefined_error(more);
    if (more.dict() == nullptr) return type_error("** takes a mapping");
    for (const auto& [key, value] : more.dict()->entries()) {
      const Text* name = key.text();
      if (name == nullptr) return type_error("the names of arguments must be strings");
      JARIP_CHECK(runtime_.budget.charge(1 + out.named.size() / kNamesPerStep));
      for (const auto& [taken, _] : out.named) {
        if (taken.view() == name->view()) {
          return type_error(fmt::format("the argument '{}' is given twice", taken.view()));
        }
      }
      out.named.push_back({*name, value});
    }
    return {};
  }

  Result<Value> call(const Value& callee, Arguments arguments) {
    if (const Function* function = callee.function()) {
      return function->body(runtime_, function->self, arguments);
    }
    if (const auto* macro = callee.object_as<MacroObject>()) {
      return call_macro(*macro, std::move(arguments));
    }
    if (auto* joiner = callee.object_as<Joiner>()) {
      if (!arguments.positional.empty() || !arguments.named.empty()) {
        return type_error("a joiner takes no arguments");
      }
      return std::exchange(joiner->used, true) ? joiner->separator : Value::literal("");
    }
    if (const auto* loop = callee.object_as<Loop>()) return call_loop(*loop, arguments);
    if (callee.is_undefined()) return undefined_error(callee);
    return type_error(fmt::format("'{}' is not callable", type_name(callee)));
  }

  Result<Value> call_loop(const Loop& loop, const Arguments& arguments) {
    if (loop.node == nullptr) return type_error("only a recursive loop can be called");
    if (arguments.positional.size() != 1 || !arguments.named.empty()) {
      return type_error("a loop takes one argument, what to go through");
    }
    const Nesting nesting(depth_, runtime_.budget.max_depth());
    if (!nesting.ok()) return too_large("the template nests too deeply");
    return run_recursive_loop(*loop.node, *loop.scope, arguments.positional[0], loop.depth0 + 1);
  }

  static constexpr std::size_t kNamesPerStep = 32;  // that looking for a name may read

  const Program& program_;
  Runtime runtime_;
  Context context_;
  TextBuilder out_;
  std::vector<std::unique_ptr<Frame>> kept_;
  std::uint32_t depth_ = 0;
  std::optional<NameId> caller_;
  std::optional<NameId> kwargs_;
  std::optional<NameId> loop_;
  std::optional<NameId> varargs_;
};

}  // namespace

Result<Text> run_program(const Program& program, const TemplateLimits& limits,
                         const TemplateValue& context,
                         const std::vector<std::string>& trusted_names, std::time_t now) {
  return Interpreter(program, limits, context, trusted_names, now).run();
}

}  // namespace jarip::jinja
