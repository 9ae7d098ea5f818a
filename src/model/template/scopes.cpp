#include "model/template/scopes.h"

#include <algorithm>
#include <span>
#include <unordered_set>

namespace jarip::jinja {
namespace {

// The names that one scope mentions, in the order in which Jinja's compiler sees them.
class Mentions {
 public:
  explicit Mentions(const Mentions* outer) : outer_(outer) {}

  void parameter(NameId name) { mentioned_.insert(name); }
  void load(NameId name) { mentioned_.insert(name); }
  // sure: it happens whatever branch is taken.
  void store(NameId name, bool sure) {
    const bool is_first = mentioned_.insert(name).second;
    if (is_first && sure && (outer_ == nullptr || !outer_->has(name))) hidden_.push_back(name);
  }
  [[nodiscard]] std::vector<NameId> take_hidden() { return std::move(hidden_); }

 private:
  [[nodiscard]] bool has(NameId name) const {
    for (const Mentions* scope = this; scope != nullptr; scope = scope->outer_) {
      if (scope->mentioned_.contains(name)) return true;
    }
    return false;
  }

  const Mentions* outer_;
  std::unordered_set<NameId> mentioned_;
  std::vector<NameId> hidden_;
};

class ExpressionVisitor {
 public:
  explicit ExpressionVisitor(Mentions& mentions) : mentions_(mentions) {}

  void visit(const ExpressionPtr& expression) {
    if (expression) std::visit(*this, expression->kind);
  }
  void visit(const std::vector<ExpressionPtr>& expressions) {
    for (const ExpressionPtr& expression : expressions) visit(expression);
  }

  void operator()(const Literal&) {}
  void operator()(const NameLoad& load) { mentions_.load(load.name); }
  void operator()(const SequenceLiteral& sequence) { visit(sequence.items); }
  void operator()(const DictLiteral& dict) {
    for (const auto& [key, value] : dict.entries) {
      visit(key);
      visit(value);
    }
  }
  void operator()(const Unary& unary) { visit(unary.operand); }
  void operator()(const Arithmetic& arithmetic) {
    visit(arithmetic.first);
    for (const auto& step : arithmetic.rest) visit(step.operand);
  }
  void operator()(const Concatenation& concatenation) { visit(concatenation.parts); }
  void operator()(const Logic& logic) { visit(logic.operands); }
  void operator()(const Comparison& comparison) {
    visit(comparison.first);
    for (const auto& step : comparison.rest) visit(step.operand);
  }
  void operator()(const Conditional& conditional) {
    visit(conditional.tests);
    visit(conditional.value);
    visit(conditional.otherwise);
  }
  void operator()(const Postfix& postfix) {
    visit(postfix.base);
    for (const PostfixStep& step : postfix.steps) std::visit(*this, step.kind);
  }

  void operator()(const AttributeStep&) {}
  void operator()(const ItemStep& item) { visit(item.key); }
  void operator()(const SliceStep& slice) {
    visit(slice.start);
    visit(slice.stop);
    visit(slice.step);
  }
  void operator()(const CallStep& call) { visit_arguments(call.arguments); }
  void operator()(const FilterStep& filter) { visit_arguments(filter.arguments); }
  void operator()(const TestStep& test) { visit_arguments(test.arguments); }

 private:
  void visit_arguments(const CallArguments& arguments) {
    visit(arguments.positional);
    for (const auto& [_, value] : arguments.named) visit(value);
    visit(arguments.more_positional);
    visit(arguments.more_named);
  }

  Mentions& mentions_;
};

// Two passes over a scope: what it mentions itself, then the scopes inside it, which need to know
// all of that.
class ScopeVisitor {
 public:
  explicit ScopeVisitor(const Mentions* outer) : mentions_(outer), expressions_(mentions_) {}

  Mentions& mentions() { return mentions_; }
  ExpressionVisitor& expressions() { return expressions_; }

  void run(Scope& scope) {
    mention(scope.body, true);
    enter(scope.body);
    scope.hidden = mentions_.take_hidden();
  }

  void parameters(const Target& target) {
    if (const auto* name = std::get_if<NameId>(&target.kind)) mentions_.parameter(*name);
    if (const auto* several = std::get_if<std::vector<Target>>(&target.kind)) {
      for (const Target& part : *several) parameters(part);
    }
  }

 private:
  void assign(const Target& target, bool sure) {
    if (const auto* name = std::get_if<NameId>(&target.kind)) mentions_.store(*name, sure);
    if (const auto* attribute = std::get_if<Target::NamespaceAttribute>(&target.kind)) {
      mentions_.load(attribute->name);
    }
    if (const auto* several = std::get_if<std::vector<Target>>(&target.kind)) {
      for (const Target& part : *several) assign(part, sure);
    }
  }

  void mention(const Body& body, bool sure) {
    for (const Statement& statement : body) {
      std::visit([&](const auto& kind) { mention_one(kind, sure); }, statement.kind);
    }
  }
  template <class Other>
  void mention_one(const Other&, bool) {}
  void mention_one(const Print& print, bool) { expressions_.visit(print.value); }
  void mention_one(const For& loop, bool) { expressions_.visit(loop.iterable); }
  void mention_one(const If& choice, bool) {
    for (const auto& [test, body] : choice.branches) {
      expressions_.visit(test);
      mention(body, false);
    }
    mention(choice.otherwise, false);
  }
  void mention_one(const Set& set, bool sure) {
    expressions_.visit(set.value);
    assign(set.target, sure);
  }
  void mention_one(const SetBlock& block, bool sure) { assign(block.target, sure); }
  void mention_one(const Macro& macro, bool sure) { mentions_.store(macro.name, sure); }
  void mention_one(const CallBlock& block, bool) { expressions_.visit(block.call); }
  void mention_one(const FilterBlock& block, bool) { expressions_.visit(block.filter); }
  void mention_one(const With& with, bool) {
    for (const auto& [_, value] : with.bindings) expressions_.visit(value);
  }

  void enter(Body& body) {
    for (Statement& statement : body) {
      std::visit([&](auto& kind) { enter_one(kind); }, statement.kind);
    }
  }
  template <class Other>
  void enter_one(Other&) {}
  void enter_one(If& choice) {
    for (auto& [_, body] : choice.branches) enter(body);
    enter(choice.otherwise);
  }
  void enter_one(For& loop) {
    ScopeVisitor inside(&mentions_);
    inside.parameters(loop.target);
    inside.run(loop.body);
    if (loop.otherwise) ScopeVisitor(&mentions_).run(*loop.otherwise);
  }
  void enter_one(SetBlock& block) { ScopeVisitor(&mentions_).run(block.body); }
  void enter_one(Macro& macro) { enter_macro(macro.definition); }
  void enter_one(CallBlock& block) { enter_macro(block.caller); }
  void enter_one(FilterBlock& block) { ScopeVisitor(&mentions_).run(block.body); }
  void enter_one(With& with) {
    ScopeVisitor inside(&mentions_);
    for (const auto& [target, _] : with.bindings) inside.parameters(target);
    inside.run(with.body);
  }
  void enter_one(Generation& block) { ScopeVisitor(&mentions_).run(block.body); }

  void enter_macro(MacroDefinition& macro) {
    ScopeVisitor inside(&mentions_);
    for (const NameId parameter : macro.parameters) inside.mentions().parameter(parameter);
    inside.expressions().visit(macro.defaults);
    inside.run(macro.body);
  }

  Mentions mentions_;
  ExpressionVisitor expressions_;
};

}  // namespace

void find_hidden_names(Program& program) { ScopeVisitor(nullptr).run(program.body); }

}  // namespace jarip::jinja
