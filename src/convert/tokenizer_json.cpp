// tokenizer.json of Hugging Face's tokenizers: its model, what is done to a text before, and the
// tokens that were added.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <unordered_map>
#include <utility>

#include "base/utf8.h"
#include "convert/hub_vocabulary.h"
#include "model/space_mark.h"

namespace jarip {
namespace {

namespace json = boost::json;

constexpr float kNeverMerged = -1e6F;  // the score of tokens that no merge makes
constexpr std::size_t kMaxSteps = 8;

std::string shown(const json::value& value) {
  constexpr std::size_t kMost = 400;
  return replace_invalid(json::serialize(value).substr(0, kMost));
}

std::string_view type_of(const json::value& value) {
  if (!value.is_object()) return {};
  const json::value* type = value.get_object().if_contains("type");
  return type != nullptr && type->is_string() ? std::string_view(type->get_string())
                                              : std::string_view();
}

// The steps of a sequence, or the one step that there is, or none.
std::vector<const json::value*> steps_of(const json::value* value, std::string_view list_name) {
  std::vector<const json::value*> steps;
  if (value == nullptr) return steps;
  if (type_of(*value) != "Sequence") return {value};
  const json::value* list = value->get_object().if_contains(list_name);
  if (list == nullptr || !list->is_array() || list->get_array().size() > kMaxSteps) return {value};
  for (const json::value& step : list->get_array()) steps.push_back(&step);
  return steps;
}

std::optional<std::string> decode_base64(std::string_view text) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t bits = 0;
  unsigned n_bits = 0;
  while (text.ends_with('=')) text.remove_suffix(1);
  for (const char c : text) {
    const std::size_t value = kLetters.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6U | static_cast<std::uint32_t>(value)) & 0xFFFFFFU;
    n_bits += 6;
    if (n_bits < 8) continue;
    n_bits -= 8;
    out += static_cast<char>(bits >> n_bits & 0xFFU);
  }
  return out;
}

class TokenizerReader {
 public:
  TokenizerReader(JsonFields file, JsonFields model)
      : file_(std::move(file)), model_(std::move(model)) {}

  Result<HubVocabulary> read() {
    JARIP_TRY(const auto type, model_.text("type"));
    if (type == "BPE" || (!type && model_.has("merges"))) {
      JARIP_CHECK(read_bpe());
    } else if (type == "Unigram") {
      JARIP_CHECK(read_unigram());
    } else if (type == "WordPiece") {
      JARIP_CHECK(read_wordpiece());
    } else {
      return model_.refuse("type", fmt::format("is {}; BPE, Unigram and WordPiece can be converted",
                                               model_.shown("type")));
    }
    JARIP_CHECK(add_tokens());
    if (out_.model == "gpt2") JARIP_CHECK(read_pretokenizer());
    JARIP_CHECK(read_template());
    return std::move(out_);
  }

 private:
  // The vocabulary of BPE and WordPiece: an id a token.
  Result<void> read_vocabulary() {
    JARIP_TRY(const auto vocabulary, model_.fields("vocab"));
    if (!vocabulary) return model_.corrupt("vocab", "is missing");
    for (const auto& [token, id] : vocabulary->object()) {
      if (!id.is_int64() || id.get_int64() < 0) {
        return model_.corrupt("vocab",
                              fmt::format("has token {} without an id", replace_invalid(token)));
      }
      const auto number = static_cast<std::uint64_t>(id.get_int64());
      if (number < out_.tokens.size() && !out_.tokens[number].empty()) {
        return model_.corrupt("vocab", fmt::format("has id {} twice", number));
      }
      JARIP_CHECK(out_.put(number, token, TokenType::kNormal));
    }
    return {};
  }

  Result<void> read_merges() {
    const json::value* merges = model_.find("merges");
    if (merges == nullptr || !merges->is_array()) return model_.corrupt("merges", "is missing");
    if (merges->get_array().size() > HubVocabulary::kMaxMerges) {
      return model_.corrupt("merges", "has too many");
    }
    for (const json::value& merge : merges->get_array()) {
      if (merge.is_string()) {
        out_.merges.emplace_back(std::string_view(merge.get_string()));
        continue;
      }
      if (!merge.is_array() || merge.get_array().size() != 2 || !merge.get_array()[0].is_string() ||
          !merge.get_array()[1].is_string()) {
        return model_.corrupt("merges", fmt::format("has {}, which is no pair", shown(merge)));
      }
      out_.merges.push_back(fmt::format("{} {}",
                                        std::string_view(merge.get_array()[0].get_string()),
                                        std::string_view(merge.get_array()[1].get_string())));
    }
    return {};
  }

