#include "convert/hub_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "base/mapped_file.h"
#include "base/utf8.h"
#include "convert/hub_vocabulary.h"
#include "model/tokenizer.h"

namespace jarip {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxTemplates = 16;

// A file's fields, or none: what may be missing from a folder.
struct OptionalFile {
  std::optional<JsonFile> file;
  std::optional<JsonFields> fields;
};

Result<OptionalFile> read_if(const HubFolder& folder, std::string_view name) {
  OptionalFile out;
  JARIP_TRY(out.file, folder.read_json_if(name));
  return out;
}

class TokenizerConverter {
 public:
  TokenizerConverter(const HubFolder& folder, std::uint64_t n_vocab, GgufWriter& writer)
      : folder_(folder), n_vocab_(n_vocab), writer_(writer) {}

  Result<void> convert() {
    constexpr std::pair<std::string_view, OptionalFile TokenizerConverter::*> kFiles[] = {
        {"tokenizer_config.json", &TokenizerConverter::tokenizer_config_},
        {"special_tokens_map.json", &TokenizerConverter::special_map_},
        {"config.json", &TokenizerConverter::config_},
        {"generation_config.json", &TokenizerConverter::generation_}};
    for (const auto& [name, member] : kFiles) {
      JARIP_TRY(this->*member, read_if(folder_, name));
      OptionalFile& read = this->*member;
      if (!read.file) continue;
      JARIP_TRY(read.fields, read.file->fields());
    }
    JARIP_TRY(vocabulary_, read_vocabulary());
    JARIP_CHECK(add_decoder_tokens());
    JARIP_CHECK(fill_up());
    JARIP_CHECK(name_tokens());
    JARIP_CHECK(check_ends());
    write();
    return write_templates();
  }

 private:
  Result<HubVocabulary> read_vocabulary() const {
    if (folder_.has("tokenizer.json")) {
      JARIP_TRY(const JsonFile file, folder_.read_json("tokenizer.json"));
      return read_tokenizer_json(file);
    }
    if (folder_.has("tokenizer.model")) {
      JARIP_TRY(const MappedFile file, MappedFile::open(folder_.path() / "tokenizer.model"));
      return read_sentencepiece(file.bytes());
    }
    JARIP_TRY(const auto lines, folder_.read_text_if("vocab.txt"));
    if (lines) {
      JARIP_TRY(const auto lowercase, flag(tokenizer_config_, "do_lower_case"));
      return read_wordpiece(*lines, lowercase.value_or(true));
    }
    const std::string path = folder_.path().native();
    return fail(ErrorCode::kNotFound,
                fmt::format("{} has no tokenizer.json, tokenizer.model or vocab.txt; "
                            "AutoTokenizer.from_pretrained(…).save_pretrained(…) writes the first",
                            path),
                path);
  }

  static Result<std::optional<bool>> flag(const OptionalFile& file, std::string_view key) {
    if (!file.fields) return std::nullopt;
    return file.fields->flag(key);
  }

  // Tokens beside tokenizer.model that only tokenizer_config.json tells of.
  Result<void> add_decoder_tokens() {
    if (folder_.has("tokenizer.json") || !tokenizer_config_.fields) return {};
    JARIP_TRY(const auto tokens, tokenizer_config_.fields->fields("added_tokens_decoder"));
    if (!tokens) return {};
    for (const auto& [key, entry] : tokens->object()) {
      std::uint64_t id = 0;
      const std::string_view digits = key;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
      if (error != std::errc() || end != digits.data() + digits.size() || !entry.is_object()) {
        return tokens->corrupt(key, "is no id with a token");
      }
      const JsonFields fields(entry.get_object(), "tokenizer_config.json: added_tokens_decoder");
      JARIP_TRY(const auto content, fields.text("content"));
      JARIP_TRY(const auto special, fields.flag("special"));
      if (!content) return fields.corrupt("content", "is missing");
      if (vocabulary_.unknown == id) continue;
      JARIP_CHECK(vocabulary_.put(
          id, *content, special.value_or(false) ? TokenType::kControl : TokenType::kUserDefined));
    }
    if (!vocabulary_.scores.empty()) vocabulary_.scores.resize(vocabulary_.tokens.size(), -1e6F);
    return {};
  }

