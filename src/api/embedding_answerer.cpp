#include "api/embedding_answerer.h"

#include <fmt/format.h>

#include "app/prompt.h"

namespace jarip {

EmbeddingAnswerer::EmbeddingAnswerer(LoadedEmbedder& model) : model_(model) {
  card_.name = model.name();
  card_.created = model.created();
  card_.n_vocab = model.facts().n_vocab;
  card_.n_ctx = model.facts().n_ctx;
}

Result<void> EmbeddingAnswerer::refuse(const Turn& turn) const {
  if (!turn.model.empty() && turn.model != card_.name) {
    return fail(ErrorCode::kNotFound,
                fmt::format("there is no model \"{}\" here; the one loaded is \"{}\"", turn.model,
                            card_.name),
                "model");
  }
  return fail(ErrorCode::kUnsupported,
              fmt::format("\"{}\" {} and writes none; send this to a server that runs a model made "
                          "for it",
                          card_.name,
                          model_.ranks() ? "ranks texts (/v1/rerank)"
                                         : "makes vectors of texts (/v1/embeddings)"),
              "model");
}

Result<StartedTurn> EmbeddingAnswerer::start(Turn turn, std::vector<TurnSink> /*sinks*/) {
  return std::unexpected(refuse(turn).error());
}

Result<std::vector<TokenId>> EmbeddingAnswerer::read_prompt(const Turn& turn) const {
  return std::unexpected(refuse(turn).error());
}

Result<std::string> EmbeddingAnswerer::render(const Turn& turn) const {
  return std::unexpected(refuse(turn).error());
}

std::vector<TokenId> EmbeddingAnswerer::tokenize(std::string_view text,
                                                 const TokenizeOptions& options) const {
  const Tokenizer& tokenizer = model_.tokenizer();
  std::vector<TokenId> tokens = tokenizer.encode(
      text, options.parse_special ? SpecialTokens::kParse : SpecialTokens::kAsText);
  if (!options.add_special) return tokens;
  ensure_bos(tokens, tokenizer);
  if (const auto closing = tokenizer.closing()) tokens.push_back(*closing);
  return tokens;
}

std::string EmbeddingAnswerer::token_bytes(TokenId id) const {
  return std::string(model_.tokenizer().token_bytes(id));
}

}  // namespace jarip
