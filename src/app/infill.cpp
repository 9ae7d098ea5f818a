#include "app/infill.h"

#include <initializer_list>
#include <string_view>

#include "app/prompt.h"

namespace jarip {
namespace {

// A token's keys in model files and its names in vocabularies, as families write them.
struct Named {
  std::initializer_list<std::string_view> keys;
  std::initializer_list<std::string_view> names;
};

constexpr Named kPrefix{{"tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.prefix_token_id"},
                        {"<|fim_prefix|>", "<fim_prefix>", "<fim-prefix>", "<｜fim▁begin｜>",
                         "<|code_prefix|>", "[PREFIX]", "<PRE>", "▁<PRE>"}};
constexpr Named kSuffix{{"tokenizer.ggml.fim_suf_token_id", "tokenizer.ggml.suffix_token_id"},
                        {"<|fim_suffix|>", "<fim_suffix>", "<fim-suffix>", "<｜fim▁hole｜>",
                         "<|code_suffix|>", "[SUFFIX]", "<SUF>", "▁<SUF>"}};
constexpr Named kMiddle{{"tokenizer.ggml.fim_mid_token_id", "tokenizer.ggml.middle_token_id"},
                        {"<|fim_middle|>", "<fim_middle>", "<fim-middle>", "<｜fim▁end｜>",
                         "<|code_middle|>", "[MIDDLE]", "<MID>", "▁<MID>"}};
constexpr Named kPadding{{"tokenizer.ggml.fim_pad_token_id"},
                         {"<|fim_pad|>", "<fim_pad>", "<fim-pad>"}};
constexpr Named kRepository{{"tokenizer.ggml.fim_rep_token_id"},
                            {"<|repo_name|>", "<repo_name>", "<reponame>"}};
constexpr Named kFile{{"tokenizer.ggml.fim_sep_token_id"}, {"<|file_sep|>", "<file_sep>"}};

constexpr std::string_view kProject = "project";  // what context files belong to
constexpr std::string_view kGapFile = "file";     // the one with the gap

// A key that names no token of the vocabulary says nothing.
std::optional<TokenId> find(const Named& named, const GgufFile& file, const Tokenizer& tokenizer) {
  for (const std::string_view key : named.keys) {
    if (file.find_value(key) == nullptr) continue;
    const auto id = file.read_uint(key);
    if (id && *id < tokenizer.n_vocab()) return static_cast<TokenId>(*id);
  }
  for (const std::string_view name : named.names) {
    if (const auto id = tokenizer.find_token(name)) return id;
  }
  return std::nullopt;
}

}  // namespace

std::optional<InfillTokens> find_infill_tokens(const GgufFile& file, const Tokenizer& tokenizer) {
  const auto prefix = find(kPrefix, file, tokenizer);
  const auto suffix = find(kSuffix, file, tokenizer);
  const auto middle = find(kMiddle, file, tokenizer);
  if (!prefix || !suffix || !middle) return std::nullopt;
  InfillTokens tokens{.prefix = *prefix,
                      .suffix = *suffix,
                      .middle = *middle,
                      .repository = find(kRepository, file, tokenizer),
                      .file = find(kFile, file, tokenizer),
                      .ends = {}};
  for (const auto& end : {find(kPadding, file, tokenizer), tokens.repository, tokens.file}) {
    if (end) tokens.ends.push_back(*end);
  }
  if (!tokens.repository || !tokens.file) tokens.repository = tokens.file = std::nullopt;
  return tokens;
}

// As StarCoder 2 and Qwen2.5-Coder were trained: <repo>project\n, then <file>name\ntext for each
// file, then the file with the gap. Models without these tokens read other files as plain text.
std::vector<TokenId> encode_infill(const Infill& infill, const InfillTokens& tokens,
                                   const Tokenizer& tokenizer) {
  std::vector<TokenId> out = encode_text({}, tokenizer);
  const auto add = [&](std::string_view text) {
    const std::vector<TokenId> part = tokenizer.encode(text, SpecialTokens::kAsText);
    out.insert(out.end(), part.begin(), part.end());
  };
  if (!infill.files.empty() && tokens.file) {
    out.push_back(*tokens.repository);
    add(std::string(kProject) + "\n");
  }
  for (const Infill::File& file : infill.files) {
    if (tokens.file) {
      out.push_back(*tokens.file);
      add(file.name + "\n");
    }
    add(file.text + "\n");
  }
  if (!infill.files.empty() && tokens.file) {
    out.push_back(*tokens.file);
    add(std::string(kGapFile) + "\n");
  }
  out.push_back(tokens.prefix);
  add(infill.prefix);
  out.push_back(tokens.suffix);
  add(infill.suffix);
  out.push_back(tokens.middle);
  add(infill.begun);
  return out;
}

}  // namespace jarip