  Result<void> read_bpe() {
    for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      JARIP_TRY(const auto text, model_.text(name));
      if (text && !text->empty()) return model_.refuse(name, "isn't known in BPE here");
    }
    JARIP_CHECK(read_vocabulary());
    JARIP_CHECK(read_merges());
    JARIP_TRY(const auto falls_back, model_.flag("byte_fallback"));
    return falls_back.value_or(false) ? read_spm() : read_byte_level();
  }

  Result<void> read_byte_level() {
    out_.model = "gpt2";
    const json::value* normalizer = file_.find("normalizer");
    for (const json::value* step : steps_of(normalizer, "normalizers")) {
      // Composition is left out: docs/decisions/0008.
      if (type_of(*step) != "NFC") return refuse_normalizer(*step);
    }
    return {};
  }

  Result<void> read_pretokenizer() {
    JARIP_TRY(const auto ignores, model_.flag("ignore_merges"));
    const json::value* pre = file_.find("pre_tokenizer");
    if (pre == nullptr) return file_.refuse("pre_tokenizer", "is missing");
    JARIP_TRY(out_.pre, name_pretokenizer(*pre, ignores.value_or(false), out_));
    return {};
  }

  [[nodiscard]] std::unexpected<Error> refuse_normalizer(const json::value& step) const {
    return file_.refuse("normalizer",
                        fmt::format("has a step that isn't known here: {}", shown(step)));
  }

  // SentencePiece's BPE: what a token scores is when it is first merged.
  Result<void> read_spm() {
    out_.model = "llama";
    JARIP_TRY(out_.add_space_prefix, read_space_prefix());
    out_.scores.assign(out_.tokens.size(), kNeverMerged);
    std::unordered_map<std::string_view, std::size_t> ids;
    for (std::size_t id = 0; id < out_.tokens.size(); ++id) ids.emplace(out_.tokens[id], id);
    float score = 0;
    std::string joined;
    for (const std::string& merge : out_.merges) {
      const std::size_t blank = merge.find(' ');
      if (blank == std::string::npos || merge.find(' ', blank + 1) != std::string::npos) {
        return model_.corrupt("merges", "has one that isn't two tokens");
      }
      joined = merge;
      joined.erase(blank, 1);
      const auto found = ids.find(joined);
      if (found != ids.end() && out_.scores[found->second] == kNeverMerged) {
        out_.scores[found->second] = score;
      }
      score -= 1;
    }
    out_.merges.clear();
    for (std::size_t id = 0; id < out_.tokens.size(); ++id) {
      const std::string& token = out_.tokens[id];
      if (token.size() == 6 && token.starts_with("<0x") && token.ends_with('>')) {
        out_.types[id] = TokenType::kByte;
      }
    }
    return name_unknown();
  }

  // Whether a space is put before a text; refuses what else is done to it.
  Result<bool> read_space_prefix() const {
    bool prefix = false;
    bool marks = false;
    for (const json::value* step : steps_of(file_.find("normalizer"), "normalizers")) {
      if (type_of(*step) == "Prepend" && text_of(*step, "prepend") == kSpaceMark) {
        prefix = true;
      } else if (type_of(*step) == "Replace" && is_space_mark(*step)) {
        marks = true;
      } else {
        return refuse_normalizer(*step);
      }
    }
    for (const json::value* step : steps_of(file_.find("pre_tokenizer"), "pretokenizers")) {
      if (type_of(*step) == "Metaspace" && text_of(*step, "replacement") == kSpaceMark) {
        marks = true;
        prefix = prefix || has_prefix(step->get_object());
      } else if (!is_harmless_split(*step)) {
        return file_.refuse("pre_tokenizer",
                            fmt::format("has a step that isn't known here: {}", shown(*step)));
      }
    }
    if (!marks) return file_.refuse("normalizer", "doesn't write spaces as marks");
    return prefix;
  }

  static std::string_view text_of(const json::value& step, std::string_view key) {
    const json::value* value = step.get_object().if_contains(key);
    return value != nullptr && value->is_string() ? std::string_view(value->get_string())
                                                  : std::string_view();
  }

  static bool is_space_mark(const json::value& step) {
    const json::value* pattern = step.get_object().if_contains("pattern");
    return pattern != nullptr && pattern->is_object() && text_of(*pattern, "String") == " " &&
           text_of(step, "content") == kSpaceMark;
  }

  // Of spaces, where none is left.
  static bool is_harmless_split(const json::value& step) {
    if (type_of(step) != "Split") return false;
    const json::value* pattern = step.get_object().if_contains("pattern");
    return pattern != nullptr && pattern->is_object() && text_of(*pattern, "String") == " " &&
           text_of(step, "behavior") == "MergedWithPrevious";
  }

  // "first" differs from "always" behind control tokens only, of which GGUF has no word.
  static bool has_prefix(const json::object& metaspace) {
    if (const json::value* scheme = metaspace.if_contains("prepend_scheme")) {
      return *scheme != "never";
    }
    const json::value* adds = metaspace.if_contains("add_prefix_space");
    return adds == nullptr || *adds == true;
  }

  Result<void> name_unknown() {
    JARIP_TRY(const auto unknown, model_.text("unk_token"));
    if (!unknown) return {};
    out_.unknown = out_.find(*unknown);
    return {};
  }

  Result<void> read_unigram() {
    out_.model = "t5";
    const json::value* vocabulary = model_.find("vocab");
    if (vocabulary == nullptr || !vocabulary->is_array()) {
      return model_.corrupt("vocab", "is missing");
    }
    for (const json::value& entry : vocabulary->get_array()) {
      if (!entry.is_array() || entry.get_array().size() != 2 || !entry.get_array()[0].is_string() ||
          !entry.get_array()[1].is_number()) {
        return model_.corrupt(
            "vocab", fmt::format("has {}, which is no token with its score", shown(entry)));
      }
      JARIP_CHECK(out_.put(out_.tokens.size(), std::string_view(entry.get_array()[0].get_string()),
                           TokenType::kNormal));
      out_.scores.push_back(static_cast<float>(entry.get_array()[1].to_number<double>()));
    }
    JARIP_TRY(const auto unknown, model_.count("unk_id"));
    if (!unknown || *unknown >= out_.tokens.size()) {
      return model_.corrupt("unk_id", "names no token");
    }
    out_.unknown = static_cast<TokenId>(*unknown);
    out_.types[*unknown] = TokenType::kUnknown;
    out_.add_space_prefix = true;
    out_.remove_extra_whitespaces = true;
    JARIP_CHECK(read_charsmap());
    for (const json::value* step : steps_of(file_.find("pre_tokenizer"), "pretokenizers")) {
      const std::string_view type = type_of(*step);
      const bool is_known =
          type == "WhitespaceSplit" || (type == "Metaspace" && has_prefix(step->get_object()));
      if (!is_known) {
        return file_.refuse("pre_tokenizer",
                            fmt::format("has a step that isn't known here: {}", shown(*step)));
      }
    }
    return {};
  }

  Result<void> read_charsmap() {
    for (const json::value* step : steps_of(file_.find("normalizer"), "normalizers")) {
      const std::string_view type = type_of(*step);
      if (type == "Precompiled") {
        const auto bytes = decode_base64(text_of(*step, "precompiled_charsmap"));
        if (!bytes) return file_.corrupt("normalizer", "has a charsmap that isn't base64");
        const auto as_bytes = std::as_bytes(std::span(*bytes));
        out_.charsmap.assign(as_bytes.begin(), as_bytes.end());
      } else if (type == "Replace") {
        const json::value* pattern = step->get_object().if_contains("pattern");
        const bool joins =
            pattern != nullptr && pattern->is_object() && text_of(*pattern, "Regex") == " {2,}";
        const std::string_view content = text_of(*step, "content");
        if (!joins || (content != " " && content != kSpaceMark)) return refuse_normalizer(*step);
      } else if (type != "Strip") {
        return refuse_normalizer(*step);
      }
    }
    return {};
  }

  Result<void> read_wordpiece() {
    constexpr std::uint64_t kLongestWord = 100;  // that this program takes for a known one
    out_.model = "bert";
    JARIP_TRY(const auto prefix, model_.text("continuing_subword_prefix"));
    if (prefix.value_or("##") != "##") {
      return model_.refuse("continuing_subword_prefix", "isn't ##");
    }
    JARIP_TRY(const auto longest, model_.count("max_input_chars_per_word"));
    if (longest.value_or(kLongestWord) != kLongestWord) {
      return model_.refuse("max_input_chars_per_word", "isn't 100");
    }
    JARIP_CHECK(read_vocabulary());
    JARIP_CHECK(name_unknown());
    for (std::size_t id = 0; id < out_.tokens.size(); ++id) {
      if (out_.tokens[id].starts_with("[unused")) out_.types[id] = TokenType::kUnused;
      if (!out_.tokens[id].empty()) out_.tokens[id] = wordpiece_token(out_.tokens[id]);
    }
    const json::value* pre = file_.find("pre_tokenizer");
    if (pre == nullptr || type_of(*pre) != "BertPreTokenizer") {
      return file_.refuse("pre_tokenizer", "isn't BertPreTokenizer, which WordPiece has here");
    }
    JARIP_TRY(const auto normalizer, file_.fields("normalizer"));
    if (!normalizer || type_of(*file_.find("normalizer")) != "BertNormalizer") {
      return file_.refuse("normalizer", "isn't BertNormalizer, which WordPiece has here");
    }
    JARIP_TRY(out_.lowercase, normalizer->flag("lowercase"));
    JARIP_TRY(out_.strip_accents, normalizer->flag("strip_accents"));
    for (const char* name : {"clean_text", "handle_chinese_chars"}) {
      JARIP_TRY(const auto flag, normalizer->flag(name));
      if (!flag.value_or(true)) return normalizer->refuse(name, "is false");
    }
    return {};
  }

  Result<void> add_tokens() {
    const json::value* added = file_.find("added_tokens");
    if (added == nullptr) return {};
    if (!added->is_array()) return file_.corrupt("added_tokens", "is no list");
    for (const json::value& entry : added->get_array()) {
      if (!entry.is_object()) return file_.corrupt("added_tokens", "has what is no object");
      JARIP_CHECK(add_token(JsonFields(entry.get_object(), "tokenizer.json: added_tokens")));
    }
    if (!out_.scores.empty()) out_.scores.resize(out_.tokens.size(), kNeverMerged);
    return {};
  }

  Result<void> add_token(const JsonFields& fields) {
    JARIP_TRY(const auto id, fields.count("id"));
    JARIP_TRY(const auto content, fields.text("content"));
    JARIP_TRY(const auto special, fields.flag("special"));
    JARIP_TRY(const auto single, fields.flag("single_word"));
    if (!id || !content) return fields.corrupt("id", "or content is missing");
    if (single.value_or(false)) {
      return fields.refuse("single_word",
                           fmt::format("is true for {}; it can't be honoured here", *content));
    }
    if (out_.unknown == *id) {
      return out_.put(*id, *content, TokenType::kUnknown);
    }
    if (special.value_or(false)) return out_.put(*id, *content, TokenType::kControl);
    std::string text(*content);
    if (out_.model == "llama") {
      text.clear();
      append_with_spaces(text, *content);
    }
    return out_.put(*id, text, TokenType::kUserDefined);
  }

  // What the post-processor puts before and behind one text.
  Result<void> read_template() {
    const json::value* processor = file_.find("post_processor");
    for (const json::value* step : steps_of(processor, "processors")) {
      const std::string_view type = type_of(*step);
      if (type == "ByteLevel") continue;  // offsets only
      if (type.empty()) return file_.corrupt("post_processor", "has a step without a type");
      const JsonFields fields(step->get_object(), "tokenizer.json: post_processor");
      if (type == "TemplateProcessing") {
        JARIP_CHECK(read_single(fields));
      } else if (type == "BertProcessing" || type == "RobertaProcessing") {
        out_.first = named_pair(fields, "cls");
        out_.last = named_pair(fields, "sep");
      } else {
        return file_.refuse("post_processor",
                            fmt::format("has a step that isn't known here: {}", shown(*step)));
      }
    }
    return {};
  }

  // ["[CLS]", 101]
  [[nodiscard]] std::optional<TokenId> named_pair(const JsonFields& fields,
                                                  std::string_view key) const {
    const json::value* pair = fields.find(key);
    if (pair == nullptr || !pair->is_array() || pair->get_array().empty() ||
        !pair->get_array()[0].is_string()) {
      return std::nullopt;
    }
    return out_.find(pair->get_array()[0].get_string());
  }

  Result<void> read_single(const JsonFields& fields) {
    const json::value* parts = fields.find("single");
    if (parts == nullptr || !parts->is_array() || parts->get_array().size() > 3) {
      return fields.refuse("single", "has more than a token before and one behind the text");
    }
    bool behind = false;
    for (const json::value& part : parts->get_array()) {
      if (!part.is_object()) return fields.corrupt("single", "has what is no object");
      if (part.get_object().contains("Sequence")) {
        behind = true;
        continue;
      }
      const json::value* token = part.get_object().if_contains("SpecialToken");
      if (token == nullptr || !token->is_object()) {
        return fields.corrupt("single", "has what is neither text nor token");
      }
      const auto id = out_.find(text_of(*token, "id"));
      std::optional<TokenId>& place = behind ? out_.last : out_.first;
      if (!id || place) {
        return fields.refuse("single", fmt::format("can't be honoured here: {}", shown(*parts)));
      }
      place = id;
    }
    return {};
  }

  JsonFields file_;
  JsonFields model_;
  HubVocabulary out_;
};

}  // namespace

Result<HubVocabulary> read_tokenizer_json(const JsonFile& file) {
  JARIP_TRY(const JsonFields fields, file.fields());
  JARIP_TRY(const auto model, fields.fields("model"));
  if (!model) return fields.corrupt("model", "is missing");
  return TokenizerReader(fields, *model).read();
}

}  // namespace jarip
