#include "model/template/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <unordered_map>

#include "model/template/builtins.h"
#include "model/template/expression_parser.h"
#include "model/template/lexer.h"
#include "model/template/scopes.h"

namespace jarip::jinja {
namespace {

constexpr auto kRefusedTags = std::to_array<std::string_view>(
    {"autoescape", "block", "do", "extends", "from", "import", "include", "trans"});

class StatementParser {
 public:
  StatementParser(std::string_view source, std::vector<Token> tokens, const TemplateLimits& limits)
      : parse_(source, std::move(tokens), limits) {}

  Result<Program> run() {
    Program program;
    JARIP_TRY(program.body.body, body({}));
    JARIP_CHECK(parse_.check_unknown());
    program.names = parse_.take_names();
    return program;
  }

 private:
  // Statements up to one of the end tags, whose name is then the current token.
  Result<Body> body(std::initializer_list<std::string_view> ends) {
    const Nesting nesting = parse_.nest();
    if (!nesting.ok()) return parse_.too_deep();
    Body out;
    while (true) {
      const Token& token = parse_.current();
      switch (token.kind) {
        case TokenKind::kEnd:
          if (ends.size() == 0) return out;
          return parse_.error(
              fmt::format("unexpected end of template, expected {}", fmt::join(ends, " or ")));
        case TokenKind::kText:
          out.push_back({TextOutput{Value::literal(token.text)}, token.at});
          parse_.advance();
          break;
        case TokenKind::kVariableBegin: {
          const Place at = token.at;
          parse_.advance();
          JARIP_TRY(ExpressionPtr value, parse_.tuple());
          out.push_back({Print{std::move(value)}, at});
          JARIP_CHECK(parse_.expect(TokenKind::kVariableEnd, "}}"));
          break;
        }
        default: {
          JARIP_CHECK(parse_.expect(TokenKind::kBlockBegin, "{%"));
          const bool ended = std::ranges::any_of(
              ends, [&](std::string_view end) { return parse_.current().is_name(end); });
          if (ended) return out;
          JARIP_CHECK(statement(out));
          JARIP_CHECK(parse_.expect(TokenKind::kBlockEnd, "%}"));
        }
      }
    }
  }

  // The body of a block, from the end of its opening tag on.
  Result<Body> block_body(std::initializer_list<std::string_view> ends) {
    if (parse_.current().is_operator(":")) parse_.advance();
    JARIP_CHECK(parse_.expect(TokenKind::kBlockEnd, "%}"));
    return body(ends);
  }

  // The same for a body that is a scope of its own, its end tag's name included.
  Result<Scope> scope_body(std::string_view end) {
    const ExpressionParser::Hard hard(parse_);
    Scope scope;
    JARIP_TRY(scope.body, block_body({end}));
    parse_.advance();
    return scope;
  }

  Result<void> statement(Body& out) {
    const Token tag = parse_.current();
    if (tag.kind != TokenKind::kName) return parse_.error("tag name expected");
    for (const auto& [name, parse] : kStatements) {
      if (tag.text != name) continue;
      parse_.advance();
      const std::size_t before = out.size();
      JARIP_CHECK((this->*parse)(out));
      for (std::size_t i = before; i < out.size(); ++i) out[i].at = tag.at;
      return {};
    }
    if (std::ranges::find(kRefusedTags, tag.text) != kRefusedTags.end()) {
      return parse_.refuse(fmt::format("the tag '{}' is not supported", tag.text));
    }
    return parse_.error(fmt::format("unknown tag '{}'", tag.text));
  }

  Result<void> parse_for(Body& out) {
    For loop;
    const ExpressionParser::InsideFor inside(parse_);
    JARIP_TRY(loop.target, parse_.target({}));
    JARIP_CHECK(parse_.expect_name("in"));
    JARIP_TRY(loop.iterable, parse_.tuple({.conditional = false}));
    const ExpressionParser::Hard hard(parse_);
    if (parse_.skip_name("if")) {
      JARIP_TRY(loop.filter, parse_.expression());
    }
    loop.recursive = parse_.skip_name("recursive");
    ++n_loops_;
    JARIP_TRY(loop.body.body, block_body({"endfor", "else"}));
    --n_loops_;
    const bool has_else = parse_.current().is_name("else");
    parse_.advance();
    if (has_else) {
      JARIP_TRY(loop.otherwise, scope_body("endfor"));
    }
    out.push_back({std::move(loop), 0});
    return {};
  }

