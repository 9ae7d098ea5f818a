#include "app/embedding_answerer.h"

#include <utility>

#include "app/prompt.h"

namespace jarip {

EmbeddingAnswerer::EmbeddingAnswerer(std::unique_ptr<LoadedEmbedder> model)
    : model_(std::move(model)) {
  card_.name = model_->name();
  card_.created = model_->created();
  card_.n_vocab = model_->facts().n_vocab;
  card_.n_ctx = model_->facts().n_ctx;
  card_.task = model_->ranks() ? ModelTask::kRank : ModelTask::kEmbed;
}

Result<StartedTurn> EmbeddingAnswerer::start(Turn /*turn*/, std::vector<TurnSink> /*sinks*/) {
  return std::unexpected(cant_write(card_));
}

Result<std::vector<TokenId>> EmbeddingAnswerer::read_prompt(const Turn& /*turn*/) const {
  return std::unexpected(cant_write(card_));
}

Result<std::string> EmbeddingAnswerer::render(const Turn& /*turn*/) const {
  return std::unexpected(cant_write(card_));
}

std::vector<TokenId> EmbeddingAnswerer::tokenize(std::string_view text,
                                                 const TokenizeOptions& options) const {
  const Tokenizer& tokenizer = model_->tokenizer();
  std::vector<TokenId> tokens = tokenizer.encode(
      text, options.parse_special ? SpecialTokens::kParse : SpecialTokens::kAsText);
  if (!options.add_special) return tokens;
  ensure_bos(tokens, tokenizer);
  if (const auto closing = tokenizer.closing()) tokens.push_back(*closing);
  return tokens;
}

std::string EmbeddingAnswerer::token_bytes(TokenId id) const {
  return std::string(model_->tokenizer().token_bytes(id));
}

}  // namespace jarip
