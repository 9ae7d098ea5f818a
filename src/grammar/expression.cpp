#include "grammar/expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "grammar/utf8_ranges.h"

namespace jarip {
namespace {

// A repetition that becomes at most this many edges is written out; a longer one is counted.
constexpr std::uint64_t kMaxWrittenOut = 1024;
constexpr std::uint32_t kMaxSize = 0x7FFFFFFF;

std::uint32_t saturate(std::uint64_t size) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(size, kMaxSize));
}

}  // namespace

void GrammarBuilder::refuse(std::string message) {
  if (!error_) error_ = Error{ErrorCode::kInvalidArgument, std::move(message), {}};
}

ExprId GrammarBuilder::add(Expr expr) {
  if (exprs_.size() >= kMaxGrammarNodes || text_.size() > kMaxGrammarNodes * std::size_t{8} ||
      sets_.size() >= kMaxGrammarNodes) {
    refuse(fmt::format("the grammar has more than {} parts", kMaxGrammarNodes));
    return 0;
  }
  exprs_.push_back(expr);
  return static_cast<ExprId>(exprs_.size() - 1);
}

ExprId GrammarBuilder::literal(std::string_view bytes) {
  const auto first = static_cast<std::uint32_t>(text_.size());
  text_ += bytes;
  const auto n = static_cast<std::uint32_t>(bytes.size());
  return add({.kind = ExprKind::kLiteral, .first = first, .n = n, .size = n + 1});
}

ExprId GrammarBuilder::bytes(const ByteSet& set) {
  sets_.push_back(set);
  const auto first = static_cast<std::uint32_t>(sets_.size() - 1);
  return add({.kind = ExprKind::kBytes, .first = first, .size = 4});
}

ExprId GrammarBuilder::code_points(std::span<const CodePointRange> ranges) {
  ByteSet ascii;
  std::vector<ExprId> parts;
  for (const Utf8Sequence& one : utf8_sequences(ranges)) {
    if (one.length == 1) {
      for (unsigned byte = one.bytes[0].low; byte <= one.bytes[0].high; ++byte) ascii.set(byte);
      continue;
    }
    std::vector<ExprId> units;
    for (std::size_t i = 0; i < one.length; ++i) {
      ByteSet set;
      for (unsigned byte = one.bytes[i].low; byte <= one.bytes[i].high; ++byte) set.set(byte);
      units.push_back(bytes(set));
    }
    parts.push_back(sequence(units));
  }
  if (ascii.any() || parts.empty()) parts.push_back(bytes(ascii));
  return choice(parts);
}

ExprId GrammarBuilder::add_parent(ExprKind kind, std::span<const ExprId> parts) {
  if (failed()) return 0;
  std::uint64_t size = 2;
  std::uint16_t depth = 0;
  for (const ExprId part : parts) {
    size += exprs_[part].size + std::uint64_t{2};
    depth = std::max(depth, exprs_[part].depth);
  }
  if (depth >= kMaxGrammarNesting * 4) {
    refuse(fmt::format("the grammar is nested deeper than {} levels", kMaxGrammarNesting));
    return 0;
  }
  const auto first = static_cast<std::uint32_t>(children_.size());
  children_.insert(children_.end(), parts.begin(), parts.end());
  return add({.kind = kind,
              .depth = static_cast<std::uint16_t>(depth + 1),
              .first = first,
              .n = static_cast<std::uint32_t>(parts.size()),
              .size = saturate(size)});
}

ExprId GrammarBuilder::sequence(std::span<const ExprId> parts) {
  return parts.size() == 1 ? parts[0] : add_parent(ExprKind::kSequence, parts);
}

ExprId GrammarBuilder::choice(std::span<const ExprId> parts) {
  return parts.size() == 1 ? parts[0] : add_parent(ExprKind::kChoice, parts);
}

ExprId GrammarBuilder::repeat(ExprId part, std::uint32_t min, std::uint32_t max) {
  if (failed()) return 0;
  if (min > max || (max != kUnbounded && max > kMaxRepeats) || min > kMaxRepeats) {
    refuse(fmt::format("a repetition's bounds must be in order and at most {}", kMaxRepeats));
    return 0;
  }
  if (max == 0) return empty();
  if (min == 1 && max == 1) return part;
  const std::uint64_t copies = max == kUnbounded ? min + std::uint64_t{1} : max;
  if (counts_loops_ && copies > 3 && copies * exprs_[part].size > kMaxWrittenOut) {
    const RuleId loop = add_rule("repetition");
    if (failed()) return 0;
    rules_[loop] = {.name = "repetition",
                    .body = part,
                    .is_loop = true,
                    .min = min,
                    .max = max,
                    .shared = true};
    return rule(loop);
  }
  const std::uint64_t size = copies * (exprs_[part].size + 3);
  const ExprId id = add_parent(ExprKind::kRepeat, {&part, 1});
  if (failed()) return 0;
  exprs_[id].min = min;
  exprs_[id].max = max;
  exprs_[id].size = saturate(size);
  return id;
}

ExprId GrammarBuilder::rule(RuleId rule) {
  return add({.kind = ExprKind::kRule, .first = rule, .size = 1});
}

ExprId GrammarBuilder::graph(std::uint32_t n_states, std::span<const GraphEdge> edges) {
  std::vector<ExprId> labels;
  for (const GraphEdge& edge : edges) labels.push_back(edge.label);
  const ExprId id = add_parent(ExprKind::kGraph, labels);
  if (failed()) return 0;
  exprs_[id].first = static_cast<std::uint32_t>(children_.size());
  exprs_[id].n = static_cast<std::uint32_t>(edges.size() * 3);
  exprs_[id].min = n_states;
  for (const GraphEdge& edge : edges) {
    children_.insert(children_.end(), {edge.from, edge.to, edge.label});
  }
  return id;
}

RuleId GrammarBuilder::add_rule(std::string name) {
  if (rules_.size() >= kMaxGrammarRules) {
    refuse(fmt::format("the grammar has more than {} rules", kMaxGrammarRules));
    return 0;
  }
  rules_.push_back({.name = std::move(name)});
  return static_cast<RuleId>(rules_.size() - 1);
}

}  // namespace jarip