  // Special tokens past the embedding are of what else the model reads, such as pictures: texts
  // can't hold them.
  void drop_unreadable() {
    std::size_t n = vocabulary_.tokens.size();
    while (n > n_vocab_ && (vocabulary_.types[n - 1] == TokenType::kControl ||
                            vocabulary_.types[n - 1] == TokenType::kUnused)) {
      --n;
    }
    if (n > n_vocab_) return;  // which is refused below
    vocabulary_.tokens.resize(std::min(n, vocabulary_.tokens.size()));
    vocabulary_.types.resize(vocabulary_.tokens.size());
  }

  Result<void> fill_up() {
    drop_unreadable();
    const std::size_t n = vocabulary_.tokens.size();
    if (n > n_vocab_) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("the tokenizer has {} tokens and the embedding {} rows", n, n_vocab_),
                  "tokenizer.json");
    }
    vocabulary_.tokens.resize(n_vocab_);
    vocabulary_.types.resize(n_vocab_, TokenType::kUnused);
    if (!vocabulary_.scores.empty()) vocabulary_.scores.resize(n_vocab_, -1e6F);
    for (std::size_t id = 0; id < n_vocab_; ++id) {
      if (!vocabulary_.tokens[id].empty()) continue;
      vocabulary_.tokens[id] = fmt::format("[PAD{}]", id);
      vocabulary_.types[id] = TokenType::kUnused;
    }
    return {};
  }

  // A token that a file names: "bos_token": "<s>", or {"content": "<s>", …}.
  Result<std::optional<TokenId>> named(const OptionalFile& file, std::string_view name) const {
    if (!file.fields) return std::nullopt;
    const json::value* value = file.fields->find(name);
    if (value != nullptr && value->is_object()) value = value->get_object().if_contains("content");
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) return file.fields->corrupt(name, "is no text");
    const std::string_view text = value->get_string();
    const auto id = vocabulary_.find(text);
    if (!id) {
      return file.fields->corrupt(
          name, fmt::format("is {}, which is no token", replace_invalid(text.substr(0, 100))));
    }
    return id;
  }

  // Ids of config.json or generation_config.json: one, or a list.
  Result<std::vector<TokenId>> ids(const OptionalFile& file, std::string_view name) const {
    std::vector<TokenId> out;
    if (!file.fields) return out;
    const json::value* value = file.fields->find(name);
    if (value == nullptr) return out;
    const bool is_list = value->is_array();
    const std::size_t n = is_list ? value->get_array().size() : 1;
    for (std::size_t i = 0; i < n; ++i) {
      const json::value& one = is_list ? value->get_array()[i] : *value;
      if (!one.is_int64() || one.get_int64() < 0 ||
          static_cast<std::uint64_t>(one.get_int64()) >= n_vocab_) {
        return file.fields->corrupt(
            name, fmt::format("is {}, which isn't below {}", file.fields->shown(name), n_vocab_));
      }
      out.push_back(static_cast<TokenId>(one.get_int64()));
    }
    return out;
  }

  Result<std::optional<TokenId>> find_named(std::string_view role) const {
    const std::string name = fmt::format("{}_token", role);
    JARIP_TRY(auto id, named(tokenizer_config_, name));
    if (!id) {
      JARIP_TRY(id, named(special_map_, name));
    }
    if (id) return id;
    JARIP_TRY(const auto numbers, ids(config_, name + "_id"));
    // A null in tokenizer_config.json says that there is none.
    const bool said = tokenizer_config_.fields && tokenizer_config_.fields->object().contains(name);
    if (numbers.empty() || said) return std::nullopt;
    return numbers.front();
  }

  Result<void> name_tokens() {
    JARIP_TRY(bos_, find_named("bos"));
    JARIP_TRY(eos_, find_named("eos"));
    JARIP_TRY(separator_, find_named("sep"));
    JARIP_TRY(padding_, find_named("pad"));
    JARIP_TRY(mask_, find_named("mask"));
    JARIP_TRY(const auto adds_bos, flag(tokenizer_config_, "add_bos_token"));
    JARIP_TRY(const auto adds_eos, flag(tokenizer_config_, "add_eos_token"));
    const HubVocabulary& from = vocabulary_;
    if (from.model == "bert") {  // its kind says what stands around a text
      JARIP_TRY(bos_, find_named("cls"));
      if (!separator_) separator_ = from.find("[SEP]");
      eos_ = separator_;
      return {};
    }
    if (from.first && adds_bos.value_or(true)) bos_ = from.first;
    const bool by_kind = from.model == "llama" && !folder_.has("tokenizer.json");
    adds_bos_ = bos_ && adds_bos.value_or(from.first == bos_ || by_kind);
    if (from.last && adds_eos.value_or(true) && from.last != eos_) {
      eot_ = eos_;
      eos_ = from.last;
    }
    adds_eos_ = eos_ && adds_eos.value_or(from.last == eos_);
    return {};
  }

  [[nodiscard]] Vocabulary as_vocabulary() const {
    Vocabulary out;
    const HubVocabulary& from = vocabulary_;
    out.model = from.model;
    out.pre = from.pre;
    out.tokens.assign(from.tokens.begin(), from.tokens.end());
    out.types = from.types;
    out.merges.assign(from.merges.begin(), from.merges.end());
    out.scores = from.scores;
    out.bos = bos_;
    out.eos = eos_;
    out.eot = eot_;
    out.eom = eom_;
    out.separator = separator_;
    out.unknown = from.unknown;
    out.add_space_prefix = from.add_space_prefix;
    out.charsmap = from.charsmap;
    return out;
  }

  // Every token that ends an answer must be found again by those who read the file.
  Result<void> check_ends() {
    std::vector<TokenId> wanted;
    for (const OptionalFile* file : {&generation_, &config_}) {
      JARIP_TRY(const auto more, ids(*file, "eos_token_id"));
      wanted.insert(wanted.end(), more.begin(), more.end());
    }
    if (!eos_ && !wanted.empty()) eos_ = wanted.front();
    JARIP_TRY(const Tokenizer tokenizer, Tokenizer::from_vocabulary(as_vocabulary()));
    if (vocabulary_.model == "bert" || vocabulary_.model == "t5") return {};
    for (const TokenId id : wanted) {
      const auto known = tokenizer.end_tokens();
      if (std::ranges::find(known, id) != known.end() || id == eot_ || id == eom_) continue;
      std::optional<TokenId>& place = eot_ ? eom_ : eot_;
      if (place) {
        return fail(
            ErrorCode::kUnsupported,
            fmt::format("generation_config.json: eos_token_id names more tokens than a GGUF "
                        "file can: {} is left",
                        id),
            "eos_token_id");
      }
      place = id;
    }
    return {};
  }

  void write() {
    const HubVocabulary& from = vocabulary_;
    std::vector<std::int32_t> types;
    for (const TokenType type : from.types) types.push_back(std::to_underlying(type));
    writer_.add_string("tokenizer.ggml.model", from.model)
        .add_string("tokenizer.ggml.pre", from.pre)
        .add_strings("tokenizer.ggml.tokens", {from.tokens.begin(), from.tokens.end()})
        .add_ints("tokenizer.ggml.token_type", types);
    if (!from.scores.empty()) writer_.add_floats("tokenizer.ggml.scores", from.scores);
    if (!from.merges.empty()) {
      writer_.add_strings("tokenizer.ggml.merges", {from.merges.begin(), from.merges.end()});
    }
    if (!from.charsmap.empty()) {
      writer_.add_array("tokenizer.ggml.precompiled_charsmap", GgufType::kU8, from.charsmap.size(),
                        from.charsmap);
    }
    const std::pair<std::string_view, std::optional<TokenId>> ids[] = {{"bos", bos_},
                                                                       {"eos", eos_},
                                                                       {"eot", eot_},
                                                                       {"eom", eom_},
                                                                       {"unknown", from.unknown},
                                                                       {"seperator", separator_},
                                                                       {"padding", padding_},
                                                                       {"mask", mask_}};
    for (const auto& [role, id] : ids) {
      if (id) writer_.add_u32(fmt::format("tokenizer.ggml.{}_token_id", role), *id);
    }
    const std::pair<std::string_view, std::optional<bool>> flags[] = {
        {"add_bos_token", adds_bos_},
        {"add_eos_token", adds_eos_},
        {"add_space_prefix", from.add_space_prefix},
        {"remove_extra_whitespaces", from.remove_extra_whitespaces},
        {"normalizer.lowercase", from.lowercase},
        {"normalizer.strip_accents", from.strip_accents}};
    for (const auto& [name, value] : flags) {
      if (value) writer_.add_bool(fmt::format("tokenizer.ggml.{}", name), *value);
    }
  }

  // chat_template.jinja, or what tokenizer_config.json has: one, or several with names.
  Result<void> write_templates() {
    constexpr std::string_view kKey = "tokenizer.chat_template";
    JARIP_TRY(const auto text, folder_.read_text_if("chat_template.jinja"));
    if (text) {
      if (!is_valid_utf8(*text)) {
        return fail(ErrorCode::kCorrupt, "chat_template.jinja isn't UTF-8", "chat_template.jinja");
      }
      writer_.add_string(kKey, *text);
      return {};
    }
    const json::value* value =
        tokenizer_config_.fields ? tokenizer_config_.fields->find("chat_template") : nullptr;
    if (value == nullptr) return {};
    if (value->is_string()) {
      writer_.add_string(kKey, std::string_view(value->get_string()));
      return {};
    }
    if (!value->is_array() || value->get_array().size() > kMaxTemplates) {
      return tokenizer_config_.fields->corrupt("chat_template", "is neither text nor a list");
    }
    for (const json::value& entry : value->get_array()) {
      JARIP_CHECK(write_named_template(entry, kKey));
    }
    return {};
  }

  Result<void> write_named_template(const json::value& entry, std::string_view key) {
    if (!entry.is_object()) {
      return tokenizer_config_.fields->corrupt("chat_template", "has what is no object");
    }
    const JsonFields fields(entry.get_object(), "tokenizer_config.json: chat_template");
    JARIP_TRY(const auto name, fields.text("name"));
    JARIP_TRY(const auto text, fields.text("template"));
    const auto is_plain = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    };
    if (!name || !text || name->empty() || name->size() > 64 ||
        !std::ranges::all_of(*name, is_plain)) {
      return fields.corrupt("name", "or template is missing, or no plain name");
    }
    writer_.add_string(*name == "default" ? std::string(key) : fmt::format("{}.{}", key, *name),
                       *text);
    return {};
  }

  const HubFolder& folder_;
  std::uint64_t n_vocab_;
  GgufWriter& writer_;
  OptionalFile tokenizer_config_;
  OptionalFile special_map_;
  OptionalFile config_;
  OptionalFile generation_;
  HubVocabulary vocabulary_;
  std::optional<TokenId> bos_, eos_, eot_, eom_, separator_, padding_, mask_;
  std::optional<bool> adds_bos_, adds_eos_;
};

}  // namespace

Result<void> convert_tokenizer(const HubFolder& folder, std::uint64_t n_vocab, GgufWriter& writer) {
  return TokenizerConverter(folder, n_vocab, writer).convert();
}

}  // namespace jarip
