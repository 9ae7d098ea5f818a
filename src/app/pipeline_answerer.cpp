#include "app/pipeline_answerer.h"

#include "app/prompt.h"

namespace jarip {

PipelineAnswerer::PipelineAnswerer(std::unique_ptr<LoadedModel> model)
    : model_(std::move(model)), pipeline_(*model_) {
  card_.name = model_->name();
  card_.created = model_->created();
  card_.n_vocab = model_->model().config().n_vocab;
  card_.n_ctx = model_->engine().n_ctx();
  card_.fingerprint = fingerprint_of(card_, model_->arithmetic());
}

std::vector<TokenId> PipelineAnswerer::tokenize(std::string_view text,
                                                const TokenizeOptions& options) const {
  const Tokenizer& tokenizer = model_->tokenizer();
  std::vector<TokenId> tokens = tokenizer.encode(
      text, options.parse_special ? SpecialTokens::kParse : SpecialTokens::kAsText);
  if (options.add_special) ensure_bos(tokens, tokenizer);
  return tokens;
}

std::string PipelineAnswerer::token_bytes(TokenId id) const {
  return std::string(model_->tokenizer().token_bytes(id));
}

}  // namespace jarip