  Result<void> parse_if(Body& out) {
    If choice;
    const ExpressionParser::Soft soft(parse_);
    while (true) {
      JARIP_TRY(ExpressionPtr test, parse_.tuple({.conditional = false}));
      JARIP_TRY(Body chosen, block_body({"elif", "else", "endif"}));
      choice.branches.emplace_back(std::move(test), std::move(chosen));
      if (!parse_.skip_name("elif")) break;
    }
    const bool has_else = parse_.current().is_name("else");
    parse_.advance();
    if (has_else) {
      JARIP_TRY(choice.otherwise, block_body({"endif"}));
      parse_.advance();
    }
    out.push_back({std::move(choice), 0});
    return {};
  }

  Result<void> parse_set(Body& out) {
    JARIP_TRY(Target target, parse_.target({.namespaces = true}));
    if (parse_.skip_operator("=")) {
      JARIP_TRY(ExpressionPtr value, parse_.tuple());
      out.push_back({Set{std::move(target), std::move(value)}, 0});
      return {};
    }
    const ExpressionParser::Hard hard(parse_);
    SetBlock block;
    block.target = std::move(target);
    if (parse_.current().is_operator("|")) {
      parse_.advance();
      JARIP_TRY(block.filter, parse_.block_filter());
    }
    JARIP_TRY(block.body, scope_body("endset"));
    out.push_back({std::move(block), 0});
    return {};
  }

  Result<void> signature(MacroDefinition& macro) {
    JARIP_CHECK(parse_.expect(TokenKind::kOperator, "("));
    while (!parse_.current().is_operator(")")) {
      if (!macro.parameters.empty()) JARIP_CHECK(parse_.expect(TokenKind::kOperator, ","));
      JARIP_TRY(const NameId parameter, parse_.assigned_name());
      macro.parameters.push_back(parameter);
      if (parse_.skip_operator("=")) {
        JARIP_TRY(ExpressionPtr otherwise, parse_.expression());
        macro.defaults.push_back(std::move(otherwise));
      } else if (!macro.defaults.empty()) {
        return parse_.error("a parameter without default follows one with a default");
      }
    }
    parse_.advance();
    return {};
  }

  // What follows the signature of a macro or a call block.
  Result<void> macro_body(MacroDefinition& macro, std::string_view end) {
    const ExpressionParser::Special special(parse_);
    const int outer_loops = std::exchange(n_loops_, 0);
    JARIP_TRY(macro.body, scope_body(end));
    n_loops_ = outer_loops;
    const auto index_of = [&](std::string_view name) {
      const auto found = std::ranges::find_if(macro.parameters,
                                              [&](NameId id) { return parse_.name(id) == name; });
      return static_cast<std::size_t>(found - macro.parameters.begin());
    };
    const std::size_t n = macro.parameters.size();
    const std::size_t caller = index_of("caller");
    if (special.uses("caller") && caller < n && caller < n - macro.defaults.size()) {
      return parse_.error("a parameter named 'caller' needs a default");
    }
    macro.uses_caller = special.uses("caller");
    macro.uses_named = special.uses("kwargs") && index_of("kwargs") == n;
    macro.uses_positional = special.uses("varargs") && index_of("varargs") == n;
    return {};
  }

  Result<void> parse_macro(Body& out) {
    Macro macro;
    const ExpressionParser::Hard hard(parse_);
    macro.definition.name = parse_.current().text;
    JARIP_TRY(macro.name, parse_.assigned_name());
    JARIP_CHECK(signature(macro.definition));
    JARIP_CHECK(macro_body(macro.definition, "endmacro"));
    out.push_back({std::move(macro), 0});
    return {};
  }

