#include "convert/hub_vocabulary.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"
#include "model/space_mark.h"

namespace jarip {

std::optional<TokenId> HubVocabulary::find(std::string_view token) const {
  const auto at = std::ranges::find(tokens, token);
  if (at == tokens.end()) return std::nullopt;
  return static_cast<TokenId>(at - tokens.begin());
}

Result<void> HubVocabulary::put(std::uint64_t id, std::string_view token, TokenType type) {
  if (id >= kMaxTokens || token.size() > kMaxTokenBytes) {
    return fail(ErrorCode::kTooLarge,
                fmt::format("token {} of the tokenizer is past {} tokens or longer than {} bytes",
                            id, kMaxTokens, kMaxTokenBytes));
  }
  if (id >= tokens.size()) {
    tokens.resize(id + 1);
    types.resize(id + 1, TokenType::kUnused);
  }
  tokens[id] = token;
  types[id] = type;
  return {};
}

std::string wordpiece_token(std::string_view token) {
  if (token.starts_with('[') && token.ends_with(']')) return std::string(token);
  if (token.starts_with("##") && token.size() > 2) return std::string(token.substr(2));
  return std::string(kSpaceMark) + std::string(token);
}

Result<HubVocabulary> read_wordpiece(std::string_view lines, bool lowercase) {
  constexpr std::string_view kControls[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  HubVocabulary out;
  out.model = "bert";
  out.lowercase = lowercase;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    std::string_view token = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    if (token.ends_with('\r')) token.remove_suffix(1);
    if (!is_valid_utf8(token)) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("line {} of vocab.txt isn't UTF-8", out.tokens.size() + 1),
                  "vocab.txt");
    }
    TokenType type = TokenType::kNormal;
    if (std::ranges::find(kControls, token) != std::end(kControls)) type = TokenType::kControl;
    if (token.starts_with("[unused")) type = TokenType::kUnused;
    JARIP_CHECK(out.put(out.tokens.size(), wordpiece_token(token), type));
  }
  out.unknown = out.find("[UNK]");
  return out;
}

}  // namespace jarip
