#define PCRE2_CODE_UNIT_WIDTH 8
#include "model/pretokenizer.h"

#include <fmt/format.h>
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <new>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "model/vocabulary.h"

namespace jarip {
namespace {

// The expressions are those of the families' tokenizer.json, with three liberties that change no
// piece: repeats are possessive where nothing could be given back (so that no text makes the
// matcher backtrack far), \s always stands in a class (see with_white_space), and a sequence of
// pre-tokenizers is folded into one expression.
struct Row {
  std::string_view names;  // of tokenizer.ggml.pre, separated by spaces
  std::string_view expression;
  bool ignores_merges = false;
  bool adds_bos = false;
};

constexpr std::array kRows = {
    Row{.names = "gpt-2 phi-2 exaone4 olmo",
        .expression = R"('(?:s|t|re|ve|m|ll|d)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++)"
                      R"(|[\s]+(?![^\s])|[\s]+)"},
    Row{.names = "llama-bpe llama3 llama-v3 falcon3 midm-2.0 lfm2",
        .expression = R"((?i:'(?:s|t|re|ve|m|ll|d))|[^\r\n\p{L}\p{N}]?\p{L}++|\p{N}{1,3}+)"
                      R"(| ?[^\s\p{L}\p{N}]++[\r\n]*+|[\s]*[\r\n]++|[\s]+(?![^\s])|[\s]+)",
        .ignores_merges = true,
        .adds_bos = true},
    // The same cuts, every piece merged: OLMo 2 and SmolLM3 among others.
    Row{.names = "dbrx smaug-bpe",
        .expression = R"((?i:'(?:s|t|re|ve|m|ll|d))|[^\r\n\p{L}\p{N}]?\p{L}++|\p{N}{1,3}+)"
                      R"(| ?[^\s\p{L}\p{N}]++[\r\n]*+|[\s]*[\r\n]++|[\s]+(?![^\s])|[\s]+)"},
    // Its tokenizer.json normalizes to NFC first. That would lose bytes, so it isn't done here:
    // composed text, which is nearly all there is, gives the same tokens.
    Row{.names = "qwen2 deepseek-r1-qwen megrez stablelm2",
        .expression = R"((?i:'(?:s|t|re|ve|m|ll|d))|[^\r\n\p{L}\p{N}]?\p{L}++|\p{N})"
                      R"(| ?[^\s\p{L}\p{N}]++[\r\n]*+|[\s]*[\r\n]++|[\s]+(?![^\s])|[\s]+)"},
    // Combining marks belong to words.
    Row{.names = "qwen35",
        .expression = R"((?i:'(?:s|t|re|ve|m|ll|d))|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]++|\p{N})"
                      R"(| ?[^\s\p{L}\p{M}\p{N}]++[\r\n]*+|[\s]*[\r\n]++|[\s]+(?![^\s]))"
                      R"(|[\s]+)"},
    // A word ends where a capital follows small letters. Only the first class may have to give
    // something back, and no more than once a run.
    Row{.names = "tekken",
        .expression = R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*)"
                      R"([\p{Ll}\p{Lm}\p{Lo}\p{M}]++)"
                      R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]++)"
                      R"([\p{Ll}\p{Lm}\p{Lo}\p{M}]*+|\p{N})"
                      R"(| ?[^\s\p{L}\p{N}]++[\r\n/]*+|[\s]*[\r\n]++|[\s]+(?![^\s])|[\s]+)",
        .ignores_merges = true,
        .adds_bos = true},
    // o200k: the same with contractions and up to three digits.
    Row{.names = "gpt-4o llama4 kanana2",
        .expression = R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*)"
                      R"([\p{Ll}\p{Lm}\p{Lo}\p{M}]++(?i:'(?:s|t|re|ve|m|ll|d))?+)"
                      R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]++)"
                      R"([\p{Ll}\p{Lm}\p{Lo}\p{M}]*+(?i:'(?:s|t|re|ve|m|ll|d))?+|\p{N}{1,3}+)"
                      R"(| ?[^\s\p{L}\p{N}]++[\r\n/]*+|[\s]*[\r\n]++|[\s]+(?![^\s])|[\s]+)",
        .ignores_merges = true},
    // Digits come out first, one by one, and gpt-2's expression sees what is left between them as
    // separate texts: hence white space before a digit ends as it does at the end of the text.
    Row{.names = "smollm starcoder refact command-r exaone",
        .expression = R"(\p{N}|'(?:s|t|re|ve|m|ll|d)| ?\p{L}++| ?[^\s\p{L}\p{N}]++)"
                      R"(|[\s]+(?![^\s\p{N}])|[\s]+)"},
};

