// Time to tell which tokens may come next, over the vocabulary of JARIP_TEST_MODEL: along answers
// to real schemas, when the grammar is new and when it has been used before; to compile; and a step
// of that model with a grammar beside one without.
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <future>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "app/loaded_model.h"
#include "grammar/matcher.h"
#include "model/tokenizer.h"

namespace jarip {
namespace {

struct Example {
  const char* name;
  GrammarKind kind;
  const char* grammar;
  const char* answer;
};

const Example kExamples[] = {
    {"person", GrammarKind::kJsonSchema,
     R"({"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer",
         "minimum": 0, "maximum": 150}, "email": {"type": "string", "format": "email"},
         "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
         "role": {"enum": ["admin", "editor", "reader"]}},
         "required": ["name", "age", "role"], "additionalProperties": false})",
     R"({"name": "Kim Min-jun, a writer of \"short\" stories", "age": 41, "email": "min@example.org",
 "tags": ["one", "two words", "세 번째"], "role": "editor"})"},
    {"tree", GrammarKind::kJsonSchema,
     R"({"$defs": {"node": {"type": "object", "properties": {"label": {"type": "string",
         "maxLength": 200}, "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
         "required": ["label", "children"]}}, "$ref": "#/$defs/node"})",
     R"({"label": "the root of it all", "children": [{"label": "a branch", "children": []},
 {"label": "another branch, longer", "children": [{"label": "leaf", "children": []}]}]})"},
    {"any_json", GrammarKind::kJsonSchema, R"({"type": "object"})",
     R"({"a": [1, 2.5, -3e7, null, true], "longer key": {"nested": {"deeper": "text with, and: {}"}},
 "한글": "값"})"},
    {"pattern", GrammarKind::kJsonSchema,
     R"({"type": "string", "pattern": "^[A-Z][a-z]+( [A-Za-z]+)*[.]$", "maxLength": 300})",
     R"("Every place in a string of bounded length is a state of its own and needs a mask.")"},
    {"prose", GrammarKind::kRegex, R"([A-Z][^\n]{20,400}[.!?])",
     "A sentence that says what a sentence of this kind says, and then goes on for some time."},
    {"arithmetic", GrammarKind::kEbnf,
     "root ::= root [-+] term | term\nterm ::= term [*/] factor | factor\n"
     "factor ::= [0-9]+ | [a-z]+ | \"(\" root \")\"",
     "(alpha+12)*(beta-(3*gamma+delta))/7+epsilon"},
};

struct Vocabulary {
  std::unique_ptr<Tokenizer> tokenizer;
  std::shared_ptr<const TokenTrie> trie;
};

const Vocabulary* vocabulary() {
  static const Vocabulary kVocabulary = [] {
    Vocabulary made;
    const char* path = std::getenv("JARIP_TEST_MODEL");
    auto file = GgufFile::open(path == nullptr ? "" : path);
    if (!file) return made;
    auto tokenizer = Tokenizer::from_gguf(*file);
    if (!tokenizer) return made;
    made.tokenizer = std::make_unique<Tokenizer>(*std::move(tokenizer));
    std::vector<GrammarToken> tokens;
    for (TokenId id = 0; id < made.tokenizer->n_vocab(); ++id) {
      if (!made.tokenizer->is_control(id)) tokens.push_back({id, made.tokenizer->token_bytes(id)});
    }
    made.trie = std::make_shared<TokenTrie>(made.tokenizer->n_vocab(), tokens);
    return made;
  }();
  return kVocabulary.trie == nullptr ? nullptr : &kVocabulary;
}

// Of this thread: whoever else computes must not count.
double microseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) * 1e-3;
}

// Takes the answer token by token; the times of all masks, in microseconds.
std::vector<double> walk(const std::shared_ptr<const Grammar>& grammar,
                         const std::vector<TokenId>& tokens, bool& fits) {
  std::vector<double> times;
  Matcher matcher(grammar, {});
  for (const TokenId token : tokens) {
    const double start = microseconds();
    benchmark::DoNotOptimize(matcher.mask());
    times.push_back(microseconds() - start);
    fits = fits && matcher.take(token);
  }
  return times;
}

