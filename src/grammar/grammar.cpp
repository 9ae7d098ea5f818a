#include "grammar/grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "grammar/ebnf.h"
#include "grammar/free_text.h"
#include "grammar/fsm.h"
#include "grammar/regex.h"
#include "grammar/schema.h"
#include "grammar/token_trie.h"

namespace jarip {
namespace {

class SourceWriter {
 public:
  SourceWriter(GrammarBuilder& builder, CompileWork& work) : builder_(builder), work_(work) {}

  // As deep as sources are nested, which is limited.
  Result<ExprId> write(const GrammarSource& source, unsigned depth) {
    if (depth > kMaxGrammarNesting) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("the grammar is nested deeper than {} levels", kMaxGrammarNesting));
    }
    JARIP_CHECK(check_text(source.text));
    switch (source.kind) {
      case GrammarKind::kEbnf: {
        JARIP_TRY(const RuleId root, parse_ebnf(source.text, builder_));
        return builder_.rule(root);
      }
      case GrammarKind::kRegex:
        return parse_regex(source.text, {}, builder_);
      case GrammarKind::kJsonSchema: {
        JARIP_TRY(const RuleId root, parse_json_schema(source.text, builder_, shared_, work_));
        return builder_.rule(root);
      }
      case GrammarKind::kUntil:
      case GrammarKind::kWithout:
        return write_free_text(source);
      case GrammarKind::kText:
      case GrammarKind::kControlToken:
        return builder_.literal(literal_of(source));
      case GrammarKind::kSequence:
      case GrammarKind::kChoice: {
        JARIP_TRY(const std::vector<ExprId> parts, write_parts(source, depth));
        if (source.kind == GrammarKind::kSequence) return builder_.sequence(parts);
        return parts.empty() ? builder_.nothing() : builder_.choice(parts);
      }
      case GrammarKind::kRepeat: {
        JARIP_TRY(const std::vector<ExprId> parts, write_parts(source, depth));
        return builder_.repeat(builder_.sequence(parts), source.min, source.max);
      }
      case GrammarKind::kTagged:
        return write_tagged(source, depth);
    }
    return fail(ErrorCode::kInternal, "a grammar of no kind");
  }

 private:
  Result<void> check_text(std::string_view text) {
    n_bytes_ += text.size();
    if (n_bytes_ > kMaxGrammarBytes) {
      return fail(ErrorCode::kTooLarge,
                  fmt::format("the grammar has {} bytes; at most {} are allowed", n_bytes_,
                              kMaxGrammarBytes));
    }
    if (!is_valid_utf8(text)) {
      return fail(ErrorCode::kInvalidArgument, "the grammar isn't valid UTF-8");
    }
    return {};
  }

  Result<std::vector<ExprId>> write_parts(const GrammarSource& source, unsigned depth) {
    std::vector<ExprId> parts;
    for (const GrammarSource& part : source.parts) {
      JARIP_TRY(const ExprId expr, write(part, depth + 1));
      if (builder_.failed()) return std::unexpected(*builder_.error());
      parts.push_back(expr);
    }
    return parts;
  }

  static std::string literal_of(const GrammarSource& source) {
    return source.kind == GrammarKind::kText ? source.text : control_token_bytes(source.min);
  }

  // All bytes are free, so that the answer is what it would be without a grammar until the words
  // come. A rule of its own, so that its masks are kept.
  Result<ExprId> write_free_text(const GrammarSource& source) {
    JARIP_TRY(const std::vector<std::string> words, literals_of(source.parts));
    JARIP_TRY(const Fsm language, free_text(words, source.kind == GrammarKind::kUntil, work_));
    const RuleId rule = builder_.add_rule("free text");
    if (builder_.failed()) return std::unexpected(*builder_.error());
    builder_.define(rule, add_language(builder_, language));
    builder_.share(rule);
    return builder_.rule(rule);
  }

  Result<std::vector<std::string>> literals_of(std::span<const GrammarSource> sources) {
    std::vector<std::string> literals;
    for (const GrammarSource& source : sources) {
      JARIP_CHECK(check_text(source.text));
      literals.push_back(literal_of(source));
    }
    return literals;
  }

  // The parts are those of tagged_members().
  Result<ExprId> write_tagged(const GrammarSource& source, unsigned depth) {
    constexpr std::size_t kSpace = 3;
    constexpr std::size_t kFirstClose = 5;
    if (source.parts.size() <= kFirstClose)
      return fail(ErrorCode::kInternal, "tags without a mark");
    JARIP_TRY(const std::vector<ExprId> parts, write_parts(source, depth));
    JARIP_TRY(std::vector<std::string> closes,
              literals_of(std::span(source.parts).subspan(kFirstClose)));
    const TaggedMarks marks{.before_key = parts[0],
                            .before_text = parts[1],
                            .before_json = parts[2],
                            .end = {source.parts[kSpace].text, std::move(closes)},
                            .rest = parts[4]};
    return parse_tagged_members(source.text, {marks, source.min != 0}, builder_, shared_, work_);
  }

  GrammarBuilder& builder_;
  CompileWork& work_;
  SharedSchemaRules shared_;
  std::size_t n_bytes_ = 0;
};

}  // namespace

Result<Automaton> compile_source(const GrammarSource& source) {
  GrammarBuilder builder;
  CompileWork work;
  const RuleId root = builder.add_rule("root");
  JARIP_TRY(const ExprId body, SourceWriter(builder, work).write(source, 0));
  if (builder.failed()) return std::unexpected(*builder.error());
  builder.define(root, body);
  return compile(builder, root, work);
}

}  // namespace jarip
