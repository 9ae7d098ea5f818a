#include "model/template/expression_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "model/template/builtins.h"

namespace jarip::jinja {
namespace {

template <class Kind>
ExpressionPtr make(Kind kind, Place at) {
  auto out = std::make_unique<Expression>();
  out->kind = std::move(kind);
  out->at = at;
  return out;
}

std::string describe(const Token& token) {
  switch (token.kind) {
    case TokenKind::kText:
      return "text";
    case TokenKind::kBlockBegin:
      return "'{%'";
    case TokenKind::kBlockEnd:
      return "'%}'";
    case TokenKind::kVariableBegin:
      return "'{{'";
    case TokenKind::kVariableEnd:
      return "'}}'";
    case TokenKind::kEnd:
      return "the end of the template";
    case TokenKind::kString:
      return "a string";
    default:
      return fmt::format("'{}'", token.text);
  }
}

bool is_constant_name(std::string_view name) {
  constexpr auto kNames =
      std::to_array<std::string_view>({"true", "false", "none", "True", "False", "None"});
  return std::ranges::find(kNames, name) != kNames.end();
}

using ComparisonOperator = Comparison::Operator;
constexpr auto kComparisons = std::to_array<std::pair<std::string_view, ComparisonOperator>>({
    {"==", ComparisonOperator::kEqual},
    {"!=", ComparisonOperator::kNotEqual},
    {"<", ComparisonOperator::kLess},
    {"<=", ComparisonOperator::kLessEqual},
    {">", ComparisonOperator::kGreater},
    {">=", ComparisonOperator::kGreaterEqual},
});

std::optional<BinaryOperator> sum_operator(const Token& token) {
  if (token.is_operator("+")) return BinaryOperator::kAdd;
  if (token.is_operator("-")) return BinaryOperator::kSubtract;
  return std::nullopt;
}

std::optional<BinaryOperator> product_operator(const Token& token) {
  if (token.is_operator("*")) return BinaryOperator::kMultiply;
  if (token.is_operator("/")) return BinaryOperator::kDivide;
  if (token.is_operator("//")) return BinaryOperator::kFloorDivide;
  if (token.is_operator("%")) return BinaryOperator::kModulo;
  return std::nullopt;
}

std::optional<BinaryOperator> power_operator(const Token& token) {
  if (token.is_operator("**")) return BinaryOperator::kPower;
  return std::nullopt;
}

}  // namespace

Result<void> ExpressionParser::expect(TokenKind kind, std::string_view text) {
  const Token& token = current();
  if (token.kind != kind || (kind == TokenKind::kOperator && token.text != text)) {
    return error(fmt::format("expected '{}', got {}", text, describe(token)));
  }
  advance();
  return {};
}

Result<void> ExpressionParser::expect_name(std::string_view name) {
  if (skip_name(name)) return {};
  return error(fmt::format("expected '{}', got {}", name, describe(current())));
}

bool ExpressionParser::skip_name(std::string_view name) {
  if (!current().is_name(name)) return false;
  advance();
  return true;
}

bool ExpressionParser::skip_operator(std::string_view op) {
  if (!current().is_operator(op)) return false;
  advance();
  return true;
}

std::unexpected<Error> ExpressionParser::error(std::string message) const {
  return fail(ErrorCode::kCorrupt, std::move(message), describe_place(source_, current().at));
}

std::unexpected<Error> ExpressionParser::refuse(std::string message) const {
  return fail(ErrorCode::kUnsupported, std::move(message), describe_place(source_, current().at));
}

std::unexpected<Error> ExpressionParser::too_deep() const {
  return fail(ErrorCode::kTooLarge, "the template nests too deeply",
              describe_place(source_, current().at));
}

Result<void> ExpressionParser::check_unknown() const {
  if (unknown_.empty()) return {};
  return fail(ErrorCode::kUnsupported, unknown_.front().message,
              describe_place(source_, unknown_.front().at));
}

NameId ExpressionParser::intern(const std::string& name) {
  const auto [found, is_new] = ids_.try_emplace(name, static_cast<NameId>(names_.size()));
  if (is_new) names_.push_back(name);
  return found->second;
}

bool ExpressionParser::Special::uses(std::string_view name) const {
  return std::ranges::find(read_, name) != read_.end();
}

void ExpressionParser::note_read(const std::string& name) {
  if (name != "caller" && name != "kwargs" && name != "varargs") return;
  for (Special* special = special_; special != nullptr; special = special->outer_) {
    const auto& assigned = special->assigned_;
    if (std::ranges::find(assigned, name) == assigned.end()) special->read_.push_back(name);
  }
}

void ExpressionParser::note_assigned(const std::string& name) {
  if (name != "caller" && name != "kwargs" && name != "varargs") return;
  for (Special* special = special_; special != nullptr; special = special->outer_) {
    special->assigned_.push_back(name);
  }
}

bool ExpressionParser::ends_tuple() const {
  const Token& token = current();
  return token.kind == TokenKind::kVariableEnd || token.kind == TokenKind::kBlockEnd ||
         token.is_operator(")");
}

Result<ExpressionPtr> ExpressionParser::tuple(TupleRules rules) {
  const Place at = current().at;
  SequenceLiteral out;
  out.is_tuple = true;
  bool has_comma = false;
  while (!ends_tuple()) {
    JARIP_TRY(ExpressionPtr item, expression(rules.conditional));
    out.items.push_back(std::move(item));
    if (!skip_operator(",")) {
      if (!has_comma) return std::move(out.items.front());
      break;
    }
    has_comma = true;
  }
  if (!has_comma && !rules.in_parentheses) {
    return error(fmt::format("expected an expression, got {}", describe(current())));
  }
  return make(std::move(out), at);
}

Result<ExpressionPtr> ExpressionParser::expression(bool conditional) {
  const Nesting nesting = nest();
  if (!nesting.ok()) return too_deep();
  const Place at = current().at;
  const std::size_t n_unknown = unknown_.size();
  JARIP_TRY(ExpressionPtr value, logic(true));
  if (!conditional || !current().is_name("if")) return value;
  // What a conditional expression holds counts only when it is reached.
  unknown_.resize(n_unknown);
  Conditional out;
  out.value = std::move(value);
  while (skip_name("if")) {
    const Soft soft(*this);
    JARIP_TRY(ExpressionPtr test, logic(true));
    out.tests.push_back(std::move(test));
    if (skip_name("else")) {
      JARIP_TRY(out.otherwise, expression());
      break;
    }
  }
  return make(std::move(out), at);
}

Result<ExpressionPtr> ExpressionParser::logic(bool is_or) {
  const Place at = current().at;
  Logic out;
  out.is_or = is_or;
  do {
    JARIP_TRY(ExpressionPtr operand, is_or ? logic(false) : negation());
    out.operands.push_back(std::move(operand));
  } while (skip_name(is_or ? "or" : "and"));
  if (out.operands.size() == 1) return std::move(out.operands.front());
  return make(std::move(out), at);
}

Result<ExpressionPtr> ExpressionParser::negation() {
  const Place at = current().at;
  if (!skip_name("not")) return comparison();
  const Nesting nesting = nest();
  if (!nesting.ok()) return too_deep();
  JARIP_TRY(ExpressionPtr operand, negation());
  return make(Unary{Unary::Operator::kNot, std::move(operand)}, at);
}

Result<ExpressionPtr> ExpressionParser::comparison() {
  const Place at = current().at;
  JARIP_TRY(ExpressionPtr first, sum());
  Comparison out;
  while (true) {
    const Token& token = current();
    const Place step_at = token.at;
    std::optional<ComparisonOperator> op;
    if (token.is_name("in")) op = ComparisonOperator::kIn;
    if (token.is_name("not") && look_ahead().is_name("in")) {
      op = ComparisonOperator::kNotIn;
      advance();
    }
    for (const auto& [symbol, meaning] : kComparisons) {
      if (token.is_operator(symbol)) op = meaning;
    }
    if (!op) break;
    advance();
    JARIP_TRY(ExpressionPtr operand, sum());
    out.rest.push_back({*op, std::move(operand), step_at});
  }
  if (out.rest.empty()) return first;
  out.first = std::move(first);
  return make(std::move(out), at);
}

template <class Find>
Result<ExpressionPtr> ExpressionParser::arithmetic(
    Result<ExpressionPtr> (ExpressionParser::*operand)(), Find find_operator) {
  const Place at = current().at;
  JARIP_TRY(ExpressionPtr first, (this->*operand)());
  Arithmetic out;
  while (const std::optional<BinaryOperator> op = find_operator(current())) {
    const Place step_at = current().at;
    advance();
    JARIP_TRY(ExpressionPtr next, (this->*operand)());
    out.rest.push_back({*op, std::move(next), step_at});
  }
  if (out.rest.empty()) return first;
  out.first = std::move(first);
  return make(std::move(out), at);
}

Result<ExpressionPtr> ExpressionParser::sum() {
  return arithmetic(&ExpressionParser::concatenation, sum_operator);
}

Result<ExpressionPtr> ExpressionParser::concatenation() {
  const Place at = current().at;
  Concatenation out;
  do {
    JARIP_TRY(ExpressionPtr part, product());
    out.parts.push_back(std::move(part));
  } while (skip_operator("~"));
  if (out.parts.size() == 1) return std::move(out.parts.front());
  return make(std::move(out), at);
}

Result<ExpressionPtr> ExpressionParser::product() {
  return arithmetic(&ExpressionParser::power, product_operator);
}

// From the left, unlike Python: 2 ** 3 ** 2 is 64.
Result<ExpressionPtr> ExpressionParser::power() {
  return arithmetic(&ExpressionParser::factor, power_operator);
}

Result<ExpressionPtr> ExpressionParser::factor() { return unary(true); }

Result<ExpressionPtr> ExpressionParser::unary(bool with_filters) {
  const Place at = current().at;
  const bool minus = current().is_operator("-");
  if (!minus && !current().is_operator("+")) {
    JARIP_TRY(ExpressionPtr base, primary());
    return postfix(std::move(base), with_filters);
  }
  const Nesting nesting = nest();
  if (!nesting.ok()) return too_deep();
  advance();
  JARIP_TRY(ExpressionPtr operand, unary(false));
  const auto op = minus ? Unary::Operator::kNegate : Unary::Operator::kPlus;
  return postfix(make(Unary{op, std::move(operand)}, at), with_filters);
}

Result<ExpressionPtr> ExpressionParser::primary() {
  const Token& token = current();
  const Place at = token.at;
  switch (token.kind) {
    case TokenKind::kName:
      return name_or_constant();
    case TokenKind::kString: {
      std::string text;
      for (; current().kind == TokenKind::kString; advance()) text += current().text;
      return make(Literal{Value::literal(text)}, at);
    }
    case TokenKind::kInteger: {
      const Value value = Value::from(token.integer, false);
      advance();
      return make(Literal{value}, at);
    }
    case TokenKind::kFloat: {
      const Value value = Value::from(token.number, false);
      advance();
      return make(Literal{value}, at);
    }
    default:
      break;
  }
  if (token.is_operator("[")) return list();
  if (token.is_operator("{")) return dict();
  if (!skip_operator("(")) return error(fmt::format("unexpected {}", describe(token)));
  JARIP_TRY(ExpressionPtr out, tuple({.in_parentheses = true}));
  JARIP_CHECK(expect(TokenKind::kOperator, ")"));
  return out;
}

Result<ExpressionPtr> ExpressionParser::name_or_constant() {
  const Token token = current();
  advance();
  if (token.text == "true" || token.text == "True") {
    return make(Literal{Value::from(true)}, token.at);
  }
  if (token.text == "false" || token.text == "False") {
    return make(Literal{Value::from(false)}, token.at);
  }
  if (is_constant_name(token.text)) return make(Literal{Value::none()}, token.at);
  note_read(token.text);
  return make(NameLoad{intern(token.text)}, token.at);
}

Result<ExpressionPtr> ExpressionParser::list() {
  const Place at = current().at;
  advance();
  SequenceLiteral out;
  while (!current().is_operator("]")) {
    if (!out.items.empty()) {
      JARIP_CHECK(expect(TokenKind::kOperator, ","));
      if (current().is_operator("]")) break;
    }
    JARIP_TRY(ExpressionPtr item, expression());
    out.items.push_back(std::move(item));
  }
  advance();
  return make(std::move(out), at);
}

Result<ExpressionPtr> ExpressionParser::dict() {
  const Place at = current().at;
  advance();
  DictLiteral out;
  while (!current().is_operator("}")) {
    if (!out.entries.empty()) {
      JARIP_CHECK(expect(TokenKind::kOperator, ","));
      if (current().is_operator("}")) break;
    }
    JARIP_TRY(ExpressionPtr key, expression());
    JARIP_CHECK(expect(TokenKind::kOperator, ":"));
    JARIP_TRY(ExpressionPtr value, expression());
    out.entries.emplace_back(std::move(key), std::move(value));
  }
  advance();
  return make(std::move(out), at);
}

Result<ExpressionPtr> ExpressionParser::postfix(ExpressionPtr base, bool with_filters) {
  const Place at = base->at;
  Postfix out;
  bool filtered = false;  // after a filter or test, only calls and more of them may follow
  while (true) {
    const Token& token = current();
    if (!filtered && (token.is_operator(".") || token.is_operator("["))) {
      JARIP_CHECK(subscript(out.steps));
    } else if (token.is_operator("(")) {
      // What is called says more in a message than the bracket.
      const Place call_at = out.steps.empty() ? at : out.steps.back().at;
      JARIP_TRY(CallArguments arguments, call_arguments());
      out.steps.push_back({CallStep{std::move(arguments)}, call_at});
    } else if (with_filters && token.is_operator("|")) {
      filtered = true;
      advance();
      JARIP_CHECK(filter(out.steps));
    } else if (with_filters && token.is_name("is")) {
      filtered = true;
      advance();
      JARIP_CHECK(test(out.steps));
    } else {
      break;
    }
  }
  if (out.steps.empty()) return base;
  out.base = std::move(base);
  return make(std::move(out), at);
}

Result<void> ExpressionParser::subscript(std::vector<PostfixStep>& steps) {
  const Place at = current().at;
  if (skip_operator(".")) {
    const Token token = current();
    advance();
    if (token.kind == TokenKind::kName) {
      steps.push_back({AttributeStep{token.text}, at});
      return {};
    }
    if (token.kind != TokenKind::kInteger) return error("expected a name or a number");
    steps.push_back({ItemStep{make(Literal{Value::from(token.integer, false)}, at)}, at});
    return {};
  }
  advance();
  std::vector<PostfixStep> keys;
  while (!current().is_operator("]")) {
    if (!keys.empty()) JARIP_CHECK(expect(TokenKind::kOperator, ","));
    JARIP_TRY(PostfixStep key, item_or_slice(at));
    keys.push_back(std::move(key));
  }
  advance();
  if (keys.size() == 1) {
    steps.push_back(std::move(keys.front()));
    return {};
  }
  SequenceLiteral several;
  several.is_tuple = true;
  for (PostfixStep& key : keys) {
    auto* item = std::get_if<ItemStep>(&key.kind);
    if (item == nullptr) return error("a slice can't be one of several subscripts");
    several.items.push_back(std::move(item->key));
  }
  steps.push_back({ItemStep{make(std::move(several), at)}, at});
  return {};
}

Result<PostfixStep> ExpressionParser::item_or_slice(Place at) {
  const auto part_follows = [&] {
    return !current().is_operator(":") && !current().is_operator("]") &&
           !current().is_operator(",");
  };
  SliceStep slice;
  if (!current().is_operator(":")) {
    JARIP_TRY(slice.start, expression());
    if (!current().is_operator(":")) {
      return PostfixStep{ItemStep{std::move(slice.start)}, at};
    }
  }
  advance();
  if (part_follows()) {
    JARIP_TRY(slice.stop, expression());
  }
  if (skip_operator(":") && part_follows()) {
    JARIP_TRY(slice.step, expression());
  }
  return PostfixStep{std::move(slice), at};
}

Result<CallArguments> ExpressionParser::call_arguments() {
  JARIP_CHECK(expect(TokenKind::kOperator, "("));
  CallArguments out;
  bool first = true;
  while (!current().is_operator(")")) {
    if (!first) {
      JARIP_CHECK(expect(TokenKind::kOperator, ","));
      if (current().is_operator(")")) break;
    }
    first = false;
    JARIP_CHECK(call_argument(out));
  }
  advance();
  return out;
}

Result<void> ExpressionParser::call_argument(CallArguments& out) {
  constexpr std::string_view kOrder = "arguments are out of order in a call";
  if (skip_operator("*")) {
    if (out.more_positional || out.more_named) return error(std::string(kOrder));
    JARIP_TRY(out.more_positional, expression());
    return {};
  }
  if (skip_operator("**")) {
    if (out.more_named) return error(std::string(kOrder));
    JARIP_TRY(out.more_named, expression());
    return {};
  }
  if (current().kind == TokenKind::kName && look_ahead().is_operator("=")) {
    if (out.more_named) return error(std::string(kOrder));
    const std::string name = current().text;
    const bool repeated = std::ranges::any_of(
        out.named, [&](const auto& argument) { return argument.first == name; });
    if (repeated) return error(fmt::format("the argument '{}' is repeated", name));
    advance();
    advance();
    JARIP_TRY(ExpressionPtr value, expression());
    out.named.emplace_back(name, std::move(value));
    return {};
  }
  if (out.more_positional || out.more_named || !out.named.empty()) {
    return error(std::string(kOrder));
  }
  JARIP_TRY(ExpressionPtr value, expression());
  out.positional.push_back(std::move(value));
  return {};
}

Result<std::string> ExpressionParser::dotted_name() {
  std::string out;
  while (true) {
    if (current().kind != TokenKind::kName) {
      return error(fmt::format("expected a name, got {}", describe(current())));
    }
    out += current().text;
    advance();
    if (!skip_operator(".")) return out;
    out += '.';
  }
}

Result<void> ExpressionParser::filter(std::vector<PostfixStep>& steps) {
  const Place at = current().at;
  FilterStep step;
  const Place name_at = current().at;
  JARIP_TRY(step.name, dotted_name());
  if (!soft_ && find_filter(step.name) == nullptr) {
    unknown_.push_back({fmt::format("the filter '{}' is not supported", step.name), name_at});
  }
  if (current().is_operator("(")) {
    JARIP_TRY(step.arguments, call_arguments());
  }
  steps.push_back({std::move(step), at});
  return {};
}

Result<ExpressionPtr> ExpressionParser::block_filter() {
  const Place at = current().at;
  Postfix out;
  do {
    JARIP_CHECK(filter(out.steps));
  } while (skip_operator("|"));
  return make(std::move(out), at);
}

Result<void> ExpressionParser::test(std::vector<PostfixStep>& steps) {
  const Place at = current().at;
  TestStep step;
  step.negated = skip_name("not");
  const Place name_at = current().at;
  JARIP_TRY(step.name, dotted_name());
  if (!soft_ && find_test(step.name) == nullptr) {
    unknown_.push_back({fmt::format("the test '{}' is not supported", step.name), name_at});
  }
  const Token& token = current();
  const bool starts_value = token.kind == TokenKind::kName || token.kind == TokenKind::kString ||
                            token.kind == TokenKind::kInteger || token.kind == TokenKind::kFloat ||
                            token.is_operator("[") || token.is_operator("{");
  if (token.is_operator("(")) {
    JARIP_TRY(step.arguments, call_arguments());
  } else if (starts_value && !token.is_name("else") && !token.is_name("or") &&
             !token.is_name("and")) {
    if (token.is_name("is")) return error("tests can't be chained with 'is'");
    JARIP_TRY(ExpressionPtr base, primary());
    JARIP_TRY(ExpressionPtr argument, postfix(std::move(base), false));
    step.arguments.positional.push_back(std::move(argument));
  }
  steps.push_back({std::move(step), at});
  return {};
}

Result<NameId> ExpressionParser::assigned_name() {
  const Token token = current();
  if (token.kind != TokenKind::kName || is_constant_name(token.text)) {
    return error(fmt::format("can't assign to {}", describe(token)));
  }
  advance();
  note_assigned(token.text);
  return intern(token.text);
}

Result<Target> ExpressionParser::target(TargetRules rules) { return target_list(rules, false); }

Result<Target> ExpressionParser::target_list(TargetRules rules, bool in_parentheses) {
  const Nesting nesting = nest();
  if (!nesting.ok()) return too_deep();
  const Place at = current().at;
  std::vector<Target> targets;
  bool has_comma = false;
  while (!ends_tuple()) {
    JARIP_TRY(Target single, single_target(rules));
    targets.push_back(std::move(single));
    if (!skip_operator(",")) {
      if (!has_comma) return std::move(targets.front());
      break;
    }
    has_comma = true;
  }
  if (!has_comma && !in_parentheses) {
    return error(fmt::format("expected a name, got {}", describe(current())));
  }
  return Target{std::move(targets), at};
}

Result<Target> ExpressionParser::single_target(TargetRules rules) {
  const Token token = current();
  if (skip_operator("(")) {
    JARIP_TRY(Target several, target_list({.parameter = rules.parameter}, true));
    JARIP_CHECK(expect(TokenKind::kOperator, ")"));
    return several;
  }
  if (rules.namespaces && token.kind == TokenKind::kName && look_ahead().is_operator(".") &&
      !is_constant_name(token.text)) {
    advance();
    advance();
    const Token attribute = current();
    if (attribute.kind != TokenKind::kName) return error("expected a name after '.'");
    advance();
    note_read(token.text);
    return Target{Target::NamespaceAttribute{intern(token.text), attribute.text}, token.at};
  }
  if (token.is_name("loop") && n_for_ > 0 && !rules.parameter) {
    return error("can't assign to the special variable 'loop' in a for loop");
  }
  JARIP_TRY(const NameId name, assigned_name());
  return Target{name, token.at};
}

}  // namespace jarip::jinja