void masks(benchmark::State& state, const Example& example, bool is_new) {
  if (vocabulary() == nullptr) return state.SkipWithError("JARIP_TEST_MODEL names no model");
  const std::vector<TokenId> tokens = vocabulary()->tokenizer->encode(example.answer);
  const auto make = [&] {
    const auto made = std::make_shared<const Grammar>(
        *compile_source({example.kind, example.grammar}), vocabulary()->trie);
    made->masks().prepare();
    return made;
  };
  auto grammar = make();
  double worst = 0;
  double sum = 0;
  std::size_t n = 0;
  bool fits = true;
  if (!is_new) walk(grammar, tokens, fits);
  for (auto _ : state) {
    if (is_new) {
      state.PauseTiming();
      grammar = make();
      state.ResumeTiming();
    }
    const std::vector<double> times = walk(grammar, tokens, fits);
    worst = std::max(worst, *std::ranges::max_element(times));
    for (const double time : times) sum += time;
    n += times.size();
  }
  if (!fits) return state.SkipWithError("the grammar refuses its answer");
  state.counters["us_per_mask"] = sum / static_cast<double>(n);
  state.counters["worst_us"] = worst;
  state.counters["tokens"] = static_cast<double>(tokens.size());
}

void compiling(benchmark::State& state, const Example& example) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(compile_source({example.kind, example.grammar}));
  }
}

constexpr std::uint32_t kDecoded = 96;

// Milliseconds a step of a greedy answer, the prompt's step left out.
double decode(LoadedModel& model, const std::shared_ptr<const Grammar>& grammar) {
  using Clock = std::chrono::steady_clock;
  GenerateRequest request;
  request.prompt = model.tokenizer().encode("A list of some of the things that one can see:");
  request.max_new_tokens = kDecoded;
  request.sampling.temperature = 0;
  request.ignore_end_tokens = true;
  request.grammar = grammar;
  std::promise<Clock::time_point> end;
  std::optional<Clock::time_point> first;
  std::uint32_t n_tokens = 0;
  const auto id = model.engine().submit(std::move(request), [&](const Event& event) {
    if (std::holds_alternative<EndEvent>(event)) return end.set_value(Clock::now());
    if (!first) first = Clock::now();
    ++n_tokens;
  });
  if (!id) return 0;
  const Clock::time_point ended = end.get_future().get();
  if (n_tokens < 2) return 0;
  return std::chrono::duration<double, std::milli>(ended - *first).count() / (n_tokens - 1);
}

// The quickest of many answers each way, taken in turns: the machine has others to serve as well.
void steps(benchmark::State& state, GrammarKind kind, const char* text) {
  const char* const path = std::getenv("JARIP_TEST_MODEL");
  LoadedModelOptions options;
  options.engine.max_draft_tokens = 0;  // one token a step
  auto model = LoadedModel::load(path == nullptr ? "" : path, "model", options);
  if (!model) return state.SkipWithError("JARIP_TEST_MODEL names no model");
  auto grammar = (*model)->compile_grammar({kind, text});
  if (!grammar) return state.SkipWithError(grammar.error().message.c_str());
  double free_ms = std::numeric_limits<double>::max();
  double held_ms = free_ms;
  for (auto _ : state) {
    free_ms = std::min(free_ms, decode(**model, nullptr));
    held_ms = std::min(held_ms, decode(**model, *grammar));
  }
  state.counters["free_ms"] = free_ms;
  state.counters["held_ms"] = held_ms;
  state.counters["more"] = held_ms / free_ms - 1;
}

}  // namespace
}  // namespace jarip

int main(int argc, char** argv) {
  using namespace jarip;
  for (const Example& example : kExamples) {
    const std::string name = example.name;
    benchmark::RegisterBenchmark((name + "/used").c_str(), masks, example, false);
    benchmark::RegisterBenchmark((name + "/new").c_str(), masks, example, true);
    benchmark::RegisterBenchmark((name + "/compile").c_str(), compiling, example);
  }
  constexpr int kAnswers = 12;
  benchmark::RegisterBenchmark("step/strings", steps, GrammarKind::kJsonSchema,
                               R"({"type": "array", "items": {"type": "string", "maxLength": 40},
                                   "minItems": 100})")
      ->Iterations(kAnswers);
  benchmark::RegisterBenchmark("step/records", steps, GrammarKind::kJsonSchema,
                               R"({"type": "array", "minItems": 100, "items": {"type": "object",
                                   "properties": {"name": {"type": "string", "maxLength": 20},
                                   "size": {"type": "number"}, "seen": {"type": "boolean"}},
                                   "required": ["name", "size", "seen"]}})")
      ->Iterations(kAnswers);
  benchmark::RegisterBenchmark("step/prose", steps, GrammarKind::kRegex, R"([^0-9]{2000,4000})")
      ->Iterations(kAnswers);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
