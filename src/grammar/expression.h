// Context-free grammars over bytes while they are put together: expressions by number, and rules.
// The front ends (EBNF, regular expressions, JSON Schema) write it, compile() reads it. Owned by
// one compilation, on one thread. Going past a limit makes the builder fail once and for all; the
// numbers it gives afterwards are of no use, and compile() returns the error.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "grammar/limits.h"

namespace jarip {

using ExprId = std::uint32_t;
using RuleId = std::uint32_t;
using ByteSet = std::bitset<256>;

inline constexpr std::uint32_t kUnbounded = 0xFFFFFFFF;

struct CodePointRange {
  char32_t low = 0;
  char32_t high = 0;  // inclusive
};

enum class ExprKind : std::uint8_t { kLiteral, kBytes, kSequence, kChoice, kRepeat, kRule, kGraph };

struct Expr {
  ExprKind kind = ExprKind::kLiteral;
  std::uint16_t depth = 0;
  std::uint32_t first = 0;  // of kLiteral: offset in text(); kBytes: of sets(); kRule: the rule;
                            // else of children()
  std::uint32_t n = 0;      // how many bytes or children
  std::uint32_t min = 0;    // of kRepeat; kGraph: how many states
  std::uint32_t max = 0;    // of kRepeat; kUnbounded: no end
  std::uint32_t size = 0;   // edges it becomes; saturates
};

struct Rule {
  std::string name;  // for messages
  std::optional<ExprId> body = {};
  // A loop is its body min to max times; the automaton counts instead of writing it out.
  bool is_loop = false;
  std::uint32_t min = 1;
  std::uint32_t max = 1;
  bool shared = false;  // never copied into its callers: what is computed for it serves them all
};

// A way from state 0 to state 1 of a small automaton is what a graph matches.
struct GraphEdge {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  ExprId label = 0;
};

class GrammarBuilder {
 public:
  // Regular expressions that are to be combined as automata can't have loops that are counted.
  explicit GrammarBuilder(bool counts_loops = true) : counts_loops_(counts_loops) {}

  [[nodiscard]] ExprId literal(std::string_view bytes);
  [[nodiscard]] ExprId empty() { return literal({}); }
  [[nodiscard]] ExprId bytes(const ByteSet& set);
  [[nodiscard]] ExprId nothing() { return bytes({}); }  // matches no text at all
  // UTF-8 of any of these; surrogates and what lies past U+10FFFF are left out.
  [[nodiscard]] ExprId code_points(std::span<const CodePointRange> ranges);
  [[nodiscard]] ExprId sequence(std::span<const ExprId> parts);
  [[nodiscard]] ExprId choice(std::span<const ExprId> parts);
  [[nodiscard]] ExprId repeat(ExprId part, std::uint32_t min, std::uint32_t max);
  [[nodiscard]] ExprId optional(ExprId part) { return repeat(part, 0, 1); }
  [[nodiscard]] ExprId rule(RuleId rule);
  [[nodiscard]] ExprId graph(std::uint32_t n_states, std::span<const GraphEdge> edges);

  [[nodiscard]] ExprId sequence(std::initializer_list<ExprId> parts) {
    return sequence(std::span(parts.begin(), parts.size()));
  }
  [[nodiscard]] ExprId choice(std::initializer_list<ExprId> parts) {
    return choice(std::span(parts.begin(), parts.size()));
  }

  [[nodiscard]] RuleId add_rule(std::string name);
  void define(RuleId rule, ExprId body) { rules_[rule].body = body; }
  void share(RuleId rule) { rules_[rule].shared = true; }

  [[nodiscard]] bool failed() const { return error_.has_value(); }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

  [[nodiscard]] const Expr& expr(ExprId id) const { return exprs_[id]; }
  [[nodiscard]] std::string_view text(const Expr& expr) const {
    return std::string_view(text_).substr(expr.first, expr.n);
  }
  [[nodiscard]] const ByteSet& set(const Expr& expr) const { return sets_[expr.first]; }
  // Of a graph: from, to and label of each edge in turn.
  [[nodiscard]] std::span<const ExprId> children(const Expr& expr) const {
    return std::span(children_).subspan(expr.first, expr.n);
  }
  [[nodiscard]] const std::vector<Rule>& rules() const { return rules_; }

 private:
  ExprId add(Expr expr);
  ExprId add_parent(ExprKind kind, std::span<const ExprId> parts);
  void refuse(std::string message);

  bool counts_loops_;
  std::vector<Expr> exprs_;
  std::string text_;
  std::vector<ByteSet> sets_;
  std::vector<ExprId> children_;
  std::vector<Rule> rules_;
  std::optional<Error> error_;
};

}  // namespace jarip
