#include "grammar/nfa.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace jarip {
namespace {

std::unexpected<Error> too_large() {
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("the grammar is too large: its rules written out have more than {} edges",
                          kMaxNfaEdges));
}

// Lays expressions between two states, and adds no edge into the first nor out of the second. As
// deep as expressions are nested, which the builder limits.
class Layer {
 public:
  Layer(const GrammarBuilder& builder, Nfa& nfa) : builder_(builder), nfa_(nfa) {}

  bool lay(ExprId id, std::uint32_t from, std::uint32_t to) {
    if (nfa_.edges.size() > kMaxNfaEdges) return false;
    const Expr& expr = builder_.expr(id);
    switch (expr.kind) {
      case ExprKind::kLiteral:
        lay_literal(builder_.text(expr), from, to);
        return true;
      case ExprKind::kBytes:
        lay_set(builder_.set(expr), from, to);
        return true;
      case ExprKind::kRule:
        nfa_.edges.push_back({.from = from, .to = to, .rule = expr.first, .kind = EdgeKind::kCall});
        return true;
      case ExprKind::kSequence:
        return lay_sequence(builder_.children(expr), from, to);
      case ExprKind::kChoice:
        return std::ranges::all_of(builder_.children(expr),
                                   [&](ExprId part) { return lay(part, from, to); });
      case ExprKind::kRepeat:
        return lay_repeat(expr, from, to);
      case ExprKind::kGraph:
        return lay_graph(expr, from, to);
    }
    return true;
  }

 private:
  std::uint32_t new_state() { return nfa_.n_states++; }
  void empty(std::uint32_t from, std::uint32_t to) {
    nfa_.edges.push_back({.from = from, .to = to});
  }

  void lay_literal(std::string_view text, std::uint32_t from, std::uint32_t to) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      const std::uint32_t next = i + 1 == text.size() ? to : new_state();
      const auto byte = static_cast<std::uint8_t>(text[i]);
      nfa_.edges.push_back(
          {.from = from, .to = next, .low = byte, .high = byte, .kind = EdgeKind::kBytes});
      from = next;
    }
    if (text.empty()) empty(from, to);
  }

  void lay_set(const ByteSet& set, std::uint32_t from, std::uint32_t to) {
    for (unsigned low = 0; low < 256; ++low) {
      if (!set[low]) continue;
      unsigned high = low;
      while (high < 255 && set[high + 1]) ++high;
      nfa_.edges.push_back({.from = from,
                            .to = to,
                            .low = static_cast<std::uint8_t>(low),
                            .high = static_cast<std::uint8_t>(high),
                            .kind = EdgeKind::kBytes});
      low = high;
    }
  }

  bool lay_sequence(std::span<const ExprId> parts, std::uint32_t from, std::uint32_t to) {
    if (parts.empty()) empty(from, to);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const std::uint32_t next = i + 1 == parts.size() ? to : new_state();
      if (!lay(parts[i], from, next)) return false;
      from = next;
    }
    return true;
  }

  bool lay_repeat(const Expr& expr, std::uint32_t from, std::uint32_t to) {
    const ExprId part = builder_.children(expr)[0];
    for (std::uint32_t i = 0; i < expr.min; ++i) {
      const std::uint32_t next = new_state();
      if (!lay(part, from, next)) return false;
      from = next;
    }
    if (expr.max == kUnbounded) {
      const std::uint32_t head = new_state();
      const std::uint32_t tail = new_state();
      empty(from, head);
      if (!lay(part, head, tail)) return false;
      empty(tail, head);
      empty(head, to);
      return true;
    }
    for (std::uint32_t i = expr.min; i < expr.max; ++i) {
      const std::uint32_t next = new_state();
      empty(from, to);
      if (!lay(part, from, next)) return false;
      from = next;
    }
    empty(from, to);
    return true;
  }

  bool lay_graph(const Expr& expr, std::uint32_t from, std::uint32_t to) {
    const std::uint32_t first = nfa_.n_states;
    nfa_.n_states += expr.min;
    empty(from, first);
    empty(first + 1, to);
    const std::span<const ExprId> edges = builder_.children(expr);
    for (std::size_t i = 0; i + 2 < edges.size(); i += 3) {
      if (!lay(edges[i + 2], first + edges[i], first + edges[i + 1])) return false;
    }
    return true;
  }

  const GrammarBuilder& builder_;
  Nfa& nfa_;
};

}  // namespace

NfaIndex::NfaIndex(const Nfa& nfa) : first_(nfa.n_states + 1, 0), order_(nfa.edges.size()) {
  for (const NfaEdge& edge : nfa.edges) ++first_[edge.from + 1];
  for (std::size_t i = 1; i < first_.size(); ++i) first_[i] += first_[i - 1];
  std::vector<std::uint32_t> next(first_.begin(), first_.end() - 1);
  for (std::uint32_t i = 0; i < nfa.edges.size(); ++i) order_[next[nfa.edges[i].from]++] = i;
}

Result<Nfa> build_nfa(const GrammarBuilder& builder, ExprId expr) {
  if (builder.failed()) return std::unexpected(*builder.error());
  if (builder.expr(expr).size > kMaxNfaEdges) return too_large();
  Nfa nfa;
  if (!Layer(builder, nfa).lay(expr, kNfaStart, kNfaFinal)) return too_large();
  return nfa;
}

}  // namespace jarip
