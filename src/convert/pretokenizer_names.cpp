// The pre-tokenizers of tokenizer.json, recognised by what they say. The expressions are data of
// published tokenizers; src/model/pretokenizer.cpp knows the same under their GGUF names.
#include <fmt/format.h>

#include <boost/json/serialize.hpp>

#include "base/utf8.h"
#include "convert/hub_vocabulary.h"
#include "model/bpe.h"
#include "model/byte_alphabet.h"

namespace jarip {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxSteps = 8;

struct Known {
  std::string_view split;  // of text; empty: none
  bool digits = false;     // come out one by one first
  bool words = false;      // GPT-2's expression, which byte-level pre-tokenizers have built in
  bool ignore_merges = false;
  std::string_view name;
};

constexpr std::string_view kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kGpt2Grouped =
    R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2 = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
                                    R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen35 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})"
    R"(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N})"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kO200k =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3})"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr Known kKnown[] = {
    {.split = "", .words = true, .name = "gpt-2"},
    {.split = kGpt2, .name = "gpt-2"},
    {.split = kGpt2Grouped, .name = "gpt-2"},
    {.split = "", .digits = true, .words = true, .name = "smollm"},
    {.split = kLlama3, .ignore_merges = true, .name = "llama-bpe"},
    {.split = kLlama3, .name = "smaug-bpe"},
    {.split = kQwen2, .name = "qwen2"},
    {.split = kQwen35, .name = "qwen35"},
    {.split = kTekken, .ignore_merges = true, .name = "tekken"},
    {.split = kO200k, .ignore_merges = true, .name = "gpt-4o"},
};

std::string shown(const json::value& value) {
  constexpr std::size_t kMost = 600;
  return replace_invalid(json::serialize(value).substr(0, kMost));
}

std::unexpected<Error> unknown(const json::value& value) {
  return fail(
      ErrorCode::kUnsupported,
      fmt::format("tokenizer.json: pre_tokenizer isn't one that is known here: {}", shown(value)),
      "pre_tokenizer");
}

// Whether a split keeps all of the text, cut where the expression matches.
bool keeps_all(const json::object& step) {
  const json::value* behavior = step.if_contains("behavior");
  const json::value* invert = step.if_contains("invert");
  const bool inverted = invert != nullptr && invert->is_bool() && invert->get_bool();
  if (behavior == nullptr) return false;
  return inverted ? *behavior == "Removed" : *behavior == "Isolated";
}

bool is_true(const json::object& step, std::string_view key, bool otherwise) {
  const json::value* value = step.if_contains(key);
  return value != nullptr && value->is_bool() ? value->get_bool() : otherwise;
}

// The steps of a pre-tokenizer, one after the other.
Result<std::vector<const json::object*>> steps_of(const json::value& value) {
  std::vector<const json::object*> steps;
  if (!value.is_object()) return unknown(value);
  const json::value* type = value.get_object().if_contains("type");
  if (type == nullptr || *type != "Sequence") {
    steps.push_back(&value.get_object());
    return steps;
  }
  const json::value* list = value.get_object().if_contains("pretokenizers");
  if (list == nullptr || !list->is_array() || list->get_array().size() > kMaxSteps) {
    return unknown(value);
  }
  for (const json::value& step : list->get_array()) {
    if (!step.is_object()) return unknown(value);
    steps.push_back(&step.get_object());
  }
  return steps;
}

// What the steps do, without a name.
Result<Known> read_steps(const json::value& pre_tokenizer) {
  JARIP_TRY(const auto steps, steps_of(pre_tokenizer));
  Known found{.split = "", .name = ""};
  bool is_byte_level = false;
  for (const json::object* step : steps) {
    const json::value* type = step->if_contains("type");
    if (type == nullptr || is_byte_level) return unknown(pre_tokenizer);
    if (*type == "Split" && keeps_all(*step) && found.split.empty()) {
      const json::value* pattern = step->if_contains("pattern");
      if (pattern == nullptr || !pattern->is_object()) return unknown(pre_tokenizer);
      const json::value* regex = pattern->get_object().if_contains("Regex");
      if (regex == nullptr || !regex->is_string()) return unknown(pre_tokenizer);
      found.split = regex->get_string();
    } else if (*type == "Digits" && is_true(*step, "individual_digits", false) &&
               found.split.empty()) {
      found.digits = true;
    } else if (*type == "ByteLevel" && !is_true(*step, "add_prefix_space", true)) {
      found.words = is_true(*step, "use_regex", true);
      is_byte_level = true;
    } else {
      return unknown(pre_tokenizer);
    }
  }
  if (!is_byte_level) return unknown(pre_tokenizer);
  return found;
}

// Whether merging alone makes a token of every token's bytes, so that it doesn't matter whether
// merges are ignored where a whole piece is a token.
bool merges_make_all(const HubVocabulary& vocabulary) {
  std::vector<std::string> bytes(vocabulary.tokens.size());
  for (std::size_t id = 0; id < bytes.size(); ++id) {
    if (vocabulary.types[id] != TokenType::kNormal) continue;
    if (!append_alphabet_bytes(bytes[id], vocabulary.tokens[id])) return false;
  }
  const std::vector<std::string_view> views(bytes.begin(), bytes.end());
  const std::vector<std::string_view> merges(vocabulary.merges.begin(), vocabulary.merges.end());
  const auto encoder = BytePairEncoder::build(views, merges, /*whole_pieces=*/false);
  if (!encoder) return false;
  std::vector<TokenId> ids;
  for (TokenId id = 0; id < views.size(); ++id) {
    if (views[id].empty()) continue;
    ids.clear();
    encoder->encode(views[id], ids);
    if (ids.size() != 1 || ids.front() != id) return false;
  }
  return true;
}

}  // namespace

Result<std::string> name_pretokenizer(const json::value& pre_tokenizer, bool ignore_merges,
                                      const HubVocabulary& vocabulary) {
  JARIP_TRY(const Known found, read_steps(pre_tokenizer));
  const Known* near = nullptr;
  for (const Known& known : kKnown) {
    const bool is_alike =
        known.split == found.split && known.digits == found.digits && known.words == found.words;
    if (!is_alike) continue;
    if (known.ignore_merges == ignore_merges) return std::string(known.name);
    near = &known;
  }
  if (near != nullptr && merges_make_all(vocabulary)) return std::string(near->name);
  return unknown(pre_tokenizer);
}

}  // namespace jarip
