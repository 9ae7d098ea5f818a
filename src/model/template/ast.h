// What the parser makes of a template. Immutable once parsed; owned from the top down. Chains of
// equal operators, of filters and of elifs are lists and not trees, so nothing here nests deeper
// than the template's own brackets and blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "model/template/operators.h"
#include "model/template/value.h"

namespace jarip::jinja {

struct Expression;
struct Statement;
using ExpressionPtr = std::unique_ptr<Expression>;
using Body = std::vector<Statement>;
using Place = std::uint32_t;   // an offset in the source
using NameId = std::uint32_t;  // index into Program::names

struct Literal {
  Value value;
};
struct NameLoad {
  NameId name = 0;
};
struct SequenceLiteral {
  std::vector<ExpressionPtr> items;
  bool is_tuple = false;
};
struct DictLiteral {
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> entries;
};
struct Unary {
  enum class Operator : std::uint8_t { kNot, kNegate, kPlus } op = Operator::kNot;
  ExpressionPtr operand;
};
struct Arithmetic {  // first op second op third, from the left
  struct Step {
    BinaryOperator op = BinaryOperator::kAdd;
    ExpressionPtr operand;
    Place at = 0;
  };
  ExpressionPtr first;
  std::vector<Step> rest;
};
struct Concatenation {
  std::vector<ExpressionPtr> parts;
};
struct Logic {
  bool is_or = false;
  std::vector<ExpressionPtr> operands;
};
struct Comparison {  // a < b <= c
  enum class Operator : std::uint8_t {
    kEqual,
    kNotEqual,
    kLess,
    kLessEqual,
    kGreater,
    kGreaterEqual,
    kIn,
    kNotIn
  };
  struct Step {
    Operator op = Operator::kEqual;
    ExpressionPtr operand;
    Place at = 0;
  };
  ExpressionPtr first;
  std::vector<Step> rest;
};
struct Conditional {  // value if tests[0] if tests[1] else otherwise
  ExpressionPtr value;
  std::vector<ExpressionPtr> tests;  // the last is asked first
  ExpressionPtr otherwise;           // of the last test; null: undefined
};

struct CallArguments {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  ExpressionPtr more_positional;  // *values; may be null
  ExpressionPtr more_named;       // **values; may be null
};
struct AttributeStep {
  std::string name;
};
struct ItemStep {
  ExpressionPtr key;
};
struct SliceStep {
  ExpressionPtr start;  // each may be null
  ExpressionPtr stop;
  ExpressionPtr step;
};
struct CallStep {
  CallArguments arguments;
};
struct FilterStep {
  std::string name;
  CallArguments arguments;
};
struct TestStep {
  std::string name;
  CallArguments arguments;
  bool negated = false;
};
struct PostfixStep {
  std::variant<AttributeStep, ItemStep, SliceStep, CallStep, FilterStep, TestStep> kind;
  Place at = 0;
};
struct Postfix {
  ExpressionPtr base;  // null: what a filter block or a set block has made
  std::vector<PostfixStep> steps;
};

struct Expression {
  std::variant<Literal, NameLoad, SequenceLiteral, DictLiteral, Unary, Arithmetic, Concatenation,
               Logic, Comparison, Conditional, Postfix>
      kind;
  Place at = 0;
};

// What is assigned to: a name, an attribute of a namespace, or several of them.
struct Target {
  struct NamespaceAttribute {
    NameId name = 0;
    std::string attribute;
  };
  std::variant<NameId, NamespaceAttribute, std::vector<Target>> kind;
  Place at = 0;
};

// The body of something that makes a scope of its own. hidden: names that it assigns before it
// reads them; until then they are undefined inside, whatever the context holds.
struct Scope {
  Body body;
  std::vector<NameId> hidden;
};

struct TextOutput {
  Value text;
};
struct Print {
  ExpressionPtr value;
};
struct For {
  Target target;
  ExpressionPtr iterable;
  ExpressionPtr filter;  // may be null
  Scope body;
  std::optional<Scope> otherwise;
  bool recursive = false;
};
struct If {
  std::vector<std::pair<ExpressionPtr, Body>> branches;
  Body otherwise;
};
struct Set {
  Target target;
  ExpressionPtr value;
};
struct SetBlock {
  Target target;
  ExpressionPtr filter;  // a Postfix without base; may be null
  Scope body;
};
struct MacroDefinition {
  std::string name;
  std::vector<NameId> parameters;
  std::vector<ExpressionPtr> defaults;  // of the last parameters
  Scope body;
  bool uses_caller = false;
  bool uses_named = false;       // kwargs
  bool uses_positional = false;  // varargs
};
struct Macro {
  NameId name = 0;
  MacroDefinition definition;
};
struct CallBlock {
  ExpressionPtr call;  // a Postfix that ends in a call
  MacroDefinition caller;
};
struct FilterBlock {
  ExpressionPtr filter;
  Scope body;
};
struct With {
  std::vector<std::pair<Target, ExpressionPtr>> bindings;
  Scope body;
};
struct Generation {  // {% generation %}: marks what the model says; its body is simply printed
  Scope body;
};
struct Break {};
struct Continue {};

struct Statement {
  std::variant<TextOutput, Print, For, If, Set, SetBlock, Macro, CallBlock, FilterBlock, With,
               Generation, Break, Continue>
      kind;
  Place at = 0;
};

struct Program {
  std::string source;  // for places in messages
  std::vector<std::string> names;
  Scope body;
};

}  // namespace jarip::jinja
