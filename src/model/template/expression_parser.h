// The expressions of a template, and the tokens and names that statements share with them.
// Used by the parser only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "model/chat_template.h"
#include "model/template/ast.h"
#include "model/template/budget.h"
#include "model/template/lexer.h"

namespace jarip::jinja {

class ExpressionParser {
 public:
  ExpressionParser(std::string_view source, std::vector<Token> tokens, const TemplateLimits& limits)
      : source_(source), tokens_(std::move(tokens)), max_depth_(limits.max_depth) {}

  [[nodiscard]] const Token& current() const { return tokens_[next_]; }
  [[nodiscard]] const Token& look_ahead() const {
    return tokens_[next_ + 1 < tokens_.size() ? next_ + 1 : next_];
  }
  void advance() {
    if (next_ + 1 < tokens_.size()) ++next_;
  }
  [[nodiscard]] Result<void> expect(TokenKind kind, std::string_view text);
  [[nodiscard]] Result<void> expect_name(std::string_view name);
  bool skip_name(std::string_view name);
  bool skip_operator(std::string_view op);

  // At the current token.
  [[nodiscard]] std::unexpected<Error> error(std::string message) const;
  [[nodiscard]] std::unexpected<Error> refuse(std::string message) const;
  [[nodiscard]] std::unexpected<Error> too_deep() const;
  // An error if a filter or test that must exist does not.
  [[nodiscard]] Result<void> check_unknown() const;
  [[nodiscard]] Nesting nest() { return {depth_, max_depth_}; }

  [[nodiscard]] const std::string& name(NameId id) const { return names_[id]; }
  [[nodiscard]] std::vector<std::string> take_names() { return std::move(names_); }

  struct TupleRules {
    bool conditional = true;      // "a if b" is allowed
    bool in_parentheses = false;  // then it may be empty
  };
  [[nodiscard]] Result<ExpressionPtr> tuple(TupleRules rules);
  [[nodiscard]] Result<ExpressionPtr> tuple() { return tuple(TupleRules()); }
  [[nodiscard]] Result<ExpressionPtr> expression(bool conditional = true);
  // name(arguments)|name…, for what a block has made.
  [[nodiscard]] Result<ExpressionPtr> block_filter();

  struct TargetRules {
    bool namespaces = false;  // "ns.name" is allowed
    bool parameter = false;   // of a with block: not an assignment
  };
  [[nodiscard]] Result<Target> target(TargetRules rules);
  [[nodiscard]] Result<NameId> assigned_name();

  // Inside if, a filter or test that does not exist is an error only when it is reached; inside a
  // scope of its own it is an error at once. For as long as one lives.
  class Strictness {
   public:
    Strictness(ExpressionParser& parser, bool soft) : parser_(parser), outer_(parser.soft_) {
      parser.soft_ = soft;
    }
    ~Strictness() { parser_.soft_ = outer_; }
    Strictness(const Strictness&) = delete;
    Strictness& operator=(const Strictness&) = delete;

   private:
    ExpressionParser& parser_;
    bool outer_;
  };
  class Soft : Strictness {
   public:
    explicit Soft(ExpressionParser& parser) : Strictness(parser, true) {}
  };
  class Hard : Strictness {
   public:
    explicit Hard(ExpressionParser& parser) : Strictness(parser, false) {}
  };
  // Inside a for loop, where "loop" can't be assigned.
  class InsideFor {
   public:
    explicit InsideFor(ExpressionParser& parser) : parser_(parser) { ++parser_.n_for_; }
    ~InsideFor() { --parser_.n_for_; }
    InsideFor(const InsideFor&) = delete;
    InsideFor& operator=(const InsideFor&) = delete;

   private:
    ExpressionParser& parser_;
  };
  // Notes which of caller, kwargs and varargs a macro's body reads before it assigns them.
  class Special {
   public:
    explicit Special(ExpressionParser& parser) : parser_(parser), outer_(parser.special_) {
      parser_.special_ = this;
    }
    ~Special() { parser_.special_ = outer_; }
    Special(const Special&) = delete;
    Special& operator=(const Special&) = delete;
    [[nodiscard]] bool uses(std::string_view name) const;

   private:
    friend class ExpressionParser;
    ExpressionParser& parser_;
    Special* outer_;
    std::vector<std::string> read_;
    std::vector<std::string> assigned_;
  };

 private:
  Result<ExpressionPtr> logic(bool is_or);
  Result<ExpressionPtr> negation();
  Result<ExpressionPtr> comparison();
  Result<ExpressionPtr> sum();
  Result<ExpressionPtr> concatenation();
  Result<ExpressionPtr> product();
  Result<ExpressionPtr> power();
  Result<ExpressionPtr> factor();
  Result<ExpressionPtr> unary(bool with_filters);
  Result<ExpressionPtr> primary();
  Result<ExpressionPtr> name_or_constant();
  Result<ExpressionPtr> list();
  Result<ExpressionPtr> dict();
  Result<ExpressionPtr> postfix(ExpressionPtr base, bool with_filters);
  Result<void> subscript(std::vector<PostfixStep>& steps);
  Result<PostfixStep> item_or_slice(Place at);
  Result<CallArguments> call_arguments();
  Result<void> call_argument(CallArguments& out);
  Result<std::string> dotted_name();
  Result<void> filter(std::vector<PostfixStep>& steps);
  Result<void> test(std::vector<PostfixStep>& steps);
  Result<Target> single_target(TargetRules rules);
  Result<Target> target_list(TargetRules rules, bool in_parentheses);

  template <class Find>
  Result<ExpressionPtr> arithmetic(Result<ExpressionPtr> (ExpressionParser::*operand)(),
                                   Find find_operator);
  [[nodiscard]] bool ends_tuple() const;
  NameId intern(const std::string& name);
  void note_read(const std::string& name);
  void note_assigned(const std::string& name);

  std::string_view source_;
  std::vector<Token> tokens_;
  std::size_t next_ = 0;
  std::uint32_t max_depth_;
  std::uint32_t depth_ = 0;
  bool soft_ = false;
  struct Unknown {
    std::string message;
    Place at = 0;
  };
  std::vector<Unknown> unknown_;
  int n_for_ = 0;
  Special* special_ = nullptr;
  std::vector<std::string> names_;
  std::unordered_map<std::string, NameId> ids_;
};

}  // namespace jarip::jinja
