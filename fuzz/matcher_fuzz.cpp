// Any bytes as a way through fixed grammars: the mask says exactly which tokens can be taken, and
// there always is one until the answer may end.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "grammar/matcher.h"

namespace jarip {
namespace {

constexpr std::size_t kMostSteps = 200;

std::vector<std::shared_ptr<const Grammar>> make_grammars() {
  static const std::vector<std::string> kTokens = [] {
    std::vector<std::string> texts;
    for (int byte = 0; byte < 256; ++byte) texts.emplace_back(1, static_cast<char>(byte));
    for (const char* piece : {"\", \"", "\": ", "{\"", "\"}", "]]", "[[", "}}", "tru", "e,", "12",
                              "\xed\x95", "\x9c\"", "((", "))", "ab", "aab", "\n  ", "\\u00"}) {
      texts.emplace_back(piece);
    }
    return texts;
  }();
  std::vector<GrammarToken> tokens;
  for (std::uint32_t id = 0; id < kTokens.size(); ++id) tokens.push_back({id, kTokens[id]});
  const auto trie =
      std::make_shared<const TokenTrie>(static_cast<std::uint32_t>(kTokens.size()), tokens);
  const std::vector<GrammarSource> sources = {
      {GrammarKind::kJsonSchema, R"({"type": "object"})"},
      {GrammarKind::kJsonSchema,
       R"({"properties": {"a": {"type": "string", "maxLength": 30}, "b": {"$ref": "#"}},
           "additionalProperties": {"type": "number", "minimum": 3}})"},
      {GrammarKind::kEbnf, "root ::= root \"a\" root | \"(\" root \")\" | \"b\"?"},
      {GrammarKind::kEbnf,
       "root ::= (x \",\"){3,40} \".\"\nx ::= [a-z가-힣]{1,300} | \"[\" x \"]\""},
      {GrammarKind::kRegex, "(ab|a|aab)*[0-9]{2,200}"},
  };
  std::vector<std::shared_ptr<const Grammar>> grammars;
  for (const GrammarSource& source : sources) {
    grammars.push_back(std::make_shared<const Grammar>(*compile_source(source), trie));
  }
  return grammars;
}

void check(const std::shared_ptr<const Grammar>& grammar, std::span<const std::uint8_t> choices) {
  const std::uint32_t n_vocab = grammar->trie().n_vocab();
  Matcher matcher(grammar, {});
  for (const std::uint8_t choice : choices.first(std::min(choices.size(), kMostSteps))) {
    if (matcher.must_end()) return;
    const auto mask = matcher.mask();
    if (!mask) std::abort();
    std::vector<std::uint32_t> allowed;
    for (std::uint32_t id = 0; id < n_vocab; ++id) {
      if (((*mask)[id / 64] >> (id % 64) & 1U) != 0) allowed.push_back(id);
    }
    const std::uint32_t other = choice * 7U % n_vocab;
    Matcher tried = matcher;
    if (tried.take(other) != (((*mask)[other / 64] >> (other % 64) & 1U) != 0)) std::abort();
    if (!matcher.take(allowed[choice % allowed.size()])) std::abort();
  }
}

}  // namespace
}  // namespace jarip

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const auto kGrammars = jarip::make_grammars();
  if (size == 0) return 0;
  jarip::check(kGrammars[bytes[0] % kGrammars.size()], {bytes + 1, size - 1});
  return 0;
}