  Result<void> parse_call(Body& out) {
    CallBlock block;
    block.caller.name = "caller";
    if (parse_.current().is_operator("(")) JARIP_CHECK(signature(block.caller));
    JARIP_TRY(block.call, parse_.expression());
    const auto* postfix = std::get_if<Postfix>(&block.call->kind);
    if (postfix == nullptr || !std::holds_alternative<CallStep>(postfix->steps.back().kind)) {
      return parse_.error("expected a call");
    }
    JARIP_CHECK(macro_body(block.caller, "endcall"));
    out.push_back({std::move(block), 0});
    return {};
  }

  Result<void> parse_filter(Body& out) {
    FilterBlock block;
    const ExpressionParser::Hard hard(parse_);
    JARIP_TRY(block.filter, parse_.block_filter());
    JARIP_TRY(block.body, scope_body("endfilter"));
    out.push_back({std::move(block), 0});
    return {};
  }

  Result<void> parse_with(Body& out) {
    With block;
    while (parse_.current().kind != TokenKind::kBlockEnd) {
      if (!block.bindings.empty()) JARIP_CHECK(parse_.expect(TokenKind::kOperator, ","));
      JARIP_TRY(Target target, parse_.target({.parameter = true}));
      JARIP_CHECK(parse_.expect(TokenKind::kOperator, "="));
      JARIP_TRY(ExpressionPtr value, parse_.expression());
      block.bindings.emplace_back(std::move(target), std::move(value));
    }
    JARIP_TRY(block.body, scope_body("endwith"));
    out.push_back({std::move(block), 0});
    return {};
  }

  Result<void> parse_generation(Body& out) {
    Generation block;
    // What the body writes is collected on its own, so no loop outside can be left from within.
    const int outer_loops = std::exchange(n_loops_, 0);
    JARIP_TRY(block.body, scope_body("endgeneration"));
    n_loops_ = outer_loops;
    out.push_back({std::move(block), 0});
    return {};
  }

  Result<void> parse_print(Body& out) {
    bool first = true;
    while (parse_.current().kind != TokenKind::kBlockEnd) {
      if (!first) JARIP_CHECK(parse_.expect(TokenKind::kOperator, ","));
      first = false;
      JARIP_TRY(ExpressionPtr value, parse_.expression());
      out.push_back({Print{std::move(value)}, 0});
    }
    return {};
  }

  template <class Kind>
  Result<void> parse_leave(Body& out) {
    if (n_loops_ == 0) return parse_.error("break and continue belong in a loop");
    out.push_back({Kind{}, 0});
    return {};
  }

  using Parse = Result<void> (StatementParser::*)(Body&);
  static constexpr std::array<std::pair<std::string_view, Parse>, 11> kStatements = {{
      {"break", &StatementParser::parse_leave<Break>},
      {"call", &StatementParser::parse_call},
      {"continue", &StatementParser::parse_leave<Continue>},
      {"filter", &StatementParser::parse_filter},
      {"for", &StatementParser::parse_for},
      {"generation", &StatementParser::parse_generation},
      {"if", &StatementParser::parse_if},
      {"macro", &StatementParser::parse_macro},
      {"print", &StatementParser::parse_print},
      {"set", &StatementParser::parse_set},
      {"with", &StatementParser::parse_with},
  }};

  ExpressionParser parse_;
  int n_loops_ = 0;  // that break could leave
};

}  // namespace

Result<Program> parse(std::string_view source, const TemplateLimits& limits) {
  if (source.size() > limits.max_source_bytes) {
    return fail(ErrorCode::kTooLarge,
                fmt::format("a chat template of {} bytes exceeds the limit of {}", source.size(),
                            limits.max_source_bytes));
  }
  const std::string normalized = normalize_source(source);
  JARIP_TRY(std::vector<Token> tokens, tokenize(normalized));
  JARIP_TRY(Program program, StatementParser(normalized, std::move(tokens), limits).run());
  program.source = normalized;
  find_hidden_names(program);
  return program;
}

}  // namespace jarip::jinja
