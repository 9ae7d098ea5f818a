#include "grammar/grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "grammar/ebnf.h"
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
    GrammarBuilder regular(false);
    const ExprId byte = regular.bytes(ByteSet().set());
    const ExprId bytes = regular.repeat(byte, 0, kUnbounded);
    std::vector<ExprId> words;
    for (const GrammarSource& part : source.parts) {
      JARIP_CHECK(check_text(part.text));
      const std::string word = literal_of(part);
      if (!word.empty()) words.push_back(regular.literal(word));
    }
    const ExprId first =
        regular.sequence({bytes, words.empty() ? regular.nothing() : regular.choice(words)});
    const bool is_until = source.kind == GrammarKind::kUntil;
    JARIP_TRY(const Fsm all, regular_language(regular, is_until ? first : bytes, work_));
    JARIP_TRY(
        const Fsm past,
        regular_language(
            regular, regular.sequence({first, is_until ? byte : regular.empty(), bytes}), work_));
    JARIP_TRY(const Fsm language, subtract(all, past, work_));
    const RuleId rule = builder_.add_rule("free text");
    if (builder_.failed()) return std::unexpected(*builder_.error());
    builder_.define(rule, add_language(builder_, merge_states(language)));
    builder_.share(rule);
    return builder_.rule(rule);
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
