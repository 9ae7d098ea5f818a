// Runs grammars for tests in Python. Each line of the input is a JSON object, each line of the
// output answers it:
//   {"kind": "schema" | "regex" | "ebnf", "text": …, "draw": [seed, …], "accept": [text, …]}
//   {"error": …} or {"drawn": [text or null, …], "accepted": [bool, …]}
// drawn: answers of random tokens out of the masks, null where an answer took too many.
// accepted: whether the matcher takes the whole text and may end there.
// Usage: grammar_tool [MODEL.gguf]; without a model the vocabulary is all bytes and pieces of JSON.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/stream_parser.hpp>
#include <cstdio>
#include <iostream>
#include <memory>
#include <random>
#include <string>

#include "grammar/grammar_cache.h"
#include "grammar/matcher.h"
#include "model/tokenizer.h"

namespace jarip {
namespace {

namespace json = boost::json;

constexpr int kMostTokens = 3000;
constexpr int kTokensBeforeHurry = 60;  // from here on, tokens that lead to the end are preferred

std::shared_ptr<const TokenTrie> read_vocabulary(const char* path) {
  auto file = GgufFile::open(path);
  if (!file) return nullptr;
  auto tokenizer = Tokenizer::from_gguf(*file);
  if (!tokenizer) return nullptr;
  std::vector<GrammarToken> tokens;
  for (TokenId id = 0; id < tokenizer->n_vocab(); ++id) {
    if (!tokenizer->is_control(id)) tokens.push_back({id, tokenizer->token_bytes(id)});
  }
  return std::make_shared<TokenTrie>(tokenizer->n_vocab() + 1, tokens);
}

std::shared_ptr<const TokenTrie> make_vocabulary() {
  std::vector<std::string> texts;
  for (int byte = 0; byte < 256; ++byte) texts.emplace_back(1, static_cast<char>(byte));
  for (const char* piece :
       {"\", \"", "\": ",     "\":\"", "{\"",  "\"}", "\"]", "[[", "]]",     "}}",  "},",
        "null",   "true",     "false", "12",   "00",  "-1",  ".5", "e+",     "\\u", "\\n",
        "한",     "\xed\x95", "글\"",  "\n  ", "   ", "ab",  "id", "name\":"}) {
    texts.emplace_back(piece);
  }
  std::vector<GrammarToken> tokens;
  for (std::uint32_t id = 0; id < texts.size(); ++id) tokens.push_back({id, texts[id]});
  return std::make_shared<TokenTrie>(static_cast<std::uint32_t>(texts.size()) + 1, tokens);
}

GrammarKind kind_of(std::string_view name) {
  return name == "schema"  ? GrammarKind::kJsonSchema
         : name == "regex" ? GrammarKind::kRegex
                           : GrammarKind::kEbnf;
}

// One of the tokens allowed; late in an answer rather the end, or what closes something.
std::uint32_t choose(std::span<const std::uint64_t> mask, const TokenTrie& trie,
                     std::uint32_t end_token, bool hurry, std::mt19937_64& random) {
  std::vector<std::uint32_t> allowed;
  std::vector<std::uint32_t> closing;
  for (std::uint32_t id = 0; id <= end_token; ++id) {
    if ((mask[id / 64] >> (id % 64) & 1U) == 0) continue;
    if (id == end_token && (hurry || random() % 4 == 0)) return id;
    allowed.push_back(id);
    const std::string_view bytes = trie.bytes_of(id);
    const bool closes = bytes == "\"" || bytes == "]" || bytes == "}" || bytes == "]]";
    if (closes) closing.push_back(id);
  }
  const auto& from = hurry && !closing.empty() ? closing : allowed;
  return from[random() % from.size()];
}

json::value draw(const std::shared_ptr<const Grammar>& grammar, std::uint64_t seed) {
  const std::uint32_t end_token = grammar->trie().n_vocab() - 1;
  std::mt19937_64 random(seed);
  Matcher matcher(grammar, {&end_token, 1});
  std::string text;
  for (int i = 0; i < kMostTokens; ++i) {
    if (matcher.must_end()) return json::string(text);
    const auto mask = matcher.mask();
    if (!mask) return json::object{{"failed", mask.error().message}};
    const std::uint32_t token =
        choose(*mask, grammar->trie(), end_token, i >= kTokensBeforeHurry, random);
    if (token == end_token) return json::string(text);
    if (!matcher.take(token)) return json::object{{"failed", "an allowed token was refused"}};
    text += grammar->trie().bytes_of(token);
  }
  return nullptr;
}

bool accepts(const std::shared_ptr<const Grammar>& grammar, std::string_view text) {
  Matcher matcher(grammar, {});
  return matcher.take_bytes(text) && matcher.may_end();
}

json::value answer(const json::object& task, GrammarCache& cache) {
  const auto grammar = cache.get({kind_of(std::string_view(task.at("kind").as_string())),
                                  std::string(task.at("text").as_string())});
  if (!grammar) return json::object{{"error", grammar.error().message}};
  json::array drawn;
  for (const json::value& seed : task.at("draw").as_array()) {
    drawn.push_back(draw(*grammar, static_cast<std::uint64_t>(seed.as_int64())));
  }
  json::array accepted;
  for (const json::value& text : task.at("accept").as_array()) {
    accepted.emplace_back(accepts(*grammar, std::string_view(text.as_string())));
  }
  return json::object{{"drawn", drawn}, {"accepted", accepted}};
}

}  // namespace
}  // namespace jarip

int main(int argc, char** argv) {
  const auto trie = argc > 1 ? jarip::read_vocabulary(argv[1]) : jarip::make_vocabulary();
  if (trie == nullptr) {
    std::fprintf(stderr, "can't read the model's vocabulary\n");
    return 1;
  }
  jarip::GrammarCache cache(trie);
  for (std::string line; std::getline(std::cin, line);) {
    const auto task = boost::json::parse(line);
    std::cout << boost::json::serialize(jarip::answer(task.as_object(), cache)) << std::endl;
  }
  return 0;
}