bool has_name(std::string_view names, std::string_view name) {
  while (!names.empty()) {
    const std::size_t end = std::min(names.find(' '), names.size());
    if (names.substr(0, end) == name) return true;
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return false;
}

// \s spelled out as Unicode's White_Space: PCRE2's own also takes U+180E, which no family means.
std::string with_white_space(std::string_view expression) {
  constexpr std::string_view kSpace =
      R"(\t-\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";
  std::string out;
  for (std::size_t at = 0; at < expression.size();) {
    const bool is_space = expression.substr(at).starts_with(R"(\s)");
    out.append(is_space ? kSpace : expression.substr(at, 1));
    at += is_space ? 2 : 1;
  }
  return out;
}

// No expression above needs more than a few steps a character; the limits are a second wall.
constexpr std::uint32_t kMatchLimit = 100'000'000;
constexpr std::uint32_t kDepthLimit = 1'000;
constexpr std::uint32_t kHeapLimitKib = 16 * 1024;

}  // namespace

void Pretokenizer::FreeCode::operator()(pcre2_real_code_8* code) const { pcre2_code_free(code); }

void Pretokenizer::FreeContext::operator()(pcre2_real_match_context_8* context) const {
  pcre2_match_context_free(context);
}

void PieceCursor::FreeMatch::operator()(pcre2_real_match_data_8* match) const {
  pcre2_match_data_free(match);
}

Result<Pretokenizer> Pretokenizer::create(std::string_view name) {
  const Row* row = nullptr;
  std::string supported;
  for (const Row& candidate : kRows) {
    if (has_name(candidate.names, name)) row = &candidate;
    supported += fmt::format("{}{}", supported.empty() ? "" : " ", candidate.names);
  }
  if (row == nullptr) {
    return refuse_key(ErrorCode::kUnsupported, "tokenizer.ggml.pre",
                      fmt::format("is \"{}\", which is not supported; supported: {}",
                                  replace_invalid(name.substr(0, 100)), supported));
  }
  const std::string expression = with_white_space(row->expression);
  int error = 0;
  PCRE2_SIZE error_offset = 0;
  Pretokenizer pretokenizer;
  pretokenizer.code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()),
                                         expression.size(), PCRE2_UTF | PCRE2_UCP, &error,
                                         &error_offset, nullptr));
  pretokenizer.limits_.reset(pcre2_match_context_create(nullptr));
  if (!pretokenizer.code_ || !pretokenizer.limits_) {
    return fail(ErrorCode::kInternal,
                fmt::format("the expression of pre-tokenizer \"{}\" does not compile: PCRE2 error "
                            "{} at {}",
                            name, error, error_offset));
  }
  pcre2_set_match_limit(pretokenizer.limits_.get(), kMatchLimit);
  pcre2_set_depth_limit(pretokenizer.limits_.get(), kDepthLimit);
  pcre2_set_heap_limit(pretokenizer.limits_.get(), kHeapLimitKib);
  // Where the system forbids generated code the interpreter gives the same pieces, slower.
  (void)pcre2_jit_compile(pretokenizer.code_.get(), PCRE2_JIT_COMPLETE);
  pretokenizer.ignores_merges_ = row->ignores_merges;
  return pretokenizer;
}

bool pretokenizer_adds_bos(std::string_view name) {
  return std::ranges::any_of(
      kRows, [&](const Row& row) { return row.adds_bos && has_name(row.names, name); });
}

PieceCursor::PieceCursor(const Pretokenizer& pretokenizer, std::string_view text)
    : pretokenizer_(pretokenizer),
      text_(text),
      match_(pcre2_match_data_create_from_pattern(pretokenizer.code_.get(), nullptr)) {
  if (!match_) throw std::bad_alloc();
}

std::string_view PieceCursor::take(std::size_t end) {
  const std::size_t start = std::exchange(at_, end);
  return text_.substr(start, end - start);
}

std::string_view PieceCursor::next() {
  if (at_ == valid_end_) {
    std::size_t end = at_;
    while (end < text_.size()) {
      const Utf8Unit unit = decode_utf8(text_.substr(end));
      if (unit.kind == Utf8Kind::kCharacter) break;
      end += unit.length;
    }
    valid_end_ = end + valid_utf8_prefix(text_.substr(end));
    if (end > at_ || at_ == text_.size()) return take(end);
  }
  // Checked above, once; PCRE2 would check the whole rest again for every piece.
  const int count =
      pcre2_match(pretokenizer_.code_.get(), reinterpret_cast<PCRE2_SPTR>(text_.data()), valid_end_,
                  at_, PCRE2_NO_UTF_CHECK, match_.get(), pretokenizer_.limits_.get());
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match_.get());
  // A character on its own where there is no match, or a limit was met. No expression above lets
  // that happen; the walk ends even so.
  if (count < 0 || bounds[1] <= at_) return take(at_ + decode_utf8(text_.substr(at_)).length);
  return take(bounds[0] > at_ ? bounds[0] : bounds[1]);
}

}  // namespace jarip
